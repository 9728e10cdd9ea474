"""argparse in our own words: whole flags only, help in two sizes, and a hint for a flag that isn't known."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from frostline.pipeline.cli.help import Groups, HelpAction, HelpFormatter, first_screen
from frostline.stages.errors import ConfigError

Flags = Mapping[str, Sequence[str]]


class Parser(argparse.ArgumentParser):
    """A parser that knows which commands have which flags: ``elsewhere`` is asked once there is a mistake.

    ``brief``: what the first screen of help says of a flag, by its destination; SUPPRESS: only ``--help all`` has it.
    """

    def __init__(self, *, elsewhere: Callable[[], Flags] = dict, examples: Sequence[str] = (), **more: Any) -> None:
        more.setdefault("formatter_class", HelpFormatter)
        super().__init__(allow_abbrev=False, add_help=False, **more)
        self.elsewhere, self.examples = elsewhere, examples
        self.brief: dict[str, str] = {}
        self._positionals.title = "arguments"
        self.add_argument("-h", "--help", action=HelpAction, nargs="?", metavar="all", help="show this help and exit")
        self.add_argument("--help-all", action=HelpAction, nargs=0, help=argparse.SUPPRESS)

    def flags(self) -> list[str]:
        """Return the flags, each with its dashes."""
        return [flag for action in self._actions for flag in action.option_strings]

    def groups(self) -> Groups:
        """Return what can be given, by group: what has no flag, then settings, then the other flags."""
        positional, options, *settings = [(str(group.title), group._group_actions) for group in self._action_groups]
        workspace = [one for one in settings if one[0] == "workspace"]
        return [positional, *(one for one in settings if one not in workspace), *workspace, options]

    def format_help(self, *, whole: bool = False) -> str:
        """Return the help: what most people use, or the whole of it."""
        groups, last = (self.groups(), "") if whole else first_screen(self.groups(), self.brief, self.prog)
        formatter = self._get_formatter()
        formatter.add_usage(self.usage, self._actions, self._mutually_exclusive_groups)
        formatter.add_text(self.description)
        if self.examples:
            formatter.add_text("\n".join(["examples:", *(f"  {example}" for example in self.examples)]))
        for title, actions in groups:
            formatter.start_section(title)
            formatter.add_arguments(actions)
            formatter.end_section()
        formatter.add_text(last or self.epilog)
        return formatter.format_help()

    def error(self, message: str) -> NoReturn:
        first = message.removeprefix(_UNKNOWN).split()[0] if message.startswith(_UNKNOWN) else ""
        if first.startswith("-"):
            self.unknown_flag(first)
        if first and "--dataset" in self.flags():
            message = f"unexpected {first}; did you mean --dataset {dataset_like(first)}?"
        print(f"error: {message}\n       See `{self.prog} --help`.", file=sys.stderr)
        raise SystemExit(ConfigError.exit_code)

    def unknown_flag(self, given: str) -> NoReturn:
        """Exit with the nearest flag of this command, or of another."""
        flag = given.partition("=")[0]
        self.error(f"unknown flag {flag}{_hint(flag, self.flags(), self.elsewhere())}")


def dataset_like(given: str) -> str:
    """Return how a word, given without a flag, is written as a dataset."""
    from frostline.stages.datasets.sources.registry import prefix_of

    if ":" in given or not os.path.lexists(given):
        return given
    return f"{prefix_of(given) or 'folder'}:{given}"


_UNKNOWN = "unrecognized arguments: "


_SAID_OTHERWISE = {
    "--projection": "features after and before a projection are layers: --layer projection, --layer projection:input"
}


def _hint(unknown: str, own: Sequence[str], elsewhere: Flags) -> str:
    if unknown in elsewhere:
        return f"; {unknown} is a flag of {', '.join(elsewhere[unknown])}"
    if unknown in _SAID_OTHERWISE:
        return f"; {_SAID_OTHERWISE[unknown]}"
    near = _nearest(unknown, [*own, *(flag for flag in elsewhere if flag not in own)])
    if near is None:
        return ""
    return f"; did you mean {near}" + ("?" if near in own else f", a flag of {', '.join(elsewhere[near])}?")


def _nearest(unknown: str, known: Sequence[str]) -> str | None:
    if len(unknown) < 4:  # -x is as near to any
        return None
    whole = [flag for flag in known if flag.startswith(unknown)]
    return next(iter([*whole, *get_close_matches(unknown, known, 1, 0.6)]), None)
