"""What is read from finished work: findings about a dataset, and the page of a run."""

from __future__ import annotations

import argparse
from pathlib import Path

from frostline.pipeline.cli.commands.common import EXIT_QUARANTINED, print_result, settings_of


def health_command(args: argparse.Namespace) -> int:
    """Print what is wrong with a dataset, and return the exit code."""
    from dataclasses import asdict

    from frostline.pipeline.diagnose.health import health
    from frostline.pipeline.report.checks import findings_table

    found = health(settings_of(args))
    print_result(args, asdict(found), findings_table(found))
    return EXIT_QUARANTINED if any(found.quarantined.values()) else 0


def report_command(args: argparse.Namespace) -> int:
    """Write the page of one run or of several, print where it is, and return the exit code."""
    from frostline.pipeline.report.html import page_for

    page = page_for(args.runs, args.out)
    print_result(args, {"page": str(page)}, str(page))
    return 0


def takes_runs(command: argparse.ArgumentParser) -> None:
    """Add the runs and the page."""
    command.usage = "frostline report RUN… [--out FILE]"
    command.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folders of data/runs")
    command.add_argument(
        "--out", type=Path, help="the page (default: report.html in the run's folder, or comparison.html here)"
    )
