"""The command line: commands, what is printed where, exit codes."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from importlib.metadata import version
from io import TextIOWrapper
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from frostline.pipeline.cli.flags import Parser, add_settings, given
from frostline.pipeline.settings.models import (
    AnySettings,
    ExtractSettings,
    HeadSettings,
    PredictSettings,
    RankSettings,
    Settings,
    WorkspaceSettings,
    load_settings,
)
from frostline.stages.errors import FrostlineError, StoreError, printable

EXIT_OUTPUT, EXIT_QUARANTINED, EXIT_INTERRUPTED, EXIT_TERMINATED = 1, 5, 130, 143
_KEPT = "finished shards are kept; the same command goes on from there"


class _Terminated(BaseException):
    """SIGTERM; no Exception, so that nothing on the way takes it for a failure of its own."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    signal.signal(signal.SIGTERM, _terminate)
    sys.unraisablehook = _unraisable
    _set_up_output()
    if sys.stdout is None:  # closed: the first file opened would be written over by whoever prints to handle 1
        print("error: stdout is closed; wanted a file, a pipe or /dev/null", file=sys.stderr)
        return EXIT_OUTPUT
    try:
        args, extra = _parser().parse_known_args(arguments)
        if extra:
            args.parser.error(f"unrecognized arguments: {' '.join(extra)}")
        code = int(args.action(args))
        sys.stdout.flush()
        return code
    except FrostlineError as error:
        print("error: " + "\n".join(map(printable, str(error).split("\n"))), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"interrupted; {_KEPT}", file=sys.stderr)
        return EXIT_INTERRUPTED
    except _Terminated:
        print(f"terminated; {_KEPT}", file=sys.stderr)
        return EXIT_TERMINATED
    except OSError as error:
        return _output_failed(error)


def _set_up_output() -> None:
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 (for as long as the process lives)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file name may be no text
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr, force=True)
    logging.getLogger("frostline").setLevel(logging.INFO)


