"""Several backbones at once: a matrix of runs, or a ranking before any."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from frostline.pipeline.cli.commands.common import EXIT_QUARANTINED, print_result, settings_of, takes_all_pairs
from frostline.pipeline.cli.commands.run import takes_dry_run
from frostline.stages.errors import ConfigError


def bench_command(args: argparse.Namespace) -> int:
    """Run a matrix, or show it, print the leaderboard, and return the exit code."""
    from importlib.resources import files

    from frostline.pipeline.bench.bench import bench
    from frostline.pipeline.bench.matrix import read_matrix
    from frostline.pipeline.bench.render import as_json, as_text
    from frostline.pipeline.bench.schedule import schedule, schedule_json, schedule_table

    if args.example:
        print(files("frostline.examples").joinpath("matrix.toml").read_text(), end="")
        return 0
    if args.matrix is None:
        raise ConfigError("expected a matrix, `frostline bench MATRIX.toml`; `frostline bench --example` prints one")
    settings = settings_of(args)
    matrix = read_matrix(args.matrix, settings.data_dir, settings.engine)
    groups = schedule(matrix, may_load=not args.dry_run)
    if args.dry_run:
        print_result(args, schedule_json(groups), schedule_table(groups))
        return 0
    print(schedule_table(groups), file=sys.stderr)
    board = bench(matrix, groups, all_pairs=args.all_pairs)
    print(as_json(board) if args.json else as_text(board))
    if board.failures:
        return board.failures[0].exit_code
    return EXIT_QUARANTINED if board.quarantined else 0


def rank_command(args: argparse.Namespace) -> int:
    """Rank backbones on a sample, print the ranking, and return the exit code."""
    from frostline.pipeline.diagnose.rank import rank, ranking_json, ranking_table

    ranking = rank(args.backbones, settings_of(args))
    print_result(args, ranking_json(ranking), ranking_table(ranking))
    return EXIT_QUARANTINED if any(one.quarantined for one in ranking.backbones) else 0


def takes_matrix(command: argparse.ArgumentParser) -> None:
    """Add the matrix and its flags."""
    command.usage = "frostline bench MATRIX.toml [--SETTING VALUE …]"
    takes_dry_run(command)
    command.add_argument("matrix", type=Path, nargs="?", metavar="MATRIX.toml", help="datasets, backbones and heads")
    command.add_argument("--example", action="store_true", help="print a matrix to start from; it works offline")
    takes_all_pairs(command)


def takes_backbones(command: argparse.ArgumentParser) -> None:
    """Add the backbones to rank."""
    command.usage = "frostline rank [BACKBONE[=WEIGHTS] …] [--SETTING VALUE …]"
    command.add_argument("backbones", nargs="*", metavar="BACKBONE[=WEIGHTS]", help="backbones (default: --backbone)")
