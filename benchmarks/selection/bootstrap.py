"""How long all scores and their intervals take, against scikit-learn on the same resamples.

    python -m benchmarks.selection.bootstrap [--rows 10000] [--classes 10 100 1000] [--peer 5]

Predictions are synthetic: 90 % right with ten classes, calibrated by a temperature. scikit-learn
scores --peer resamples of the rows; its time for 1,000 is extrapolated. It has no calibration
error, and no area under the curve where a class is missing: neither is counted then.
"""

from __future__ import annotations

import argparse
import resource
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    log_loss,
    precision_recall_fscore_support,
    roc_auc_score,
    top_k_accuracy_score,
)

from frostline.stages.evaluate import score
from frostline.stages.metrics import RESAMPLES, Predictions, temperature


def synthetic(rows: int, classes: int) -> Predictions:
    rng = np.random.default_rng(0)
    y = rng.integers(0, classes, rows)
    scores = rng.standard_normal((rows, classes)) + 3 * (np.arange(classes) == y[:, None])
    p = np.exp(scores)
    ids, names = (tuple(map(str, range(n))) for n in (rows, classes))
    return Predictions(ids, y, p / p.sum(1, keepdims=True), names, True, ())


def peer(predicted: Predictions, resamples: int) -> None:
    """Score resamples of the rows with scikit-learn."""
    rng = np.random.default_rng(0)
    labels = np.arange(len(predicted.classes))
    for _ in range(resamples):
        drawn = rng.integers(0, len(predicted), len(predicted))
        y, p = predicted.y[drawn], predicted.decision_values[drawn]
        decided: NDArray[np.int64] = p.argmax(1)
        accuracy_score(y, decided)
        with warnings.catch_warnings():  # of classes without rows in a resample
            warnings.simplefilter("ignore")
            balanced_accuracy_score(y, decided)
        for average in ("macro", "weighted", None):
            precision_recall_fscore_support(y, decided, average=average, zero_division=0)
        top_k_accuracy_score(y, p, k=5, labels=labels)
        log_loss(y, p, labels=labels)
        if len(np.unique(y)) == len(labels):
            roc_auc_score(y, p, multi_class="ovr")


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = call()
    return time.perf_counter() - started, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--classes", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--peer", type=int, default=5, metavar="RESAMPLES", help="0: leave scikit-learn out")
    given = parser.parse_args()
    score(synthetic(100, 10), temperature=1.0)  # what is imported on the way is not measured
    print(
        f"{'rows':>7} {'classes':>7} {'scores':>6} {'seconds':>8} {'peak MB':>8} {'AUROC resamples':>15}  scikit-learn"
    )
    for classes in given.classes:
        predicted = synthetic(given.rows, classes)
        T = temperature(predicted.decision_values, predicted.y)
        took, found = timed(partial(score, predicted, temperature=T))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
        n, scored = len(found.scores) + 3 * classes, found.scores["auroc"].resamples
        line = f"{given.rows:>7,} {classes:>7,} {n:>6,} {took:>8.2f} {peak:>8,.0f} {scored:>15,}"
        if given.peer:
            theirs, _ = timed(partial(peer, predicted, given.peer))
            line += f"  about {theirs / given.peer * RESAMPLES:,.0f} s"
        print(line, flush=True)


if __name__ == "__main__":
    main()
