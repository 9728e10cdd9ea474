"""The command line: commands, what each prints, exit codes."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from frostline.pipeline.cli.output import EXIT_OUTPUT, output_failed, set_up_output
from frostline.pipeline.cli.parser import Parser
from frostline.pipeline.cli.signals import Terminated, listen
from frostline.stages.errors import ConfigError, FrostlineError, StoreError, printable, unknown_name

EXIT_QUARANTINED, EXIT_INTERRUPTED, EXIT_TERMINATED = 5, 130, 143
_KEPT = "finished shards are kept; the same command goes on from there"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    listen()
    set_up_output()
    if sys.stdout is None:  # closed: the first file opened would be written over by whoever prints to handle 1
        print("error: stdout is closed; wanted a file, a pipe or /dev/null", file=sys.stderr)
        return EXIT_OUTPUT
    try:
        args = _parsed(sys.argv[1:] if arguments is None else arguments)
        code = int(args.action(args))
        sys.stdout.flush()
        return code
    except FrostlineError as error:
        print("error: " + "\n".join(map(printable, str(error).split("\n"))), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"interrupted; {_KEPT}", file=sys.stderr)
        return EXIT_INTERRUPTED
    except Terminated:
        print(f"terminated; {_KEPT}", file=sys.stderr)
        return EXIT_TERMINATED
    except OSError as error:
        return output_failed(error)


def commands() -> list[str]:
    """Return the names of all commands."""
    return sorted(_COMMANDS)


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """Return what a command is given; only the flags of that one are made."""
    first = arguments[0] if arguments else ""
    if first in _COMMANDS:
        return _parser_of(first).parse_args(arguments[1:])
    parser = _overview()
    if not first:
        parser.error(f"no command; wanted one of {', '.join(_COMMANDS)}")
    if not first.startswith("-"):
        parser.error(str(unknown_name("command", first, _COMMANDS)))
    if first not in parser.flags():
        parser.unknown_flag(first)
    return parser.parse_args(arguments)


def _overview() -> Parser:
    """Return the parser of what comes before a command, which lists them all."""
    parser = Parser(
        prog="frostline",
        description="Frozen features, linear heads: run a pretrained backbone once, cache its features, fit heads.",
        epilog="`frostline COMMAND --help` lists a command's settings. Each can also stand in a TOML file (--config)\n"
        "or in the environment as FROSTLINE_<NAME>; the command line wins.\n"
        "Exit codes: 0 done; 1 the output can't be written; 2 usage; 3 input data; 4 cache; 5 done with\n"
        "quarantined samples; 130, 143 interrupted with finished shards kept.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        elsewhere=_flags_by_command,
    )
    parser.add_argument(
        "--version", action="store_const", const=_version, dest="action", help="show program's version number and exit"
    )
    added = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name, command in _COMMANDS.items():
        added.add_parser(name, help=command.text)
    return parser


def _version(_args: argparse.Namespace) -> int:
    from importlib.metadata import version

    print(f"frostline {version('frostline')}")
    return 0


def _parser_of(name: str) -> Parser:
    """Return the parser of one command."""
    from frostline.pipeline.cli.flags import add_settings
    from frostline.pipeline.settings import models

    command = _COMMANDS[name]
    described = f"{command.text[0].upper()}{command.text[1:]}."
    usage = f"frostline {name} [--SETTING VALUE …]"
    parser = Parser(prog=f"frostline {name}", description=described, usage=usage, elsewhere=_flags_by_command)
    model = getattr(models, command.settings)
    parser.set_defaults(action=command.action, model=model)
    add_settings(parser, model)
    if name in _OWN:
        _OWN[name](parser)
    return parser


def _flags_by_command() -> dict[str, list[str]]:
    """Return all flags, each with the commands that have it."""
    found: dict[str, list[str]] = {}
    for name in _COMMANDS:
        for flag in _parser_of(name).flags():
            found.setdefault(flag, []).append(name)
    return found


def _takes_dry_run(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--dry-run", action="store_true", help="print what is cached and what is missing; no network is loaded"
    )


def _takes_images(command: argparse.ArgumentParser) -> None:
    command.usage = "frostline predict HEAD IMAGE|FOLDER|CSV… [--SETTING VALUE …]"
    command.add_argument("head", type=Path, metavar="HEAD", help="a folder of data/heads")
    command.add_argument(
        "inputs", type=Path, nargs="+", metavar="IMAGE|FOLDER|CSV", help="images; a CSV has a column path"
    )
    command.add_argument("--csv", action="store_true", help="print CSV on stdout, unless --json")


def _takes_matrix(command: argparse.ArgumentParser) -> None:
    command.usage = "frostline bench MATRIX.toml [--SETTING VALUE …]"
    _takes_dry_run(command)
    command.add_argument("matrix", type=Path, nargs="?", metavar="MATRIX.toml", help="what to run")
    command.add_argument("--example", action="store_true", help="print a matrix to start from, which works offline")
    _takes_all_pairs(command)


def _takes_backbones(command: argparse.ArgumentParser) -> None:
    command.usage = "frostline rank [BACKBONE[=WEIGHTS] …] [--SETTING VALUE …]"
    command.add_argument("backbones", nargs="*", metavar="BACKBONE[=WEIGHTS]", help="backbones (default: --backbone)")


def _takes_runs(command: argparse.ArgumentParser) -> None:
    command.usage = "frostline report RUN… [--out FILE]"
    command.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folders of data/runs")
    command.add_argument(
        "--out", type=Path, help="the page (default: report.html in the run's folder, or comparison.html here)"
    )
    _takes_all_pairs(command)


def _takes_all_pairs(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--all-pairs", action="store_true", help="compare every two heads, not only the first with each other one"
    )


def _takes_pattern(command: argparse.ArgumentParser) -> None:
    command.usage = "frostline encoders [PATTERN] [--json]"
    command.add_argument("pattern", nargs="?", default="", metavar="PATTERN", help="dinov2, timm:, timm:vit_*")


def _takes_file(command: argparse.ArgumentParser) -> None:
    command.usage = "frostline export HEAD FILE.onnx|FILE.pt2 [--SETTING VALUE …]"
    command.add_argument("head", type=Path, metavar="HEAD", help="a folder of data/heads")
    command.add_argument("file", type=Path, metavar="FILE", help="its ending chooses: .onnx or .pt2")


def _takes_set(command: argparse.ArgumentParser) -> None:
    command.usage = "frostline export-features SET FILE.h5|FILE.npz|FILE.parquet"
    command.add_argument("set", type=Path, metavar="SET", help="a folder of data/features")
    command.add_argument("file", type=Path, metavar="FILE", help="its ending chooses: .h5, .npz or .parquet")


def _takes_leave(command: argparse.ArgumentParser) -> None:
    command.add_argument("--unfinished", action="store_true", help="feature sets never finished, too")
    command.add_argument("--yes", action="store_true", help="remove what is listed")


_OWN: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    "run": _takes_dry_run,
    "extract": _takes_dry_run,
    "predict": _takes_images,
    "bench": _takes_matrix,
    "rank": _takes_backbones,
    "report": _takes_runs,
    "export": _takes_file,
    "encoders": _takes_pattern,
    "export-features": _takes_set,
    "gc": _takes_leave,
}


def _settings(args: argparse.Namespace) -> Any:
    from frostline.pipeline.cli.flags import given
    from frostline.pipeline.settings.models import load_settings

    return load_settings(args.model, given(args), os.environ, args.config)


def _print(args: argparse.Namespace, document: Any, text: str) -> None:
    print(json.dumps(document, indent=2, default=str) if args.json else text)


def _run(args: argparse.Namespace) -> int:
    from frostline.pipeline.report.each import reports_json, reports_table
    from frostline.pipeline.run.each import each_of, run_each

    settings = _settings(args)
    if args.dry_run:
        return _preview_run(args, each_of(settings))
    reports = run_each(settings)
    print(reports_json(reports) if args.json else reports_table(reports))
    for report in reports:
        if report.unwritten:
            print(f"error: no report: {printable(report.unwritten)}", file=sys.stderr)
            return EXIT_OUTPUT
    return EXIT_QUARANTINED if any(report.quarantined for report in reports) else 0


def _preview_run(args: argparse.Namespace, each: Sequence[Any]) -> int:
    from frostline.pipeline.run.each import naming
    from frostline.pipeline.run.run import preview_run
    from frostline.pipeline.steps.heads import is_fitted

    words = {True: "cached", False: "to fit", None: "unknown"}
    found, lines = [], []
    for one, named in zip(each, naming(each), strict=True):
        settings, previews = preview_run(one)
        specs = {name: settings.spec(name) for name in settings.head if not settings.draw(name)}
        name = f"{', '.join(named.values())}: " if named else ""
        for preview in previews:
            found.append(preview)
            lines.append(name + "; ".join(f"{n}: {words[is_fitted(preview, spec)]}" for n, spec in specs.items()))
    return _dry_run(args, found, lines)


def _dry_run(args: argparse.Namespace, previews: Sequence[Any], lines: Sequence[str]) -> int:
    from frostline.pipeline.report.preview import preview_json, preview_table

    both = list(zip(previews, lines, strict=True))
    document = [{**preview_json(found), "plan": line} for found, line in both]
    _print(args, document, "\n".join(f"{preview_table(found)}\n{line}" for found, line in both).rstrip())
    return 0


def _extract(args: argparse.Namespace) -> int:
    from frostline.pipeline.plan.inputs import open_inputs
    from frostline.pipeline.records.run import Extracted, extracted_json
    from frostline.pipeline.report.text import extracted_lines
    from frostline.pipeline.run.each import each_of, share_pass
    from frostline.pipeline.run.run import extract, preview_extract

    each = each_of(_settings(args))
    if args.dry_run:
        return _dry_run(args, [preview_extract(one) for one in each], [""] * len(each))
    if len(each) > 1:
        share_pass(list(map(open_inputs, each)))
    found: dict[Path, Extracted] = {}
    for e in (e for one in each for e in extract(one)):
        found.setdefault(e.folder, e)
    done = tuple(found.values())
    _print(args, [extracted_json(e) for e in done], "\n".join(extracted_lines(done)))
    return EXIT_QUARANTINED if any(e.quarantined for e in done) else 0


def _fit(args: argparse.Namespace) -> int:
    from frostline.pipeline.records.run import fitted_json
    from frostline.pipeline.report.text import fitted_lines
    from frostline.pipeline.run.each import for_each
    from frostline.pipeline.run.run import fit

    done = for_each(_settings(args), fit)
    lines = [line for target, fitted in done for line in (*target.values(), *fitted_lines(fitted))]
    _print(args, [{**target, **fitted_json(fitted)} for target, fitted in done], "\n".join(lines))
    return EXIT_QUARANTINED if any(fitted.quarantined for _, fitted in done) else 0


def _evaluate(args: argparse.Namespace) -> int:
    from frostline.pipeline.records.run import probe_json
    from frostline.pipeline.report.text import probe_lines
    from frostline.pipeline.run.each import for_each
    from frostline.pipeline.run.run import evaluate

    done = for_each(_settings(args), evaluate)
    lines = [line for target, probe in done for line in (*target.values(), *probe_lines(probe))]
    _print(args, [{**target, **probe_json(probe)} for target, probe in done], "\n".join(lines))
    return EXIT_QUARANTINED if any(probe.quarantined for _, probe in done) else 0


def _predict(args: argparse.Namespace) -> int:
    from frostline.pipeline.serve.forms import predictions_as_csv, predictions_as_json, predictions_table
    from frostline.pipeline.serve.predict import check_predictions, predict

    settings = _settings(args)
    answers = predict(args.head, args.inputs, settings)
    text = (predictions_as_csv if args.csv else predictions_table)(answers, settings.top)
    _print(args, predictions_as_json(answers, settings.top), text)
    check_predictions(answers, settings.max_bad)
    return EXIT_QUARANTINED if any(answer.problem for answer in answers) else 0


def _bench(args: argparse.Namespace) -> int:
    from importlib.resources import files

    from frostline.pipeline.bench.bench import bench
    from frostline.pipeline.bench.matrix import read_matrix
    from frostline.pipeline.bench.render import as_json, as_text
    from frostline.pipeline.bench.schedule import schedule, schedule_json, schedule_table

    if args.example:
        print(files("frostline.examples").joinpath("matrix.toml").read_text(), end="")
        return 0
    if args.matrix is None:
        raise ConfigError("no matrix; wanted `frostline bench MATRIX.toml`, and `frostline bench --example` prints one")
    matrix = read_matrix(args.matrix, _settings(args).data_dir)
    groups = schedule(matrix, may_load=not args.dry_run)
    if args.dry_run:
        _print(args, schedule_json(groups), schedule_table(groups))
        return 0
    print(schedule_table(groups), file=sys.stderr)
    board = bench(matrix, groups, all_pairs=args.all_pairs)
    print(as_json(board) if args.json else as_text(board))
    if board.failures:
        return board.failures[0].exit_code
    return EXIT_QUARANTINED if board.quarantined else 0


def _rank(args: argparse.Namespace) -> int:
    from frostline.pipeline.diagnose.rank import rank, ranking_json, ranking_table

    ranking = rank(args.backbones, _settings(args))
    _print(args, ranking_json(ranking), ranking_table(ranking))
    return EXIT_QUARANTINED if any(one.quarantined for one in ranking.backbones) else 0


def _health(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from frostline.pipeline.diagnose.health import health
    from frostline.pipeline.report.checks import findings_table

    found = health(_settings(args))
    _print(args, asdict(found), findings_table(found))
    return EXIT_QUARANTINED if any(found.quarantined.values()) else 0


def _report(args: argparse.Namespace) -> int:
    from frostline.pipeline.report.html import page_for

    page = page_for(args.runs, args.out, all_pairs=args.all_pairs)
    _print(args, {"page": str(page)}, str(page))
    return 0


def _export(args: argparse.Namespace) -> int:
    from frostline.pipeline.serve.export import export_head

    record = export_head(args.head, args.file, _settings(args))
    height, width = record["images"][1:3]
    names = record.get("outputs") or record["classes"]
    each = {"regression": "output", "multi-label": "label"}.get(record.get("target", ""), "class")
    text = f"{args.file}: uint8 images (batch, {height}, {width}, 3) to a {record['values']} per {each} (batch, "
    _print(args, record, f"{text}{len(names)})")
    return 0


def _export_features(args: argparse.Namespace) -> int:
    from frostline.pipeline.serve.export_features import export_features

    record = export_features(args.set, args.file)
    what = f"{record['dataset']} {record['split']}, {record['rows']:,} × {record['width']:,}"
    left = f", {len(record['quarantined']):,} quarantined left out" if record["quarantined"] else ""
    _print(args, record, f"{args.file}: {printable(what)} with ids and labels{left}")
    return EXIT_QUARANTINED if record["quarantined"] else 0


def _ls(args: argparse.Namespace) -> int:
    from frostline.pipeline.maintain.inventory import inventory, inventory_json, inventory_table

    found = inventory(_settings(args).data_dir)
    _print(args, inventory_json(found), inventory_table(found))
    return 0


def _encoders(args: argparse.Namespace) -> int:
    from frostline.pipeline.maintain.encoders import encoders_json, encoders_table, list_encoders

    found = list_encoders(args.pattern)
    _print(args, encoders_json(found), encoders_table(found))
    return 0


def _verify(args: argparse.Namespace) -> int:
    from frostline.pipeline.maintain.inventory import verify

    checked, damaged = verify(_settings(args).data_dir)
    summary = f"{checked:,} files checked, {len(damaged):,} damaged"
    _print(args, {"checked": checked, "damaged": damaged}, "\n".join([*map(printable, damaged), summary]))
    return StoreError.exit_code if damaged else 0


def _migrate(args: argparse.Namespace) -> int:
    from frostline.pipeline.maintain.migrate import migrate_all, migrated_json, migrated_text

    found = migrate_all(_settings(args).data_dir)
    _print(args, migrated_json(found), migrated_text(found))
    return StoreError.exit_code if any(one.damaged for one in found) else 0


def _gc(args: argparse.Namespace) -> int:
    from frostline.pipeline.maintain.inventory import garbage, garbage_json, garbage_table, remove

    found = garbage(_settings(args).data_dir, unfinished=args.unfinished)
    if args.yes:
        remove(found)
    _print(args, garbage_json(found), garbage_table(found, removed=args.yes))
    return 0


class _Command(NamedTuple):
    """A command: what it does, the name of the model of its settings, and what runs it."""

    text: str
    settings: str
    action: Callable[[argparse.Namespace], int]


_COMMANDS = {
    "run": _Command("extract, fit and evaluate: whatever is missing of it", "Settings", _run),
    "extract": _Command("run the backbone over the dataset and cache its features", "ExtractSettings", _extract),
    "fit": _Command("fit heads on cached training features", "HeadSettings", _fit),
    "evaluate": _Command("score fitted heads on cached test features", "HeadSettings", _evaluate),
    "predict": _Command("name the classes of images of one's own, by a fitted head", "PredictSettings", _predict),
    "bench": _Command(
        "run a matrix of datasets, backbones, layers and heads, and rank them", "WorkspaceSettings", _bench
    ),
    "rank": _Command(
        "say which backbone suits a dataset, on a sample and before any head is fitted", "RankSettings", _rank
    ),
    "health": _Command("say what is wrong with a dataset, from its cached features", "ExtractSettings", _health),
    "report": _Command("write the page of a run again, or one page that compares several", "AnySettings", _report),
    "export": _Command(
        "write a fitted head and its backbone as one ONNX or torch.export file", "PredictSettings", _export
    ),
    "encoders": _Command(
        "list the encoders that can be named, with width, size, licence, and whether the weights are here",
        "AnySettings",
        _encoders,
    ),
    "export-features": _Command(
        "write a feature set as one HDF5, NumPy or Parquet file, with ids and labels", "AnySettings", _export_features
    ),
    "ls": _Command("list what is cached: rows, size, when and by what", "WorkspaceSettings", _ls),
    "verify": _Command("read everything that is cached again and name what is damaged", "WorkspaceSettings", _verify),
    "migrate": _Command(
        "write feature sets of an older version in the present format; nothing is computed",
        "WorkspaceSettings",
        _migrate,
    ),
    "gc": _Command("list what can go: leftovers and superseded feature sets", "WorkspaceSettings", _gc),
}
