"""How the time of a logistic regression path grows with rows, width, classes and values of C.

    python -m benchmarks.heads.logistic_growth [--rounds 3] [--plot FILE.svg] [--json FILE]

Synthetic features (rectified, with a decaying spectrum), one number changed at a time from 5,000 x
256 x 10 and the 45 values of DINOv2's grid; the median of the rounds. Prints a table; the plot has
both axes logarithmic.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.heads.logistic_path import machine, synthetic
from frostline.stages.heads.kinds import DINOV2_GRID
from frostline.stages.heads.solvers.logistic import logistic_path

BASE = {"rows": 5000, "width": 256, "classes": 10, "values": 45}
STEPS = {
    "rows": (1250, 2500, 5000, 10_000, 20_000, 40_000),
    "width": (64, 128, 256, 512, 1024),
    "classes": (2, 5, 10, 20, 50, 100),
    "values": (1, 5, 15, 45),
}


def seconds(rounds: int, rows: int, width: int, classes: int, values: int) -> float:
    """The median time of fitting ``values`` of the grid, evenly spread."""
    X, y = synthetic(rows, width, classes)
    chosen = np.unique(np.linspace(0, len(DINOV2_GRID) - 1, values).astype(int)) if values > 1 else [24]
    grid = [DINOV2_GRID[i] for i in chosen]
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        logistic_path(X, y, grid, classes=classes)
        times.append(time.perf_counter() - started)
    return median(times)


def measured(rounds: int) -> dict[str, list[tuple[int, float]]]:
    """Seconds by each number, the others as in BASE."""
    found: dict[str, list[tuple[int, float]]] = {}
    for name, steps in STEPS.items():
        found[name] = []
        for step in steps:
            found[name].append((step, seconds(rounds, **{**BASE, name: step})))
            print(f"{name:8} {step:>7,}  {found[name][-1][1]:8.2f} s", flush=True)
    return found


def plot(found: dict[str, list[tuple[int, float]]], file: Path) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    figure, all_axes = plt.subplots(1, len(found), figsize=(12, 3), sharey=True, layout="constrained")
    axes: Any
    for axes, (name, points) in zip(all_axes, found.items(), strict=True):
        x, y = zip(*points, strict=True)
        axes.loglog(x, y, "o-", color="black")
        axes.loglog(x, [y[-1] * a / x[-1] for a in x], ":", color="grey")
        axes.set_xticks(x, [f"{value:,}" for value in x], rotation=45)
        axes.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
        axes.set_xlabel(name)
    all_axes[0].set_ylabel("seconds (dotted: in proportion)")
    figure.savefig(file, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    print("{machine}; {versions}".format(**machine()))
    found = measured(args.rounds)
    if args.plot:
        plot(found, args.plot)
    if args.json:
        args.json.write_text(json.dumps({**machine(), "seconds": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
