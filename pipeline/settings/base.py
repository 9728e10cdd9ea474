"""What the settings of all commands share: mistakes are explained, and there is a workspace."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.fields import FieldInfo

from frostline.pipeline.settings.describe import choices_of, flag_of
from frostline.pipeline.settings.python_words import in_python
from frostline.stages.buckets.address import check_place, is_address, path_of
from frostline.stages.errors import ConfigError, shortened, unknown_name
from frostline.stages.modalities.given import array_of, described

_OF_WORDS = ("literal_error", "string_pattern_mismatch")
_OF_PYDANTIC = re.compile(r"^(input|string|value|\w+) should (be |have )(a valid )?")
_ELSEWHERE = {  # as other libraries call it
    **{name: f'grid={{"{name}": …}}' for name in ("C", "alpha", "k", "shrinkage")},
    **{name: f'head_params={{"{name}": …}}' for name in ("max_iter", "tol")},
    **{"cv": "folds=…", "random_state": "seed=…", "test_size": "test_fraction=…", "scoring": "criterion=…"},
    **{"model": "backbone=…", "encoder": "backbone=…", "groups": "group=…", "clf": "head=…"},
    **{"X": "dataset=(X, y)", "y": "dataset=(X, y)", "data": "dataset=…"},
}
_IN_WORDS = {
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "text",
    "path_type": "a path",
    "greater_than": "a number above {gt}",
    "greater_than_equal": "{ge} or more",
    "less_than": "a number below {lt}",
    "less_than_equal": "{le} or less",
}


class SettingsError(ConfigError):
    """Settings that can't be, in the words of Python; ``of_flags``: the same in those of the command line."""

    def __init__(self, message: str, of_flags: str) -> None:
        super().__init__(message)
        self.of_flags = of_flags


class AnySettings(BaseModel):
    """What the settings of all commands share."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def __init__(self, **given: Any) -> None:
        """Raises ConfigError for unknown names, with a hint, and for values that can't be."""
        try:
            super().__init__(**given)
        except ValidationError as error:
            lines = "\n".join(_explained(e, type(self).model_fields) for e in error.errors())
            raise SettingsError(in_python(lines), lines) from error

    @classmethod
    def __pydantic_init_subclass__(cls, **_given: Any) -> None:
        """Show names and defaults as the signature, without what checks the values."""
        fields = cls.model_fields.items()
        shown = [Parameter(n, Parameter.KEYWORD_ONLY, default=field.get_default()) for n, field in fields]
        cls.__signature__ = Signature(shown)

    @classmethod
    def of_flags(cls, **given: Any) -> Self:
        """Return the settings that flags, the environment or a file give. Raises ConfigError that speaks of flags."""
        try:
            return cls(**given)
        except SettingsError as error:
            raise ConfigError(error.of_flags) from error


class WorkspaceSettings(AnySettings):
    """Where everything lies."""

    model_config = ConfigDict(title="workspace")

    data_dir: Path = Field(
        default=Path("data"),
        description="workspace for features, heads and runs; a folder, or s3://bucket/prefix",
        json_schema_extra={"brief": "workspace, a folder or s3://…"},
    )

    @field_validator("data_dir", mode="before")
    @classmethod
    def _address(cls, given: Any) -> Any:
        """Keep an address as it is written. Raises ConfigError for what only looks like one."""
        check_place(given)
        return path_of(str(given)) if isinstance(given, str | Path) and is_address(given) else given


def _explained(error: Any, fields: Mapping[str, FieldInfo]) -> str:
    name = str(error["loc"][0]) if error["loc"] else ""
    if error["type"] == "extra_forbidden":
        return _unknown(name, fields)
    message = str(error["msg"]).removeprefix("Value error, ")
    if not name:
        return message
    given = error["input"]
    if name == "dataset" and not isinstance(given, str):
        return f"dataset {_said(given)}: expected its name; an object is given to run(dataset=…) or load_dataset"
    of_column = "; a group is named by its column" if name == "group" else ""
    return f"{flag_of(name)} {_said(given)}: {_expected(message, error, fields[name])}{of_column}"


def _said(given: object) -> str:
    """Return a value for a message; an array, or what is long, in a few words."""
    return described(given) if array_of(given) is not None else shortened(repr(given), 200)


def _unknown(name: str, fields: Mapping[str, FieldInfo]) -> str:
    """Return the message for a setting that is not known: where what is meant is set, or the nearest names."""
    other = _ELSEWHERE.get(name)
    if other and other.partition("=")[0] in fields:
        return f"unknown setting {name!r}; expected {other}"
    return str(unknown_name("setting", name, fields, "docs/settings.md and help(frostline.run) name them"))


def _expected(message: str, error: Any, field: FieldInfo) -> str:
    """Return a message in our words: what was expected, and the nearest word that is allowed."""
    allowed = choices_of(field)
    given = str(error["input"])
    near = get_close_matches(given, allowed, 1, 0.6) if len(given) > 3 else []  # gpu is no misspelt cpu
    hint = f"; did you mean {near[0]!r}?" if near else ""
    if error["type"] in _OF_WORDS and allowed:
        return f"expected {', '.join(allowed[:-1])} or {allowed[-1]}{hint}"
    kind, limits = str(error["type"]), error.get("ctx", {})
    if kind in _IN_WORDS:
        return "expected " + _IN_WORDS[kind].format(**limits)
    return _OF_PYDANTIC.sub("expected ", message[0].lower() + message[1:])
