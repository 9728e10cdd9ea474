"""What is read from finished work: findings about a dataset, and the page of a run."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from frostline.pipeline.cli.commands.common import EXIT_QUARANTINED, print_result, settings_of, takes_all_pairs
from frostline.stages.errors import counted

if TYPE_CHECKING:
    from frostline.pipeline.records.findings import Findings

log = logging.getLogger("frostline")


def health_command(args: argparse.Namespace) -> int:
    """Print what is wrong with a dataset, and return the exit code."""
    from dataclasses import asdict

    from frostline.pipeline.diagnose.health import health
    from frostline.pipeline.report.checks import findings_table

    found = health(settings_of(args))
    print_result(args, asdict(found), findings_table(found))
    if args.write_groups:
        log.info("%s", _written_groups(found, args.write_groups))
    return EXIT_QUARANTINED if any(found.quarantined.values()) else 0


def _written_groups(found: Findings, file: Path) -> str:
    from frostline.pipeline.diagnose.near_groups import write_groups

    count = write_groups(found, file)
    if not count:
        return f"no copies and no near duplicates; {file} names no sample"
    return (
        f"{counted(count, 'group')} of copies and near duplicates in {file}; --group-file {file} keeps each on one side"
    )


def takes_groups(command: argparse.ArgumentParser) -> None:
    """Add the file of groups."""
    command.add_argument(
        "--write-groups",
        type=Path,
        metavar="FILE",
        help="write copies and near duplicates as groups, a table for --group-file",
    )


def report_command(args: argparse.Namespace) -> int:
    """Write the page of one run or of several, print where it is, and return the exit code."""
    from frostline.pipeline.report.html import page_for

    page = page_for(args.runs, args.out, all_pairs=args.all_pairs)
    print_result(args, {"page": str(page)}, str(page))
    return 0


def takes_runs(command: argparse.ArgumentParser) -> None:
    """Add the runs and the page."""
    command.usage = "frostline report RUN… [--out FILE]"
    command.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folders of data/runs")
    command.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="the page (default: the run's report.html, or comparison.html here)",
    )
    takes_all_pairs(command)
