"""What help and documentation say of each setting: one source for both, the models' fields.

``json_schema_extra`` of a field may have ``metavar`` (else its type says it), ``default`` in words (where the value is
found only later), ``common`` (shown on the first screen of ``--help``) and ``brief`` (what is shown there instead).
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

_OF_TYPES: dict[object, str] = {int: "N", float: "X", Path: "PATH"}


class Setting(NamedTuple):
    """A setting as a flag; ``group``: the title of the model that has it; ``brief``: empty for what is not common."""

    name: str
    flag: str
    group: str
    metavar: str
    default: str
    description: str
    brief: str

    @property
    def switch(self) -> bool:
        """Whether it is on or off, without a value."""
        return not self.metavar


def settings_in(model: type[BaseModel]) -> Iterator[Setting]:
    """Yield the settings of a model, those of the first class that it is made of first."""
    seen: set[str] = set()
    for part in reversed(model.__mro__):
        if not issubclass(part, BaseModel) or part is BaseModel:
            continue
        for name, field in part.model_fields.items():
            if name not in seen:
                seen.add(name)
                yield _described(name, field, str(part.model_config.get("title", "")))


def _described(name: str, field: FieldInfo, group: str) -> Setting:
    more = _extra(field)
    description = str(field.description)
    brief = str(more.get("brief") or (description if more.get("common") else ""))
    return Setting(name, flag_of(name), group, _metavar(field), _default(field), description, brief)


def flag_of(name: str) -> str:
    """Return the flag of a setting: ``--data-dir``."""
    return f"--{name.replace('_', '-')}"


def choices_of(field: FieldInfo) -> list[str]:
    """Return the words that a setting allows, if it allows nothing else."""
    metavar = str(_extra(field).get("metavar", ""))
    if metavar.startswith("{") and "|" not in metavar:
        return metavar.strip("{}").split(",")
    return _words(field.annotation)


def _words(annotation: Any) -> list[str]:
    words = [one for one in get_args(annotation) if one is not type(None)]
    if get_origin(annotation) is Literal:
        return [str(word) for word in words]
    return _words(words[0]) if _optional(annotation) and len(words) == 1 else []


def _optional(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, types.UnionType)


def _metavar(field: FieldInfo) -> str:
    named = str(_extra(field).get("metavar", ""))
    if named or field.annotation is bool:
        return named
    words = _words(field.annotation)
    if words:
        return f"{{{','.join(words)}}}"
    kinds = [one for one in get_args(field.annotation) or [field.annotation] if one is not type(None)]
    return _OF_TYPES[kinds[0]]


def _default(field: FieldInfo) -> str:
    in_words = str(_extra(field).get("default", ""))
    if in_words or field.default is None or field.default is False or field.default in ("", (), {}):
        return in_words
    return ",".join(map(str, field.default)) if isinstance(field.default, tuple) else str(field.default)


def _extra(field: FieldInfo) -> dict[str, Any]:
    return dict(field.json_schema_extra) if isinstance(field.json_schema_extra, dict) else {}
