"""The command line's flags, made from the settings models."""

from __future__ import annotations

import argparse
import sys
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from frostline.pipeline.cli.parser import Parser
from frostline.pipeline.settings import AnySettings
from frostline.pipeline.settings.describe import Setting, settings_in

_SETTING = "setting_"
_IDENTIFYING = ("dataset", "backbone", "extraction")
_FINDS = "which cached features, as given to `frostline extract`"


def add_settings(parser: Parser, model: type[AnySettings], *, cached: bool = False) -> None:
    """Give a parser one flag per field of a model, grouped by the class that has the field.

    ``cached``: the command reads cached features, which most settings only identify; the groups' titles say so.
    """
    for title, settings in groupby(settings_in(model), attrgetter("group")):
        named = f"{title} ({_FINDS})" if cached and title in _IDENTIFYING else title
        section = parser.add_argument_group(named)
        for setting in settings:
            _add_setting(parser, section, setting)
    parser.add_argument("--config", type=Path, metavar="FILE", help="read settings from a TOML file")
    parser.add_argument("--json", action="store_true", help="print one JSON document on stdout")


def given(args: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that were given as flags."""
    return {name: value for dest, value in vars(args).items() if (name := setting_name(dest))}


def setting_name(dest: str) -> str:
    """Return the name of the setting that a flag's destination stands for, empty if it is no setting's."""
    return dest.removeprefix(_SETTING) if dest.startswith(_SETTING) else ""


def _add_setting(parser: Parser, section: Any, setting: Setting) -> None:
    dest = f"{_SETTING}{setting.name}"
    how: dict[str, Any] = {"dest": dest, "default": argparse.SUPPRESS, "help": _help(setting.description, setting)}
    if setting.switch:
        section.add_argument(setting.flag, action="store_true", **how)
    else:
        section.add_argument(setting.flag, metavar=setting.metavar, action=_LastCounts, **how)
    parser.brief[dest] = _help(setting.brief, setting) if setting.brief else argparse.SUPPRESS


def _help(text: str, setting: Setting) -> str:
    return (f"{text} (default: {setting.default})" if setting.default else text).replace("%", "%%")


class _LastCounts(argparse.Action):
    """Stores a value; if it replaces an earlier one, a note says so, since several values are written as a list."""

    def __call__(
        self, _parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        """Store the value."""
        if vars(namespace).get(self.dest, values) != values:
            print(f"note: {option} is given more than once; {values} counts (several values: A,B)", file=sys.stderr)
        setattr(namespace, self.dest, values)
