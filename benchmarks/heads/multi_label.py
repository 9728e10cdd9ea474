"""Logistic regression of many labels, every C of the grid, against scikit-learn's OneVsRestClassifier.

    python -m benchmarks.heads.multi_label [--rows 20000] [--width 1280] [--labels 40] [--peer 0.01 1] [--json FILE]

Rows are synthetic: a decaying spectrum, labels that more and more rows lack, a third of the variance of their scores
noise. scikit-learn fits the C values of --peer in float64, --peer-labels of the labels, which are fits of their own and
are scaled up; its time for the whole grid is interpolated in log C between these values and held constant outside them.
Times are seconds of CPU of this process, which other work on the machine disturbs less, and seconds passed.
scikit-learn stops by its own rule, --tol; how far its objectives are above ours is shown.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from frostline.stages.heads.kinds import DINOV2_GRID
from frostline.stages.heads.newton.binary import PenalisedLabelsPath
from frostline.stages.heads.solvers.logistic_labels import LogisticLabelsSolver


def synthetic(rows: int, width: int, labels: int) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((rows, width)) * np.arange(1, width + 1) ** -0.6
    scores = X @ rng.standard_normal((width, labels))
    scores = scores / scores.std(0) + 0.7 * rng.standard_normal(scores.shape)
    return X.astype(np.float32), (scores > np.linspace(0, 2, labels)).astype(np.int8)


def timed(call: Callable[[], Any]) -> tuple[float, float, Any]:
    """Return seconds of CPU, seconds passed, and what is returned."""
    cpu, wall = time.process_time(), time.perf_counter()
    found = call()
    return time.process_time() - cpu, time.perf_counter() - wall, found


def objective(X: NDArray[Any], y: NDArray[Any], weight: NDArray[Any], bias: float, C: float) -> float:
    margins = (2.0 * y - 1) * (X @ weight + bias)
    return float(C * np.logaddexp(0, -margins).sum() + 0.5 * weight @ weight)


def peer(
    X: NDArray[np.float64], y: NDArray[np.int8], C: float, ours: PenalisedLabelsPath, args: argparse.Namespace
) -> dict[str, Any]:
    model = OneVsRestClassifier(LogisticRegression(C=C, tol=args.tol, max_iter=10_000))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        cpu, wall, _ = timed(lambda: model.fit(X, y))
    place = DINOV2_GRID.index(C)
    above = [
        objective(X, y[:, k], one.coef_[0], float(one.intercept_[0]), C) / ours.objective[place, column] - 1
        for k, (column, one) in enumerate(zip(columns(args.labels, args.peer_labels), model.estimators_, strict=True))
    ]
    return {"C": C, "cpu": cpu, "wall": wall, "above": [min(above), max(above)]}


def columns(labels: int, most: int) -> list[int]:
    """Return the labels that scikit-learn fits, spread over all of them."""
    return sorted({round(place) for place in np.linspace(0, labels - 1, min(most, labels)).tolist()})


def whole_grid(peers: list[dict[str, Any]], clock: str) -> float:
    known = np.log([[fit["C"], fit[clock]] for fit in sorted(peers, key=lambda fit: fit["C"])])
    return float(np.exp(np.interp(np.log(DINOV2_GRID), known[:, 0], known[:, 1])).sum())


def compared(args: argparse.Namespace) -> dict[str, Any]:
    X, y = synthetic(args.rows, args.width, args.labels)
    print(f"{args.rows} x {args.width}, {args.labels} labels; {torch.get_num_threads()} threads, {platform.machine()}")
    print(f"torch {torch.__version__}, scikit-learn {sklearn.__version__}, numpy {np.__version__}", flush=True)
    *before, solver = timed(lambda: LogisticLabelsSolver(X, y, args.labels))
    *fits, ours = timed(lambda: solver.fit(DINOV2_GRID, np.ones(len(X))))
    cpu, wall = (a + b for a, b in zip(before, fits, strict=True))
    print(f"all {len(DINOV2_GRID)} C: {cpu:.1f} s of CPU, {before[0]:.1f} s of it to prepare the rows, {wall:.1f} s")
    print(f"largest gap {ours.gaps.max():.1e}, converged: {bool(ours.converged.all())}", flush=True)
    some, peers = columns(args.labels, args.peer_labels), []
    for C in (min(DINOV2_GRID, key=lambda known: abs(np.log(known / C))) for C in args.peer):
        peers.append(peer(X.astype(np.float64), y[:, some], C, ours, args))
        said = "scikit-learn C={C:.3g}: {cpu:.1f} s of CPU, {wall:.1f} s, {above[0]:+.1e} to {above[1]:+.1e} of ours"
        print(said.format(**peers[-1]), flush=True)
    scale = args.labels / len(some)
    grid = {clock: scale * whole_grid(peers, clock) for clock in ("cpu", "wall")}
    ratio = {"cpu": grid["cpu"] / cpu, "wall": grid["wall"] / wall}
    print("scikit-learn, all: {cpu:.0f} s of CPU, {wall:.0f} s".format(**grid), end="; ")
    print("{cpu:.0f} times the CPU, {wall:.0f} times the wait".format(**ratio))
    return {**vars(args), "json": "", "cpu": cpu, "wall": wall, "peers": peers, "grid": grid, "ratio": ratio}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20000)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--labels", type=int, default=40)
    parser.add_argument(
        "--peer", type=float, nargs="*", default=[1e-4, 0.01, 1.0, 100.0], help="C that scikit-learn fits"
    )
    parser.add_argument("--tol", type=float, default=1e-4, help="at which scikit-learn stops")
    parser.add_argument("--peer-labels", type=int, default=4, help="labels that scikit-learn fits")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    report = compared(args)
    if args.json:
        args.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
