"""How long each kind of head takes for all values of its parameter, and what the best of them is worth.

    python benchmarks/heads.py [KIND ...] [--features FEATURES.npz] [--rows 50000] [--loo] [--json FILE]

FEATURES.npz holds X (n, d) and y (n,); without it the rows are those of ``logistic_path.py``, made up: rectified,
with a decaying spectrum, 1,280 wide, 10 classes. They are kept in float16. A tenth as many further rows are
scored by all heads. ``--loo`` times leave-one-out too, of the kinds that have it.
"""

from __future__ import annotations

import argparse
import json
import resource
from pathlib import Path
from typing import Any

import numpy as np
from logistic_path import Rows, loaded, machine, synthetic, timed
from numpy.typing import NDArray

from stages.heads import KINDS, head_spec, solver


def measured(kind: str, train: Rows, test: Rows, loo: bool) -> dict[str, Any]:
    spec, (X, y) = head_spec(kind), train
    classes, weights = int(y.max()) + 1, np.ones(len(y))
    prepared, made = timed(lambda: solver(spec, X, y, classes))
    fitted, path = timed(lambda: made.fit(spec.grid, weights))
    scored, confidence = timed(lambda: path.confidence(test[0]))
    report = {
        "kind": kind, "values": len(spec.grid), "fit_seconds": prepared + fitted, "score_seconds": scored,
        **best(spec.grid, confidence, test[1]), "converged": int(path.converged.sum()),
        "peak_MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000,
    }  # fmt: skip
    if loo and KINDS[kind].exact:
        seconds, confidence = timed(lambda: made.leave_one_out(spec.grid, weights))
        found = best(spec.grid, confidence, y)
        report |= {"loo_seconds": seconds, **{f"loo_{name}": value for name, value in found.items()}}
    return report


def best(grid: tuple[float, ...], confidence: NDArray[Any], y: NDArray[np.int64]) -> dict[str, float]:
    accuracy = (confidence.argmax(-1) == y).mean(-1)
    return {"best": float(grid[int(accuracy.argmax())]), "accuracy": float(accuracy.max())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"by default all: {', '.join(KINDS)}")
    parser.add_argument("--features", type=Path)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--loo", action="store_true")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    n = args.rows + args.rows // 10
    X, y = loaded(args.features, n) if args.features else synthetic(n)
    X, n = X.astype(np.float16), len(y) * 10 // 11
    print("{} + {} x {}; {machine}; {versions}".format(n, len(y) - n, X.shape[1], **machine()), flush=True)
    reports = []
    for kind in args.kinds or KINDS:
        reports.append(measured(kind, (X[:n], y[:n]), (X[n:], y[n:]), args.loo))
        print(json.dumps(reports[-1]), flush=True)
    if args.json:
        args.json.write_text(json.dumps({**machine(), "heads": reports}, indent=2) + "\n")


if __name__ == "__main__":
    main()
