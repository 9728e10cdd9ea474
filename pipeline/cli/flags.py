"""The command line's flags, made from the settings models."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from frostline.pipeline.settings import AnySettings

_SETTING = "setting_"


def add_settings(parser: argparse.ArgumentParser, model: type[AnySettings]) -> None:
    """Give a parser one flag per field of a model, grouped by the class that has the field."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="a TOML file of settings")
    parser.add_argument("--json", action="store_true", help="print one JSON document on stdout")
    added: set[str] = set()
    for part in reversed(model.__mro__):
        if issubclass(part, AnySettings) and part is not AnySettings:
            section = parser.add_argument_group(str(part.model_config["title"]))
            for name in [n for n in part.model_fields if n not in added]:
                _add_setting(section, part, name)
                added.add(name)


def given(args: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that were given as flags."""
    return {n.removeprefix(_SETTING): v for n, v in vars(args).items() if n.startswith(_SETTING)}


def _add_setting(section: Any, model: type[BaseModel], name: str) -> None:
    field = model.model_fields[name]
    default = field.default
    if isinstance(default, tuple):
        default = ",".join(map(str, default)) if len(default) < 4 else None
    choices = _choices(field.annotation)
    shown = str(field.description) + (f": {', '.join(choices)}" if choices else "")
    shown += f" (default: {default})" if default not in (None, "", {}) and default is not False else ""
    flag, about = f"--{name.replace('_', '-')}", shown.replace("%", "%%")
    how: dict[str, Any] = {"dest": f"{_SETTING}{name}", "default": argparse.SUPPRESS, "help": about}
    if field.annotation is bool:
        section.add_argument(flag, action="store_true", **how)
    else:
        section.add_argument(flag, metavar="VALUE", action=_LastCounts, **how)


class _LastCounts(argparse.Action):
    """Stores a value; of one that replaces an earlier one it is said, since several values are written as a list."""

    def __call__(
        self, _parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        """Store the value."""
        if vars(namespace).get(self.dest, values) != values:
            print(f"note: {option} is given more than once; {values} counts (several values: A,B)", file=sys.stderr)
        setattr(namespace, self.dest, values)


def _choices(annotation: Any) -> list[str]:
    """Return the words that a setting's type allows, if it allows nothing else."""
    words = [a for a in get_args(annotation) if a is not type(None)]
    if words and all(isinstance(word, str) for word in words):
        return words
    return _choices(words[0]) if len(words) == 1 and get_origin(words[0]) is Literal else []
