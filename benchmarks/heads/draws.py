"""Few-shot draws fitted one after the other, or all in one batch of row weights.

    python -m benchmarks.heads.draws [FEATURES.npz] [--shots 1 4 16] [--draws 10] [--json FILE]

FEATURES.npz holds X (n, d) and y (n,); without it the rows are those of ``logistic_path.py``. Every draw gets all of
DINOv2's values of C. In one batch the rows of all draws are rotated once, but each head goes through all of them.
Seconds of processor time, and the largest relative difference between the objectives of the two.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.heads.logistic_path import Rows, loaded, machine, synthetic
from frostline.stages.heads.newton.penalised import PenalisedPath
from frostline.stages.heads.solvers.logistic import logistic_path


def drawn(y: NDArray[np.int64], shots: int, seed: int) -> NDArray[np.int64]:
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.choice(np.flatnonzero(y == label), shots, replace=False) for label in np.unique(y)])


def processor_seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


def compared(rows: Rows, shots: int, draws: int) -> dict[str, float]:
    X, y = rows
    chosen = [drawn(y, shots, seed) for seed in range(draws)]
    union = np.unique(np.concatenate(chosen))
    weights = np.stack([np.isin(union, rows) for rows in chosen])
    alone: list[PenalisedPath]
    one_by_one, alone = processor_seconds(lambda: [logistic_path(X[rows], y[rows]) for rows in chosen])
    at_once, together = processor_seconds(lambda: logistic_path(X[union], y[union], row_weights=weights))
    apart = max(np.abs(path.objective / together.objective[i] - 1).max() for i, path in enumerate(alone))
    return {"shots": shots, "one_by_one_s": one_by_one, "at_once_s": at_once, "difference": float(apart)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("features", type=Path, nargs="?")
    parser.add_argument("--shots", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    rows = loaded(args.features, 50_000) if args.features else synthetic(20_000)
    report: dict[str, Any] = {**machine(), "draws": args.draws, "shots": []}
    print("{machine}; {versions}; {draws} draws".format(**report))
    for shots in args.shots:
        found = compared(rows, shots, args.draws)
        report["shots"].append(found)
        print(
            "{shots:3} shots: one by one {one_by_one_s:.1f} s, at once {at_once_s:.1f} s, "
            "difference {difference:.1e}".format(**found),
            flush=True,
        )
    if args.json:
        args.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
