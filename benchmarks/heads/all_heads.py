"""How long each kind of head takes for all values of its parameter, and what the best of them is worth.

    python -m benchmarks.heads.all_heads [KIND ...] [--features FEATURES.npz] [--rows 50000] [--loo] [--peer C ...]
        [--json FILE]

FEATURES.npz holds X (n, d) and y (n,); without it the rows are those of ``logistic_path.py``, made up: rectified,
with a decaying spectrum, 1,280 wide, 10 classes. They are kept in float16. A tenth as many further rows are
scored by all heads. ``--loo`` times leave-one-out too, of the kinds that have it. ``--peer`` fits scikit-learn's
LinearSVC at these values of C, beside svm: the primal solver on the same rows in float64, with an
``intercept_scaling`` of 100, so that its bias is hardly penalised, as svm's is not. Each is told to go on until
its gradient is ``--tol`` of the first. Objectives are C sum hinge^2 + 1/2 |w|^2 of all classes: ``above`` is how far
LinearSVC's is above svm's for that C alone.
"""

from __future__ import annotations

import argparse
import json
import resource
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

from benchmarks.heads.logistic_path import Rows, loaded, machine, synthetic, timed
from frostline.stages.heads import HEADS, head_kind, head_spec, solver


def measured(kind: str, train: Rows, test: Rows, loo: bool) -> dict[str, Any]:
    spec, (X, y) = head_spec(kind), train
    classes, weights = int(y.max()) + 1, np.ones(len(y))
    prepared, made = timed(lambda: solver(spec, X, y, classes))
    fitted, path = timed(lambda: made.fit(spec.grid, weights))
    scored, decision_values = timed(lambda: path.decision_values(test[0]))
    report = {
        "kind": kind, "values": len(spec.grid), "fit_seconds": prepared + fitted, "score_seconds": scored,
        **best(spec.grid, decision_values, test[1]), "converged": int(path.converged.sum()),
        "peak_MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000,
    }  # fmt: skip
    if loo and head_kind(kind).exact:
        seconds, decision_values = timed(lambda: made.leave_one_out(spec.grid, weights))
        found = best(spec.grid, decision_values, y)
        report |= {"loo_seconds": seconds, **{f"loo_{name}": value for name, value in found.items()}}
    return report


def objective(X: NDArray[Any], y: NDArray[np.int64], weight: NDArray[Any], bias: NDArray[Any], C: float) -> float:
    sides = np.where(y[:, None] == np.arange(len(bias)), 1, -1)
    short = np.maximum(0, 1 - sides * (X @ weight.T + bias))
    return float(C * (short**2).sum() + 0.5 * (weight**2).sum())


def beside(train: Rows, C: float, tol: float) -> dict[str, Any]:
    """LinearSVC and svm at one C; with two classes LinearSVC has one row of weights, and svm the same one twice."""
    X, y = train[0].astype(np.float64), train[1]
    spec, peer = head_spec("svm", [C]), LinearSVC(C=C, dual=False, tol=tol, intercept_scaling=100, max_iter=10_000)
    own, path = timed(lambda: solver(spec, train[0], y, int(y.max()) + 1).fit([C], np.ones(len(y))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        seconds, model = timed(lambda: peer.fit(X, y))
    weight, bias = model.coef_, model.intercept_
    if len(bias) == 1:
        weight, bias = np.concatenate((-weight, weight)), np.concatenate((-bias, bias))
    ours, theirs = float(path.objective[0]), objective(X, y, weight, bias, C)
    return {
        "peer": "LinearSVC", "C": C, "tol": tol, "seconds": seconds, "objective": theirs, "svm_seconds": own,
        "svm_objective": ours, "above": theirs / ours - 1, "ratio": seconds / own,
    }  # fmt: skip


def best(grid: tuple[float, ...], decision_values: NDArray[Any], y: NDArray[np.int64]) -> dict[str, float]:
    accuracy = (decision_values.argmax(-1) == y).mean(-1)
    return {"best": float(grid[int(accuracy.argmax())]), "accuracy": float(accuracy.max())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"by default all: {', '.join(HEADS.names())}")
    parser.add_argument("--features", type=Path)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--loo", action="store_true")
    parser.add_argument("--peer", type=float, nargs="*", default=[], metavar="C", help="C values LinearSVC fits")
    parser.add_argument("--tol", type=float, default=1e-4, help="of LinearSVC; its default is 1e-4")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    n = args.rows + args.rows // 10
    X, y = loaded(args.features, n) if args.features else synthetic(n)
    X, n = X.astype(np.float16), len(y) * 10 // 11
    print("{} + {} x {}; {machine}; {versions}".format(n, len(y) - n, X.shape[1], **machine()), flush=True)
    reports = []
    for kind in args.kinds or HEADS.names():
        reports.append(measured(kind, (X[:n], y[:n]), (X[n:], y[n:]), args.loo))
        print(json.dumps(reports[-1]), flush=True)
    for C in args.peer:
        reports.append(beside((X[:n], y[:n]), C, args.tol))
        print(json.dumps(reports[-1]), flush=True)
    if args.json:
        args.json.write_text(json.dumps({**machine(), "heads": reports}, indent=2) + "\n")


if __name__ == "__main__":
    main()
