"""Every command with all that can be given to it, for help in other forms: documentation, shell completion."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import NamedTuple

from frostline.pipeline.cli.commands.table import COMMANDS
from frostline.pipeline.cli.flags import setting_name
from frostline.pipeline.cli.parsers import parser_of
from frostline.pipeline.settings.describe import Setting, settings_in


class Flag(NamedTuple):
    """What a command takes; ``flag`` is empty for what is given by its position, ``metavar`` for what has no value."""

    command: str
    group: str
    flag: str
    metavar: str
    default: str
    description: str


def reference() -> Iterator[Flag]:
    """Yield everything that each command takes, in the order of ``frostline COMMAND --help all``.

    >>> next(one for one in reference() if one.flag == "--test-fraction").default
    '0.2'
    """
    for command in COMMANDS:
        parser = parser_of(command)
        known = {setting.name: setting for setting in settings_in(parser.get_default("model"))}
        for group, actions in parser.groups():
            for action in actions:
                if action.help != argparse.SUPPRESS:
                    yield _flag(command, group, action, known.get(setting_name(action.dest)))


def _flag(command: str, group: str, action: argparse.Action, setting: Setting | None) -> Flag:
    if setting:
        return Flag(command, group, setting.flag, setting.metavar, setting.default, setting.description)
    flag = action.option_strings[-1] if action.option_strings else ""
    takes = "" if action.nargs == 0 or flag == "--help" else str(action.metavar or action.dest.upper())
    return Flag(command, group, flag, takes, "", str(action.help))
