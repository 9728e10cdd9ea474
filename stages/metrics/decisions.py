"""Scores of predicted labels alone: by class, averaged over classes, and among the first k."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostline.stages.metrics.class_intervals import average_intervals, f1_interval, too_few
from frostline.stages.metrics.score import Interval, Score, wilson
from frostline.stages.metrics.statistic import Array, Statistic, membership, ratio

AVERAGES = ("balanced_accuracy", "macro_f1", "weighted_f1")


@dataclass(frozen=True)
class ClassScore:
    """One class: precision, recall, F1 and the number of its test rows.

    A class without test rows has no recall, one never predicted no precision: 0 in [0, 1] then.
    """

    name: str
    precision: Score
    recall: Score
    f1: Score
    support: int


def confusion(y: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Return the counts, int64 (classes, classes): true label by row, prediction by column."""
    return np.bincount(y * classes + predicted, minlength=classes**2).reshape(classes, classes)


def precision_recall_f1(y: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> Statistic:
    """Return the ``AVERAGES``, then every class's precision, every class's recall and every class's F1.

    ``averages`` and ``class_scores`` take their scores apart again.

    As scikit-learn defines them: balanced accuracy is the mean recall over the classes that occur
    as label, macro-F1 the mean over those that occur as label or prediction, and weighted F1
    weighs each class by its rows.
    """
    labelled, predictions = membership(y, classes), membership(predicted, classes)
    right = membership(y, classes, y == predicted)

    def of(counts: Array) -> Array:
        hits, support, named = right @ counts, labelled @ counts, predictions @ counts
        precision, recall, f1 = ratio(hits, named), ratio(hits, support), ratio(2 * hits, support + named)
        means = {
            "balanced_accuracy": np.nanmean(recall, 0),
            "macro_f1": np.nanmean(f1, 0),
            "weighted_f1": np.nansum(support * f1, axis=0) / counts.sum(0),
        }
        return np.concatenate(([means[name] for name in AVERAGES], precision, recall, f1))

    support, named = np.bincount(y, minlength=classes), np.bincount(predicted, minlength=classes)
    fewest = support[support > 0].min()
    trials = np.concatenate(([fewest, fewest, len(y)], named, support, (support + named) / 2))
    return Statistic(
        of,
        tuple(trials.tolist()),
        biased=True,
        closed=lambda: _intervals(y, predicted, classes),
        too_few=(*too_few(y, predicted), *[False] * (3 * classes)),
    )


def _intervals(y: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> list[Interval]:
    """Return the intervals of what ``precision_recall_f1`` scores; of a score that is undefined, [0, 1]."""
    right = np.bincount(y[y == predicted], minlength=classes).tolist()
    support, named = (np.bincount(one, minlength=classes).tolist() for one in (y, predicted))
    precision, recall = (
        [wilson(hits / rows if rows else 0.0, rows) for hits, rows in zip(right, of, strict=True)]
        for of in (named, support)
    )
    f1 = [f1_interval(*one) for one in zip(right, support, named, strict=True)]
    return [*average_intervals(y, predicted), *precision, *recall, *f1]


def averages(scores: Sequence[Score]) -> dict[str, Score]:
    """Return what ``precision_recall_f1`` scores over all classes, by name."""
    return dict(zip(AVERAGES, scores[: len(AVERAGES)], strict=True))


def class_scores(scores: Sequence[Score], names: Sequence[str], y: NDArray[np.int64]) -> tuple[ClassScore, ...]:
    """Return what ``precision_recall_f1`` scores of each class."""
    classes, own = len(names), scores[len(AVERAGES) :]
    precision, recall, f1 = own[:classes], own[classes : 2 * classes], own[2 * classes :]
    support = np.bincount(y, minlength=classes).tolist()
    columns = zip(names, precision, recall, f1, support, strict=True)
    return tuple(ClassScore(name=n, precision=p, recall=r, f1=f, support=s) for n, p, r, f, s in columns)


def in_top(decision_values: Array, y: NDArray[np.int64], k: int) -> NDArray[np.bool_]:
    """Return which rows (n,) have their label among the k highest of (n, classes).

    Of equals, the class that comes first counts as higher, as it does for the prediction.
    """
    own = np.take_along_axis(decision_values, y[:, None], 1)
    before = np.arange(decision_values.shape[1]) < y[:, None]
    higher = (decision_values > own) | ((decision_values == own) & before)
    below: NDArray[np.bool_] = higher.sum(1) < k
    return below
