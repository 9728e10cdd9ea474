"""The command line: arguments, what is printed where, exit codes."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib.metadata import version
from io import TextIOWrapper
from pathlib import Path
from types import FrameType
from typing import Any, Literal, NoReturn, get_args, get_origin

from pydantic import BaseModel

from pipeline.config import DatasetSettings, ExtractSettings, HeadSettings, Settings, load_settings
from stages.errors import FrostlineError

EXIT_USAGE, EXIT_QUARANTINED, EXIT_INTERRUPTED, EXIT_TERMINATED = 2, 5, 130, 143


class _Parser(argparse.ArgumentParser):
    """argparse with hints: an unknown flag is answered with the nearest known one."""

    def error(self, message: str) -> NoReturn:
        unknown = message.removeprefix("unrecognized arguments: ").split()[0].split("=")[0]
        if unknown.startswith("--"):
            known = [flag for action in self._actions for flag in action.option_strings]
            near = get_close_matches(unknown, known, 1, 0.5)
            message = f"unknown flag {unknown}" + (f"; did you mean {near[0]}?" if near else "")
        print(f"error: {message}\n       {self.prog} --help lists what there is", file=sys.stderr)
        raise SystemExit(EXIT_USAGE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    signal.signal(signal.SIGTERM, _terminate)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file name may be no text
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr, force=True)
    logging.getLogger().setLevel(logging.WARNING)
    logging.getLogger("frostline").setLevel(logging.INFO)
    try:
        args, extra = _parser().parse_known_args(arguments)
        if extra:
            args.parser.error(f"unrecognized arguments: {' '.join(extra)}")
        return int(args.action(args))
    except FrostlineError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted; finished shards are kept, the same command goes on from there", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _terminate(_signum: int, _frame: FrameType | None) -> NoReturn:
    print("terminated; finished shards are kept, the same command goes on from there", file=sys.stderr)
    raise SystemExit(EXIT_TERMINATED)


def commands() -> list[str]:
    """Return the names of all commands."""
    return sorted(next(a for a in _parser()._actions if isinstance(a, argparse._SubParsersAction)).choices)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="frostline",
        description="Frozen features, linear heads: run a pretrained backbone once, cache its features, fit heads.",
        epilog="`frostline COMMAND --help` lists a command's settings. Each can also stand in a TOML file (--config) "
        "or in the environment as FROSTLINE_<NAME>; the command line wins. Exit codes: 0 done; 2 usage; 3 input "
        "data; 4 cache; 5 done with quarantined samples; 130, 143 interrupted with finished shards kept.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"frostline {version('frostline')}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add(commands, "run", "extract, fit and evaluate: whatever is missing of it", Settings, _run)
    _add(commands, "extract", "run the backbone over the dataset and cache its features", ExtractSettings, _extract)
    _add(commands, "fit", "fit a head on cached training features", HeadSettings, _fit)
    _add(commands, "evaluate", "score a fitted head on cached test features", HeadSettings, _evaluate)
    _add_store_commands(commands)
    return parser


def _add(commands: Any, name: str, text: str, model: type[DatasetSettings], action: Callable[..., int]) -> None:
    described = f"{text[0].upper()}{text[1:]}."
    parser = commands.add_parser(name, help=text, description=described, usage=f"frostline {name} [--SETTING VALUE …]")
    parser.set_defaults(action=action, parser=parser, model=model)
    parser.add_argument("--config", type=Path, metavar="FILE", help="a TOML file of settings")
    parser.add_argument("--json", action="store_true", help="print one JSON document on stdout")
    if name != "evaluate":
        parser.add_argument(
            "--dry-run", action="store_true", help="print what is cached and what is missing; do nothing"
        )
    for group in reversed([m for m in model.__mro__ if issubclass(m, BaseModel) and m is not BaseModel]):
        section = parser.add_argument_group(str(group.__doc__))
        for field in vars(group).get("__annotations__", {}):
            _add_setting(section, group, field)


def _add_setting(section: Any, model: type[BaseModel], name: str) -> None:
    field = model.model_fields.get(name)
    if field is None:
        return
    default = field.default
    if isinstance(default, tuple):
        default = ",".join(map(str, default)) if len(default) < 4 else None
    choices = _choices(field.annotation)
    shown = str(field.description) + (f": {', '.join(choices)}" if choices else "")
    shown += f" (default: {default})" if default is not None else ""
    section.add_argument(
        f"--{name.replace('_', '-')}",
        dest=f"setting_{name}",
        metavar="VALUE",
        default=argparse.SUPPRESS,
        help=shown.replace("%", "%%"),
    )


def _choices(annotation: Any) -> list[str]:
    """Return the words that a setting's type allows, if it allows nothing else."""
    words = [a for a in get_args(annotation) if a is not type(None)]
    if words and all(isinstance(word, str) for word in words):
        return words
    return _choices(words[0]) if len(words) == 1 and get_origin(words[0]) is Literal else []


