"""argparse in our own words: whole flags only, and a hint for one that isn't known."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from frostline.stages.errors import ConfigError

Flags = Mapping[str, Sequence[str]]


class Parser(argparse.ArgumentParser):
    """A parser that knows which commands have which flags: ``elsewhere`` is asked once there is a mistake."""

    def __init__(self, *, elsewhere: Callable[[], Flags] = dict, **more: Any) -> None:
        super().__init__(allow_abbrev=False, **more)
        self.elsewhere = elsewhere

    def flags(self) -> list[str]:
        """Return the flags, each with its dashes."""
        return [flag for action in self._actions for flag in action.option_strings]

    def error(self, message: str) -> NoReturn:
        first = message.removeprefix(_UNKNOWN).split()[0] if message.startswith(_UNKNOWN) else ""
        if first.startswith("-"):
            self.unknown_flag(first)
        print(f"error: {message}\n       {self.prog} --help lists what there is", file=sys.stderr)
        raise SystemExit(ConfigError.exit_code)

    def unknown_flag(self, given: str) -> NoReturn:
        """Exit with the nearest flag of this command, or of another."""
        flag = given.partition("=")[0]
        self.error(f"unknown flag {flag}{_hint(flag, self.flags(), self.elsewhere())}")


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
