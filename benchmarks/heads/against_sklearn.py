"""A chosen logistic regression next to what people would pick: scikit-learn's warm-started path.

    python -m benchmarks.heads.against_sklearn FEATURES.npz [--threads 1] [--scaling none standardize] [--single 0.01 1]
    python -m benchmarks.heads.against_sklearn --shape 1000x384x5

FEATURES.npz holds X (n, d), y (n,), and the same of rows to choose by, Xh and yh, and of test rows, Xt and yt;
without it rows are made up: rectified, with a decaying spectrum. Both fit the 45 values of DINOv2's grid, choose one
on the rows to choose by, and fit it on both. scikit-learn has its default tolerance and 100 steps a value, each
starting where the one before ended, as in LogisticRegressionCV; on the features as they are, and standardised. It
chooses by accuracy. Frostline solves the value it chooses, and those next to it, to within 1e-5 of the optimum.
--single: one value alone, on the rows that are fitted. Prints seconds of processor time, and how many times as long the
faster of scikit-learn's paths took.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from benchmarks.heads.logistic_path import machine, synthetic
from frostline.stages.fit import fit_rows
from frostline.stages.fit.training_rows import TrainingRows
from frostline.stages.heads.kinds import DINOV2_GRID
from frostline.stages.heads.solvers.logistic import logistic_path
from frostline.stages.heads.spec import Rule, head_spec

Array = NDArray[Any]


class Rows(NamedTuple):
    """Features and labels to fit, to choose by and to test on."""

    X: Array
    y: Array
    Xh: Array
    yh: Array
    Xt: Array
    yt: Array


class Found(NamedTuple):
    """What was chosen, the answers on the test rows, how many values were fitted, and the processor's seconds."""

    name: str
    C: float
    answers: Array
    values: int
    seconds: float


def made_up(shape: str) -> Rows:
    n, d, k = map(int, shape.split("x"))
    X, y = synthetic(n + n // 9 + 2000, d, k)
    ends = n, n + n // 9
    return Rows(*(part for X_y in zip(np.split(X, ends), np.split(y, ends), strict=True) for part in X_y))


def loaded(path: Path) -> Rows:
    with np.load(path) as arrays:
        return Rows(*(arrays[name] for name in Rows._fields))


def frostline(rows: Rows, rule: Rule, scaling: Any) -> Found:
    X, y = np.concatenate((rows.X, rows.Xh)), np.concatenate((rows.y, rows.yh)).astype(np.int64)
    held, digests = np.arange(len(y)) >= len(rows.y), np.random.default_rng(0).integers(0, 256, (len(y), 32), np.uint8)
    classes = int(y.max()) + 1
    started = time.process_time()
    spec = head_spec("logreg", DINOV2_GRID, folds=0, hold_out=0.1, scaling=scaling, rule=rule)
    names = tuple(map(str, range(classes)))
    head, selection = fit_rows(TrainingRows(X, y, classes, spec), digests, names, held=[held])
    seconds = time.process_time() - started
    name = f"Frostline, {'default rule' if rule == 'stable' else 'all 45 values, as protocols'}, {scaling}"
    answers = head.decision_values(rows.Xt).argmax(1)
    return Found(name, float(selection.value), answers, len(selection.grid), seconds)


def scikit_learn(rows: Rows, scaling: str) -> Found:
    started = time.process_time()
    scaler = StandardScaler().fit(rows.X) if scaling == "standardize" else None
    X, Xh, Xt = (part if scaler is None else scaler.transform(part) for part in (rows.X, rows.Xh, rows.Xt))
    model, best = LogisticRegression(warm_start=True), (-1.0, 0.0, np.empty(0), np.empty(0))
    for C in DINOV2_GRID:
        model.set_params(C=C).fit(X, rows.y)
        accuracy = float((model.predict(Xh) == rows.yh).mean())
        if accuracy > best[0]:
            best = accuracy, C, model.coef_.copy(), model.intercept_.copy()
    _, C, model.coef_, model.intercept_ = best
    model.set_params(C=C).fit(np.concatenate((X, Xh)), np.concatenate((rows.y, rows.yh)))
    seconds = time.process_time() - started
    return Found(f"scikit-learn, warm-started, {scaling}", C, model.predict(Xt), len(DINOV2_GRID), seconds)


def single(rows: Rows, C: float) -> None:
    seconds = {}
    jobs: dict[str, Callable[[], Any]] = {
        "Frostline": lambda: logistic_path(rows.X, rows.y, C),
        "scikit-learn": lambda: LogisticRegression(C=C).fit(rows.X, rows.y),
    }
    for name, job in jobs.items():
        started = time.process_time()
        job()
        seconds[name] = time.process_time() - started
    own, peer = seconds.values()
    print(f"C = {C:g} alone: {own:.2f} s to 1e-5, scikit-learn {peer:.2f} s, {peer / own:.2f} x", flush=True)


def show(found: Sequence[Found], yt: Array) -> None:
    peer = min((one for one in found if one.name.startswith("scikit")), key=lambda one: one.seconds)
    for one in found:
        right, difference = one.answers == yt, (one.answers == yt).astype(float) - (peer.answers == yt)
        error = 100 * difference.std() / np.sqrt(len(yt))
        ratio, points = peer.seconds / one.seconds, f"{100 * difference.mean():+.2f} ± {error:.2f}"
        print(
            f"{one.name:48} {one.seconds:8.2f} s {ratio:6.2f} x  {one.values:2d} values, C = {one.C:.3g}, "
            f"accuracy {100 * right.mean():.2f} % ({points} points)",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("features", type=Path, nargs="?")
    parser.add_argument("--shape", default="1000x384x5", help="rows x width x classes of rows that are made up")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--scaling", nargs="+", default=["none"], choices=["none", "standardize"], help="of Frostline's"
    )
    parser.add_argument("--rules", nargs="+", default=["stable", "best"], help="best: all 45, as protocols")
    parser.add_argument("--single", type=float, nargs="*", default=[0.01, 1.0])
    args = parser.parse_args()
    rows = loaded(args.features) if args.features else made_up(args.shape)
    warnings.simplefilter("ignore", ConvergenceWarning)
    torch.set_num_threads(args.threads)
    with threadpool_limits(args.threads):
        print("{} x {} x {}, {machine}, {versions}".format(*rows.X.shape, int(rows.y.max()) + 1, **machine()))
        own = [frostline(rows, rule, scaling) for scaling in args.scaling for rule in args.rules]
        show(own + [scikit_learn(rows, scaling) for scaling in ("none", "standardize")], rows.yt)
        for C in args.single:
            single(rows, C)


if __name__ == "__main__":
    main()