def _add_store_commands(commands: Any) -> None:
    for name, text, action in (
        ("ls", "list what is cached: rows, size, when and by what", _ls),
        ("verify", "read everything that is cached again and name what is damaged", _verify),
        ("gc", "list what can go: leftovers, unfinished and superseded feature sets", _gc),
    ):
        parser = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        parser.set_defaults(action=action, parser=parser)
        parser.add_argument("--data-dir", type=Path, default=Path(os.environ.get("FROSTLINE_DATA_DIR", "data")))
        parser.add_argument("--json", action="store_true", help="print one JSON document on stdout")
        if name == "gc":
            parser.add_argument("--yes", action="store_true", help="remove them")


def _settings(args: argparse.Namespace) -> Any:
    given = {n.removeprefix("setting_"): v for n, v in vars(args).items() if n.startswith("setting_")}
    return load_settings(args.model, given, os.environ, args.config)


def _print(args: argparse.Namespace, document: Any, text: str) -> None:
    print(json.dumps(document, indent=2, default=str) if args.json else text)


def _run(args: argparse.Namespace) -> int:
    from pipeline.report import table, to_json
    from pipeline.run import run

    settings = _settings(args)
    if args.dry_run:
        return _dry_run(args, settings)
    report = run(settings)
    print(to_json(report) if args.json else table(report))
    return EXIT_QUARANTINED if report.quarantined else 0


def _dry_run(args: argparse.Namespace, settings: Any) -> int:
    from pipeline.plan import Plan, plan_json, plan_table

    plan = Plan(settings)
    _print(args, plan_json(plan), plan_table(plan))
    return 0


def _extract(args: argparse.Namespace) -> int:
    from pipeline.report import extracted_json, extracted_lines
    from pipeline.run import extract

    settings = _settings(args)
    if args.dry_run:
        return _dry_run(args, settings)
    done = extract(settings)
    _print(args, [extracted_json(e) for e in done], "\n".join(extracted_lines(done)))
    return EXIT_QUARANTINED if any(e.quarantined for e in done) else 0


def _fit(args: argparse.Namespace) -> int:
    from pipeline.report import fitted_json, fitted_lines
    from pipeline.run import fit

    settings = _settings(args)
    if args.dry_run:
        return _dry_run(args, settings)
    fitted = fit(settings)
    _print(args, fitted_json(fitted), "\n".join(fitted_lines(fitted)))
    return 0


def _evaluate(args: argparse.Namespace) -> int:
    from pipeline.report import probe_json, score_lines
    from pipeline.run import evaluate

    probe = evaluate(_settings(args))
    _print(args, probe_json(probe), "\n".join(score_lines((probe,))))
    return 0


def _ls(args: argparse.Namespace) -> int:
    from pipeline.inventory import inventory, inventory_table

    found = inventory(args.data_dir)
    _print(args, found, inventory_table(found))
    return 0


def _verify(args: argparse.Namespace) -> int:
    from pipeline.inventory import verify
    from stages.errors import StoreError

    checked, damaged = verify(args.data_dir)
    summary = f"{checked:,} files checked, {len(damaged):,} damaged"
    _print(args, {"checked": checked, "damaged": damaged}, "\n".join([*damaged, summary]))
    return StoreError.exit_code if damaged else 0


def _gc(args: argparse.Namespace) -> int:
    from pipeline.inventory import garbage, garbage_table, remove

    found = garbage(args.data_dir)
    if args.yes:
        remove(found)
    _print(args, found, garbage_table(found, removed=args.yes))
    return 0
