"""What the intervals of ``frostline rank`` cost beside its scores, on made-up features.

    python -m benchmarks.selection.rank_cost [--rows 2000] [--widths 512 768 2048] [--backbones 5]

For each width the seconds that the scores of the backbones take, and their intervals: ten times the scores of nine
tenths of the rows. Both spend most of it on the eigenvalues of the features' products, one set for LogME and one for
the rest, which no other tenth shares. Two minutes on one core; extraction is not counted.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from frostline.stages.diagnostics.transferability import transferability_of
from frostline.stages.diagnostics.transferability_intervals import transferability_intervals
from frostline.stages.targets.values import Targets

_CLASSES = 10


def seconds(rows: int, width: int, seed: int) -> tuple[float, float]:
    """Return how long the scores of one backbone take, and their intervals."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, _CLASSES, rows)
    mixed = rng.normal(size=(rows, width)) @ (rng.normal(size=(width, width)) / width**0.5)
    X = (0.3 * rng.normal(size=(_CLASSES, width))[y] + mixed).astype(np.float32)
    targets, digests = Targets(tuple(map(str, range(_CLASSES))), y), rng.integers(0, 256, (rows, 32), np.uint8)
    times = [time.perf_counter()]
    scores = transferability_of(X, targets)
    times.append(time.perf_counter())
    transferability_intervals(X, targets, digests, scores)
    times.append(time.perf_counter())
    return times[1] - times[0], times[2] - times[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--widths", type=int, nargs="+", default=[512, 768, 2048])
    parser.add_argument("--backbones", type=int, default=5)
    given = parser.parse_args()
    print(f"{given.rows:,} rows, {given.backbones} backbones\nwidth  scores  intervals  times")
    for width in given.widths:
        scores, intervals = np.sum([seconds(given.rows, width, seed) for seed in range(given.backbones)], axis=0)
        print(f"{width:>5} {scores:>6.1f}s {intervals:>9.1f}s {intervals / scores:>6.1f}", flush=True)


if __name__ == "__main__":
    main()
