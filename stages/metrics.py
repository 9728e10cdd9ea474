"""Scores of predicted labels, and their bootstrap intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000


@dataclass(frozen=True)
class Score:
    """A score on the test rows and its 95 % percentile bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ClassScore:
    """One class: precision, recall, F1 and the number of its test rows."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int


def confusion(y: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Return the counts, int64 (classes, classes): true label by row, prediction by column."""
    return np.bincount(y * classes + predicted, minlength=classes**2).reshape(classes, classes)


def accuracy(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the share on the diagonal, of counts (…, classes, classes)."""
    hits: NDArray[np.float64] = np.trace(counts, axis1=-2, axis2=-1) / counts.sum((-2, -1))
    return hits


def macro_f1(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the mean F1 over the classes that occur as label or prediction, of counts (…, classes, classes).

    As scikit-learn's ``f1_score(average="macro")`` on the same rows.
    """
    _, _, f1, occurs = _by_class(counts)
    means: NDArray[np.float64] = np.where(occurs, f1, 0).sum(-1) / occurs.sum(-1)
    return means


def by_class(counts: NDArray[np.int64], names: tuple[str, ...]) -> tuple[ClassScore, ...]:
    """Return each class's scores; a ratio whose denominator is 0 is 0."""
    precision, recall, f1, _ = (array.tolist() for array in _by_class(counts))
    support = counts.sum(1).tolist()
    return tuple(map(ClassScore, names, precision, recall, f1, support))


def bootstrap(counts: NDArray[np.int64], seed: int, resamples: int = RESAMPLES) -> dict[str, Score]:
    """Return accuracy and macro-F1 with 95 % percentile intervals (Efron, 1979).

    Rows drawn with replacement make the cells of the confusion matrix multinomial, so the
    cells are drawn at once: the same distribution, without touching the rows again.
    """
    n, classes = int(counts.sum()), len(counts)
    cells = np.flatnonzero(counts)
    rng = np.random.default_rng(seed)
    values: dict[str, list[NDArray[np.float64]]] = {"accuracy": [], "macro_f1": []}
    block = max(1, 2**24 // classes**2)
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        drawn = np.zeros((size, classes**2), np.int64)
        drawn[:, cells] = rng.multinomial(n, counts.ravel()[cells] / n, size)
        matrices = drawn.reshape(size, classes, classes)
        values["accuracy"].append(accuracy(matrices))
        values["macro_f1"].append(macro_f1(matrices))
    points = {"accuracy": accuracy(counts), "macro_f1": macro_f1(counts)}
    if float(points["accuracy"]) in (0, 1):
        return {name: _wilson(float(value), n) for name, value in points.items()}
    return {name: _interval(float(points[name]), np.concatenate(drawn)) for name, drawn in values.items()}


def _wilson(value: float, n: int) -> Score:
    """Return Wilson's 95 % score interval (JASA 22, 1927) of 0 or n hits in n rows.

    Resampling rows that are all right, or all wrong, shows no spread; for macro-F1 the
    interval of accuracy is the best that can be said then.
    """
    margin = 1.959964**2 / (n + 1.959964**2)
    return Score(value, 1 - margin, 1.0) if value else Score(value, 0.0, margin)


def _interval(value: float, drawn: NDArray[np.float64]) -> Score:
    low, high = np.quantile(drawn, (0.025, 0.975)).tolist()
    return Score(value, low, high)


def _by_class(
    counts: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    hits = np.diagonal(counts, axis1=-2, axis2=-1).astype(np.float64)
    labelled, predicted = counts.sum(-1), counts.sum(-2)
    return (
        hits / np.maximum(predicted, 1),
        hits / np.maximum(labelled, 1),
        2 * hits / np.maximum(labelled + predicted, 1),
        labelled + predicted > 0,
    )
