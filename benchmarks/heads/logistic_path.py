"""How long all values of C take together, against scikit-learn's fits of some of them.

    python -m benchmarks.heads.logistic_path [FEATURES.npz] [--rows 20000] [--peer 0.01 1] [--json FILE]

FEATURES.npz holds X (n, d) and y (n,); without it the rows are synthetic: rectified, with a
decaying spectrum, 10 classes. scikit-learn fits the C values of --peer in float64, until an objective
within --within of the optimum; its time for the whole grid is interpolated in log C between those,
and held constant outside them. A fit that is given up counts with the time that it had until then.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import sklearn
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, _logistic

from frostline.stages.heads.kinds import DINOV2_GRID
from frostline.stages.heads.newton.penalised import PenalisedPath
from frostline.stages.heads.solvers.logistic import logistic_path

Rows = tuple[NDArray[np.float32], NDArray[np.int64]]


def synthetic(rows: int, width: int = 1280, classes: int = 10) -> Rows:
    rng = np.random.default_rng(0)
    spectrum = np.arange(1, width + 1) ** -0.6
    centres = 0.35 * rng.standard_normal((classes, width)) * spectrum
    centres[:, width // 20 :] = 0
    y = rng.integers(0, classes, rows)
    mixing = np.linalg.qr(rng.standard_normal((width, width)))[0] * np.sqrt(width) / 2
    X = (rng.standard_normal((rows, width)) * spectrum + centres[y]) @ mixing
    return np.maximum(X - 0.3, 0).astype(np.float32), y


def loaded(path: Path, rows: int) -> Rows:
    with np.load(path) as arrays:
        X, y = arrays["X"], arrays["y"].astype(np.int64)
    chosen = np.random.default_rng(0).permutation(len(y))[:rows]
    return X[chosen], y[chosen]


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = call()
    return time.perf_counter() - started, result


def objective(X: NDArray[Any], y: NDArray[Any], weight: NDArray[Any], bias: NDArray[Any], C: float) -> float:
    logits = torch.as_tensor(X.astype(np.float64) @ weight.T + bias)
    loss = torch.nn.functional.cross_entropy(logits, torch.as_tensor(y), reduction="sum")
    return C * float(loss) + 0.5 * float((weight**2).sum())


def peer(X: NDArray[Any], y: NDArray[Any], C: float, enough: float, most: float) -> dict[str, Any]:
    """scikit-learn's fit in X's precision, ended once its objective is at most ``enough``, or after ``most`` seconds.

    It is told of every iteration by scipy's callback, which costs it nothing: the value is its own.
    """
    scale, iterations, started = C * len(y), 0, time.perf_counter()

    def ended(intermediate_result: Any) -> None:
        nonlocal iterations
        iterations += 1
        if intermediate_result.fun * scale <= enough or time.perf_counter() - started > most:
            raise StopIteration

    def watched(*args: Any, **options: Any) -> Any:
        return minimize(*args, **{**options, "callback": ended})

    model = LogisticRegression(C=C, tol=1e-12, max_iter=10**6)
    with warnings.catch_warnings(), patch.object(_logistic.optimize, "minimize", watched):
        warnings.simplefilter("ignore", ConvergenceWarning)
        seconds, _ = timed(partial(model.fit, X, y))
    above = objective(X, y, model.coef_, model.intercept_, C) / enough - 1
    return {"C": C, "dtype": str(X.dtype), "seconds": seconds, "iterations": iterations, "above": above}


def whole_grid(peers: list[dict[str, Any]]) -> float:
    """Seconds for every C of the grid, by log-log interpolation."""
    known = np.log([[fit["C"], fit["seconds"]] for fit in sorted(peers, key=lambda fit: fit["C"])])
    return float(np.exp(np.interp(np.log(DINOV2_GRID), known[:, 0], known[:, 1])).sum())


def machine() -> dict[str, str]:
    cores = f"{torch.get_num_threads()} threads"
    versions = f"Python {platform.python_version()}, torch {torch.__version__}, scikit-learn {sklearn.__version__}"
    return {"machine": f"{platform.machine()}, {cores}", "versions": f"{versions}, numpy {np.__version__}"}


def compared(X: NDArray[Any], y: NDArray[Any], args: argparse.Namespace) -> dict[str, Any]:
    seconds, path = timed(lambda: logistic_path(X, y, DINOV2_GRID, tolerance=args.within))
    alone, _ = timed(lambda: logistic_path(X, y, 1.0, tolerance=args.within))
    report = {
        **machine(), "rows": X.shape[0], "width": X.shape[1], "classes": int(y.max()) + 1,
        "path_seconds": seconds, "one_seconds": alone, "converged": int(path.converged.sum()),
        "largest_gap": float(path.gap.max()), "iterations": path.iterations.tolist(),
    }  # fmt: skip
    show(report, path)
    peers = []
    for C in args.peer:
        nearest: PenalisedPath = logistic_path(X, y, C, tolerance=args.within / 10)
        enough = float(nearest.objective[0]) * (1 + args.within)
        for rows in [X, X.astype(np.float64)] if args.both else [X.astype(np.float64)]:
            peers.append(peer(rows, y, C, enough, args.most))
            said = "scikit-learn C={C:g} {dtype}: {seconds:.1f} s, {iterations} iterations, {above:+.1e} of the goal"
            print(said.format(**peers[-1]), flush=True)
    exact = [fit for fit in peers if fit["dtype"] == "float64"]
    if peers:
        report |= {"peers": peers, "peer_grid_seconds": whole_grid(exact)}
        report["ratio"] = report["peer_grid_seconds"] / seconds
        print("scikit-learn, all 45: {peer_grid_seconds:.0f} s, {ratio:.0f} times as long".format(**report))
    return report


def show(report: dict[str, Any], path: PenalisedPath) -> None:
    print("{rows} x {width} x {classes}; {machine}; {versions}".format(**report))
    print("{:>10} {:>6} {:>8}  {}".format("C", "steps", "gap", "converged"))
    for row in zip(path.C, path.iterations, path.gap, path.converged, strict=True):
        print("{:10.2e} {:6d} {:8.1e}  {}".format(*row))
    print("all 45: {path_seconds:.1f} s; C = 1 alone: {one_seconds:.1f} s".format(**report))
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("features", type=Path, nargs="?")
    parser.add_argument("--rows", type=int, default=20000)
    parser.add_argument("--peer", type=float, nargs="*", default=[0.01, 1.0], help="C values scikit-learn fits")
    parser.add_argument("--within", type=float, default=1e-5, help="relative distance from the optimum")
    parser.add_argument("--most", type=float, default=600.0, help="seconds after which a peer gives up")
    parser.add_argument("--both", action="store_true", help="scikit-learn in float32 too, which may never get there")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    X, y = loaded(args.features, args.rows) if args.features else synthetic(args.rows)
    report = compared(X, y, args)
    if args.json:
        args.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
