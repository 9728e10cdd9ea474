"""How help is laid out: the first screen has what most people use, ``--help all`` everything."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from copy import copy
from typing import Any

Groups = list[tuple[str, list[argparse.Action]]]
MOST_USED = "most used settings"
_ONE_SCREEN = 8  # flags of a command that need no second screen


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Help with a blank line between its parts, flags in a column of 24."""

    def __init__(self, prog: str, **more: Any) -> None:
        super().__init__(prog, max_help_position=24, **more)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        return "-h, --help" if isinstance(action, HelpAction) else super()._format_action_invocation(action)


class HelpAction(argparse.Action):
    """Prints help and exits: ``--help`` the first screen, ``--help all`` and ``--help-all`` everything."""

    def __call__(
        self, parser: argparse.ArgumentParser, _namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        """Print help, and exit."""
        if values not in (None, "all", []):
            parser.error(f"--help {values}; expected --help or --help all")
        whole = values == "all" or option == "--help-all"
        print(parser.format_help(whole=whole), end="")  # type: ignore[call-arg]
        parser.exit()


def first_screen(groups: Groups, brief: Mapping[str, str], prog: str) -> tuple[Groups, str]:
    """Return the groups of the first screen, and the line that says how to see the rest.

    ``brief``: what is said there of a flag, by its destination; SUPPRESS: it is left out.
    """
    hidden = [dest for dest, text in brief.items() if text == argparse.SUPPRESS]
    if len(brief) <= _ONE_SCREEN or not hidden:
        return groups, ""
    positional, *rest = [(title, [_short(one, brief) for one in actions]) for title, actions in groups]
    merged: dict[str, list[argparse.Action]] = {}
    for title, actions in rest:
        note = title.partition(" (")[2].rstrip(")")
        merged.setdefault(note or MOST_USED, []).extend(actions)
    return [positional, *merged.items()], f"{len(hidden)} more settings: {prog} --help all"


def _short(action: argparse.Action, brief: Mapping[str, str]) -> argparse.Action:
    short = copy(action)
    short.help = brief.get(action.dest, action.help)
    return short