def _output_failed(error: OSError) -> int:
    """Report what the stages don't: stdout that can't be written. A reader that left is no error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        return 0
    print(f"error: {error.strerror or error}: {error.filename or 'the output'}", file=sys.stderr)
    return EXIT_OUTPUT


def _terminate(_signum: int, _frame: FrameType | None) -> NoReturn:
    raise _Terminated


def _unraisable(dropped: sys.UnraisableHookArgs) -> None:
    """Send a signal again whose exception came up in a finaliser: Python drops what is raised there."""
    sent = {KeyboardInterrupt: signal.SIGINT, _Terminated: signal.SIGTERM}.get(dropped.exc_type)
    if sent is None:
        sys.__unraisablehook__(dropped)
    else:
        main_thread = threading.main_thread().ident
        threading.Timer(0.01, signal.pthread_kill, [main_thread, sent]).start()


def commands() -> list[str]:
    """Return the names of all commands."""
    return sorted(next(a for a in _parser()._actions if isinstance(a, argparse._SubParsersAction)).choices)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="frostline",
        description="Frozen features, linear heads: run a pretrained backbone once, cache its features, fit heads.",
        epilog="`frostline COMMAND --help` lists a command's settings. Each can also stand in a TOML file (--config)\n"
        "or in the environment as FROSTLINE_<NAME>; the command line wins.\n"
        "Exit codes: 0 done; 1 the output can't be written; 2 usage; 3 input data; 4 cache; 5 done with\n"
        "quarantined samples; 130, 143 interrupted with finished shards kept.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"frostline {version('frostline')}")
    added = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, text, model, action in (
        ("run", "extract, fit and evaluate: whatever is missing of it", Settings, _run),
        ("extract", "run the backbone over the dataset and cache its features", ExtractSettings, _extract),
        ("fit", "fit heads on cached training features", HeadSettings, _fit),
        ("evaluate", "score fitted heads on cached test features", HeadSettings, _evaluate),
        ("predict", "name the classes of images of one's own, by a fitted head", PredictSettings, _predict),
        ("bench", "run a matrix of datasets, backbones, layers and heads, and rank them", WorkspaceSettings, _bench),
        ("rank", "say which backbone suits a dataset, on a sample and before any head is fitted", RankSettings, _rank),
        ("health", "say what is wrong with a dataset, from its cached features", ExtractSettings, _health),
        ("report", "write the page of a run again, or one page that compares several", AnySettings, _report),
        ("export", "write a fitted head and its backbone as one ONNX or torch.export file", PredictSettings, _export),
        ("ls", "list what is cached: rows, size, when and by what", WorkspaceSettings, _ls),
        ("verify", "read everything that is cached again and name what is damaged", WorkspaceSettings, _verify),
        ("gc", "list what can go: leftovers and superseded feature sets", WorkspaceSettings, _gc),
    ):
        command = _add(added, name, text, model, action)
        if name in _OWN:
            _OWN[name](command)
    return parser


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
    command.add_argument("matrix", type=Path, metavar="MATRIX.toml", help="what to run; examples/matrix.toml")


def _takes_backbones(command: argparse.ArgumentParser) -> None:
    command.usage = "frostline rank [BACKBONE[=WEIGHTS] …] [--SETTING VALUE …]"
    command.add_argument("backbones", nargs="*", metavar="BACKBONE[=WEIGHTS]", help="backbones (default: --backbone)")


def _takes_runs(command: argparse.ArgumentParser) -> None:
    command.usage = "frostline report RUN… [--out FILE]"
    command.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folders of data/runs")
    command.add_argument(
        "--out", type=Path, help="the page (default: report.html in the run's folder, or comparison.html here)"
    )


def _takes_file(command: argparse.ArgumentParser) -> None:
    command.usage = "frostline export HEAD FILE.onnx|FILE.pt2 [--SETTING VALUE …]"
    command.add_argument("head", type=Path, metavar="HEAD", help="a folder of data/heads")
    command.add_argument("file", type=Path, metavar="FILE", help="its ending chooses: .onnx or .pt2")


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
    "gc": _takes_leave,
}


def _add(
    added: Any, name: str, text: str, model: type[AnySettings], action: Callable[..., int]
) -> argparse.ArgumentParser:
    described = f"{text[0].upper()}{text[1:]}."
    parser: argparse.ArgumentParser = added.add_parser(
        name, help=text, description=described, usage=f"frostline {name} [--SETTING VALUE …]"
    )
    parser.set_defaults(action=action, parser=parser, model=model)
    add_settings(parser, model)
    return parser


def _settings(args: argparse.Namespace) -> Any:
    return load_settings(args.model, given(args), os.environ, args.config)


def _print(args: argparse.Namespace, document: Any, text: str) -> None:
    print(json.dumps(document, indent=2, default=str) if args.json else text)


def _run(args: argparse.Namespace) -> int:
    from frostline.pipeline.records.run import to_json
    from frostline.pipeline.report.text import table
    from frostline.pipeline.run.run import preview_run, run
    from frostline.pipeline.steps.heads import is_fitted

    settings = _settings(args)
    if args.dry_run:
        specs = {name: settings.spec(name) for name in settings.head if not settings.draw(name)}
        words = {True: "cached", False: "to fit", None: "unknown"}
        found = preview_run(settings)
        lines = ["; ".join(f"{n}: {words[is_fitted(one, spec)]}" for n, spec in specs.items()) for one in found]
        return _dry_run(args, found, lines)
    report = run(settings)
    print(to_json(report) if args.json else table(report))
    if report.unwritten:
        print(f"error: no report: {printable(report.unwritten)}", file=sys.stderr)
        return EXIT_OUTPUT
    return EXIT_QUARANTINED if report.quarantined else 0


def _dry_run(args: argparse.Namespace, previews: Sequence[Any], lines: Sequence[str]) -> int:
    from frostline.pipeline.plan.preview import preview_json, preview_table

    both = list(zip(previews, lines, strict=True))
    document = [{**preview_json(found), "plan": line} for found, line in both]
    _print(args, document, "\n".join(f"{preview_table(found)}\n{line}" for found, line in both).rstrip())
    return 0


def _extract(args: argparse.Namespace) -> int:
    from frostline.pipeline.records.run import extracted_json
    from frostline.pipeline.report.text import extracted_lines
    from frostline.pipeline.run.run import extract, preview_extract

    settings = _settings(args)
    if args.dry_run:
        return _dry_run(args, [preview_extract(settings)], [""])
    done = extract(settings)
    _print(args, [extracted_json(e) for e in done], "\n".join(extracted_lines(done)))
    return EXIT_QUARANTINED if any(e.quarantined for e in done) else 0


def _fit(args: argparse.Namespace) -> int:
    from frostline.pipeline.records.run import fitted_json
    from frostline.pipeline.report.text import fitted_lines
    from frostline.pipeline.run.run import fit

    done = fit(_settings(args))
    _print(args, [fitted_json(fitted) for fitted in done], "\n".join(line for f in done for line in fitted_lines(f)))
    return EXIT_QUARANTINED if any(fitted.quarantined for fitted in done) else 0


def _evaluate(args: argparse.Namespace) -> int:
    from frostline.pipeline.records.run import probe_json
    from frostline.pipeline.report.text import probe_lines
    from frostline.pipeline.run.run import evaluate

    probes = evaluate(_settings(args))
    _print(args, [probe_json(probe) for probe in probes], "\n".join(line for p in probes for line in probe_lines(p)))
    return EXIT_QUARANTINED if any(probe.quarantined for probe in probes) else 0


def _predict(args: argparse.Namespace) -> int:
    from frostline.pipeline.serve.predict import answers_csv, answers_json, answers_table, check_answers, classify

    settings = _settings(args)
    answers = classify(args.head, args.inputs, settings)
    text = (answers_csv if args.csv else answers_table)(answers, settings.top)
    _print(args, answers_json(answers, settings.top), text)
    check_answers(answers, settings.max_bad)
    return EXIT_QUARANTINED if any(answer.fault for answer in answers) else 0


def _bench(args: argparse.Namespace) -> int:
    from frostline.pipeline.bench.bench import bench
    from frostline.pipeline.bench.matrix import read_matrix
    from frostline.pipeline.bench.render import as_json, as_text
    from frostline.pipeline.bench.schedule import passes_json, passes_table, planned

    matrix = read_matrix(args.matrix, _settings(args).data_dir)
    passes = planned(matrix, may_load=not args.dry_run)
    if args.dry_run:
        _print(args, passes_json(passes), passes_table(passes))
        return 0
    print(passes_table(passes), file=sys.stderr)
    board = bench(matrix, passes)
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

    page = page_for(args.runs, args.out)
    _print(args, {"page": str(page)}, str(page))
    return 0


def _export(args: argparse.Namespace) -> int:
    from frostline.pipeline.serve.export import export_head

    record = export_head(args.head, args.file, _settings(args))
    height, width = record["images"][1:3]
    text = f"{args.file}: uint8 images (batch, {height}, {width}, 3) to a {record['values']} per class (batch, "
    _print(args, record, f"{text}{len(record['classes'])})")
    return 0


def _ls(args: argparse.Namespace) -> int:
    from frostline.pipeline.maintain.inventory import inventory, inventory_table

    found = inventory(_settings(args).data_dir)
    _print(args, found, inventory_table(found))
    return 0


def _verify(args: argparse.Namespace) -> int:
    from frostline.pipeline.maintain.inventory import verify

    checked, damaged = verify(_settings(args).data_dir)
    summary = f"{checked:,} files checked, {len(damaged):,} damaged"
    _print(args, {"checked": checked, "damaged": damaged}, "\n".join([*map(printable, damaged), summary]))
    return StoreError.exit_code if damaged else 0


def _gc(args: argparse.Namespace) -> int:
    from frostline.pipeline.maintain.inventory import garbage, garbage_table, remove

    found = garbage(_settings(args).data_dir, unfinished=args.unfinished)
    if args.yes:
        remove(found)
    _print(args, found, garbage_table(found, removed=args.yes))
    return 0
