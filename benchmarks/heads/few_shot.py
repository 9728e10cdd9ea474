"""How long the few-shot curve of each head takes: random subsets drawn, values chosen, fitted and scored.

    python -m benchmarks.heads.few_shot [HEAD ...] [--shots 1 2 4 8 16] [--draws 10] [--rows 50000] [--test 10000]
        [--width 768] [--classes 10] [--peers] [--threads 1 2]

What ``frostline run --shots 1,2,4,8,16 --draws 10`` does with features from the cache: 50 heads for each ``HEAD``,
from made-up rows as in ``logistic_path.py``; ``ridge:loo`` is ``ridge`` with ``--folds loo``. ``--peers`` adds
scikit-learn on subsets of the same sizes: ``RidgeClassifierCV`` with the same alphas, ``LogisticRegressionCV`` with the
same values of C and three folds on standardised rows (C = 1 at one shot), and ``KNeighborsClassifier``. Seconds of CPU
and of wall time; the accuracy is the mean at the largest size.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.rounds import is_pinned, on_threads
from benchmarks.heads.logistic_path import synthetic
from frostline.pipeline.settings import Draw
from frostline.pipeline.steps.features import LazyFeatures
from frostline.pipeline.steps.subsets import drawn_curve
from frostline.stages.heads import HeadSpec, head_spec
from frostline.stages.store import Features
from frostline.stages.targets.values import Targets

_HEADS = ("centroid", "knn", "lda", "ridge", "ridge:loo", "logreg", "svm")


def features(X: NDArray[Any], y: NDArray[np.int64], classes: int, split: str) -> Features:
    digests = np.random.default_rng(len(y)).integers(0, 256, (len(y), 32), np.uint8)
    targets = Targets(tuple(f"class {label}" for label in range(classes)), y)
    return Features(X, targets, tuple(map(str, range(len(y)))), digests, split, "key")


def timed(title: str, work: Callable[[], float]) -> None:
    cpu, wall = time.process_time(), time.perf_counter()
    accuracy = work()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(f"{title:<28} {cpu:7.2f} s CPU {wall:7.2f} s  accuracy {accuracy:.4f}", flush=True)


def subsets(y: NDArray[np.int64], shots: int, draws: int) -> Iterator[NDArray[np.int64]]:
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        each = [rng.choice(np.flatnonzero(y == label), shots, replace=False) for label in np.unique(y)]
        yield np.concatenate(each)


def peer(head: str, shots: int) -> Any:
    from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, RidgeClassifierCV
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if head == "ridge":
        return RidgeClassifierCV(head_spec("ridge").grid)
    if head == "knn":
        return KNeighborsClassifier(1, algorithm="brute")
    if shots < 2:
        return make_pipeline(StandardScaler(), LogisticRegression())
    folds = min(3, shots)
    return make_pipeline(StandardScaler(), LogisticRegressionCV(Cs=head_spec("logreg").grid, cv=folds))


def of_peer(head: str, train: Features, test: Features, args: argparse.Namespace) -> float:
    found = []
    for shots in args.shots:
        for rows in subsets(train.y, shots, args.draws):
            model = peer(head, shots).fit(train.X[rows], train.y[rows])
            found.append(float((model.predict(test.X) == test.y).mean()))
    return float(np.mean(found[-args.draws :]))


def of_head(spec: HeadSpec, draw: Draw, loaded: LazyFeatures) -> float:
    return float(np.mean(drawn_curve(spec, draw, loaded).points[-1].accuracy))


def compared(args: argparse.Namespace) -> None:
    X, y = synthetic(args.rows + args.test, args.width, args.classes)
    train = features(X[: args.rows], y[: args.rows], args.classes, "train")
    test = features(X[args.rows :], y[args.rows :], args.classes, "test")
    loaded = cast(LazyFeatures, SimpleNamespace(train=[train], test=[test]))
    draw = Draw("shots", tuple(args.shots), args.draws)
    drawn_curve(head_spec("centroid"), Draw("shots", (1,), 2), loaded)  # imports are not measured
    for head in args.heads or _HEADS:
        name, _, folds = head.partition(":")
        timed(head, partial(of_head, head_spec(name, folds="loo" if folds else None), draw, loaded))
        if args.peers and name in ("ridge", "knn", "logreg"):
            timed(f"  scikit-learn, {name}", partial(of_peer, name, train, test, args))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("heads", nargs="*", metavar="HEAD", help=f"by default {', '.join(_HEADS)}")
    parser.add_argument("--shots", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    for name, value in {"draws": 10, "rows": 50_000, "test": 10_000, "width": 768, "classes": 10}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    if is_pinned(args.threads):
        print(f"{len(args.shots) * args.draws} subsets of {args.rows} x {args.width}, threads: {args.threads[0]}")
        compared(args)
        return
    shape = [f"--{name}={getattr(args, name)}" for name in ("draws", "rows", "test", "width", "classes")]
    shape += ["--shots", *map(str, args.shots), *(["--peers"] if args.peers else [])]
    for count in args.threads:
        on_threads(count, __spec__.name, [*args.heads, *shape, "--threads", str(count)])


if __name__ == "__main__":
    main()
