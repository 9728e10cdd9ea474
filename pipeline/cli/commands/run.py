"""The steps of a run: extract, fit, evaluate, or all of them."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

from frostline.pipeline.cli.commands.common import EXIT_QUARANTINED, print_result, settings_of
from frostline.pipeline.cli.output import EXIT_OUTPUT, terminal
from frostline.stages.errors import ConfigError, printable


def run_command(args: argparse.Namespace) -> int:
    """Extract, fit and evaluate what is missing, print the report, and return the exit code."""
    from frostline.pipeline.report.each import reports_json, reports_table
    from frostline.pipeline.run.each import each_of, run_each

    settings = settings_of(args)
    if args.dry_run:
        return _preview_run(args, each_of(settings))
    reports = run_each(settings)
    print(reports_json(reports) if args.json else reports_table(reports, terminal()))
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
        heads = [name for name in settings.head if not settings.draw(name)]
        name = f"{', '.join(named.values())}: " if named else ""
        for preview in previews:
            found.append(preview)
            own = settings.beside(preview.inputs.settings.backbone)
            lines.append(name + "; ".join(f"{n}: {words[is_fitted(preview, own.spec(n))]}" for n in heads))
    return _dry_run(args, found, lines)


def _dry_run(args: argparse.Namespace, previews: Sequence[Any], lines: Sequence[str]) -> int:
    from frostline.pipeline.report.preview import preview_json, preview_table

    both = list(zip(previews, lines, strict=True))
    document = [{**preview_json(found), "plan": line} for found, line in both]
    print_result(args, document, "\n".join(f"{preview_table(found)}\n{line}" for found, line in both).rstrip())
    return 0


def extract_command(args: argparse.Namespace) -> int:
    """Cache the features of the dataset, print what there is, and return the exit code."""
    from frostline.pipeline.run.each import each_of
    from frostline.pipeline.run.run import preview_extract

    settings = settings_of(args)
    if args.dry_run:
        each = each_of(settings)
        return _dry_run(args, [preview_extract(one) for one in each], [""] * len(each))
    return _extract(args, settings)


def worker_command(args: argparse.Namespace) -> int:
    """Do the part of one of several tasks in an extraction, print what there is, and return the exit code."""
    args.config = args.job or args.config
    _check_job(args)
    settings = settings_of(args)
    if settings.engine not in ("auto", "array"):
        raise ConfigError(f"--engine {settings.engine} with `frostline worker`; the tasks are the engine, give none")
    return _extract(args, settings.model_copy(update={"engine": f"array:{args.part}" if args.part else "array"}))


def _check_job(args: argparse.Namespace) -> None:
    """Raise ConfigError where nothing says what to extract."""
    from frostline.pipeline.cli.flags import given

    if not args.config and not {"dataset", "FROSTLINE_DATASET"} & {*given(args), *os.environ}:
        raise ConfigError(
            "no job; expected JOB.toml or settings such as --dataset and --backbone, and the task as --part I/N unless "
            "SLURM, Kubernetes or GNU parallel gives it"
        )


def _extract(args: argparse.Namespace, settings: Any) -> int:
    from frostline.pipeline.plan.inputs import open_inputs
    from frostline.pipeline.records.run import Extracted, extracted_json
    from frostline.pipeline.report.text import extracted_lines
    from frostline.pipeline.run.each import each_of, share_pass
    from frostline.pipeline.run.run import extract

    each = each_of(settings)
    if len(each) > 1:
        share_pass(list(map(open_inputs, each)))
    found: dict[Path, Extracted] = {}
    for e in (e for one in each for e in extract(one)):
        found.setdefault(e.folder, e)
    done = tuple(found.values())
    print_result(args, [extracted_json(e) for e in done], "\n".join(extracted_lines(done)))
    return EXIT_QUARANTINED if any(e.quarantined for e in done) else 0


def fit_command(args: argparse.Namespace) -> int:
    """Fit the heads, print them, and return the exit code."""
    from frostline.pipeline.records.run import fitted_json
    from frostline.pipeline.report.text import fitted_lines
    from frostline.pipeline.run.each import for_each
    from frostline.pipeline.run.run import fit

    settings = settings_of(args)
    done = for_each(settings, fit)
    named = zip(done, cycle(settings.head or ("",)), strict=False)  # every target has all heads
    lines = [line for (target, fitted), name in named for line in (*target.values(), *fitted_lines(fitted, name))]
    print_result(args, [{**target, **fitted_json(fitted)} for target, fitted in done], "\n".join(lines))
    return EXIT_QUARANTINED if any(fitted.quarantined for _, fitted in done) else 0


def evaluate_command(args: argparse.Namespace) -> int:
    """Score the fitted heads, print the scores, and return the exit code."""
    from frostline.pipeline.records.run import probe_json
    from frostline.pipeline.report.text import probe_lines
    from frostline.pipeline.run.each import for_each
    from frostline.pipeline.run.run import evaluate

    done = for_each(settings_of(args), evaluate)
    lines = [line for target, probe in done for line in (*target.values(), *probe_lines(probe))]
    print_result(args, [{**target, **probe_json(probe)} for target, probe in done], "\n".join(lines))
    return EXIT_QUARANTINED if any(probe.quarantined for _, probe in done) else 0


def takes_dry_run(command: argparse.ArgumentParser) -> None:
    """Add the flag of a dry run."""
    command.add_argument(
        "--dry-run", action="store_true", help="print which steps are cached and which are missing, and exit"
    )


def takes_job(command: argparse.ArgumentParser) -> None:
    """Add the job of a worker, and which task it is."""
    command.usage = "frostline worker [JOB.toml] [--part I/N] [--SETTING VALUE …]"
    command.add_argument(
        "job", type=Path, nargs="?", metavar="JOB.toml", help="settings of extract; the same as --config"
    )
    command.add_argument(
        "--part",
        metavar="I/N",
        help="task index (from 0) / number of tasks; by default from SLURM, Kubernetes or GNU parallel",
    )
