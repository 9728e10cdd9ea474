"""The parsers of the command line: one of each command, and one of what comes before a command."""

from __future__ import annotations

import argparse
from typing import Any

from frostline.pipeline.cli.commands.examples import CACHED, EXAMPLES
from frostline.pipeline.cli.commands.table import COMMANDS, TAKES
from frostline.pipeline.cli.parser import Parser


def overview() -> Parser:
    """Return the parser of what comes before a command, which lists them all."""
    parser = Parser(
        prog="frostline",
        usage="frostline [-h] [--version] COMMAND …",
        description="Frozen features, linear heads: run a pretrained backbone once, cache its features, fit heads.",
        epilog="`frostline COMMAND --help` lists a command's settings. Each can also stand in a TOML file (--config)\n"
        "or in the environment as FROSTLINE_<NAME>; the command line wins.\n"
        "Exit codes: 0 done; 1 the output can't be written; 2 usage; 3 input data; 4 cache; 5 done with\n"
        "quarantined samples; 130, 143 interrupted with finished shards kept.",
        elsewhere=_flags_by_command,
    )
    parser.add_argument(
        "--version", action="store_const", const=_version, dest="action", help="show program's version number and exit"
    )
    added = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name, command in COMMANDS.items():
        added.add_parser(name, help=command.text)
    return parser


def _version(_args: argparse.Namespace) -> int:
    from importlib.metadata import version

    print(f"frostline {version('frostline')}")
    return 0


def parser_of(name: str) -> Parser:
    """Return the parser of one command."""
    return _filled(Parser(**_made_with(name)), name)


def whole() -> Parser:
    """Return one parser of all commands with all that each takes: what shell completion is made of."""
    parser = Parser(prog="frostline")
    added = parser.add_subparsers(metavar="COMMAND")
    for name, command in COMMANDS.items():
        _filled(added.add_parser(name, help=command.text, **_made_with(name)), name)
    return parser


def _made_with(name: str) -> dict[str, Any]:
    text = COMMANDS[name].text
    return {
        "prog": f"frostline {name}",
        "description": f"{text[0].upper()}{text[1:]}.",
        "usage": f"frostline {name} [--SETTING VALUE …]",
        "examples": EXAMPLES.get(name, ()),
        "elsewhere": _flags_by_command,
    }


def _filled(parser: Parser, name: str) -> Parser:
    from frostline.pipeline import settings
    from frostline.pipeline.cli.flags import add_settings

    command = COMMANDS[name]
    model = getattr(settings, command.settings)
    parser.set_defaults(action=command.action, model=model, whole=whole)
    add_settings(parser, model, cached=name in CACHED)
    if name in TAKES:
        TAKES[name](parser)
    return parser


def _flags_by_command() -> dict[str, list[str]]:
    """Return all flags, each with the commands that have it."""
    found: dict[str, list[str]] = {}
    for name in COMMANDS:
        for flag in parser_of(name).flags():
            found.setdefault(flag, []).append(name)
    return found
