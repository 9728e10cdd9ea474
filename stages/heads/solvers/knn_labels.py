"""Of each label, the weighted share of the nearest training rows that have it, for every k of a grid from one search.

Votes weigh what they do in :mod:`frostline.stages.heads.solvers.knn`; for a label the nearest are those of the rows of
which it is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from frostline.stages.heads.multi_label import (
    MULTI_LABEL,
    checked_labels,
    read_thresholds,
    stored_thresholds,
    with_unknown_as_nan,
)
from frostline.stages.heads.solvers.knn import Searched, checked_numbers, checked_temperature, rows_of_unit_length
from frostline.stages.heads.solvers.knn_regression import NeighbourRegressionPath
from frostline.stages.heads.solvers.weighted_rows import Doubles, unlabelled_rows
from frostline.stages.heads.stored import Stored

_UNKNOWN = 0.5  # the probability of a label that is known of no row


@dataclass(frozen=True, eq=False)
class NeighbourLabelsHead:
    """The training rows themselves, and how they vote.

    Attributes:
        rows: (n, d) float16 or float32, of length 1 (or 0).
        labels: (n, classes) int8: 1, 0, or -1 for unknown.
        weights: (n,) float64, above 0: what a row's vote counts.
        classes: the labels by name.
        k: int64 (classes,), how many rows vote; all of them where there are fewer.
        temperature: of the cosines; smaller ones favour the nearest.
        thresholds: of each label, above which probability it is predicted; empty where the usual one is meant.
    """

    rows: NDArray[Any]
    labels: NDArray[np.int8]
    weights: Doubles
    classes: tuple[str, ...]
    k: NDArray[np.int64]
    temperature: float
    thresholds: tuple[float, ...] = ()
    probabilistic: ClassVar[bool] = True
    target: ClassVar[str] = MULTI_LABEL

    @property
    def width(self) -> int:
        return int(self.rows.shape[1])

    def decision_values(self, X: NDArray[Any]) -> Doubles:
        """Return each label's share of the votes for features (n, d), float64 (n, labels)."""
        numbers, place = np.unique(self.k, return_inverse=True)
        path = NeighbourLabelsPath(self.rows, self.labels, self.weights, numbers, self.temperature)
        return path.decision_values(X)[place.ravel(), :, np.arange(len(self.k))].T

    def with_thresholds(self, thresholds: tuple[float, ...]) -> Self:
        """Return the same head with other thresholds."""
        return replace(self, thresholds=thresholds)

    def stored(self) -> Stored:
        """Return what it is written as."""
        arrays = {"rows": self.rows, "labels": self.labels, "weights": self.weights, "k": self.k}
        values = {"temperature": self.temperature, **stored_thresholds(self.thresholds)}
        return Stored("neighbours-multi-label", values, arrays)


def read_neighbour_labels(stored: Stored, classes: tuple[str, ...], _width: int) -> NeighbourLabelsHead:
    """Return the head that was stored so. Raises ValueError, KeyError or TypeError if these are no such neighbours."""
    temperature = stored.values["temperature"]
    thresholds = read_thresholds(stored, classes)
    head = NeighbourLabelsHead(**stored.tensors, classes=classes, temperature=temperature, thresholds=thresholds)
    rows, weights, k = head.rows, head.weights, head.k
    fits = rows.ndim == 2 and rows.dtype.kind == "f" and len(rows) and weights.shape == (len(rows),)
    if not (fits and weights.dtype == np.float64 and k.shape == (len(classes),) and k.dtype == np.int64):
        raise ValueError(f"neighbours {rows.shape} {rows.dtype}, weights {weights.shape}, k {k.shape} {k.dtype}")
    checked_labels(head.labels, len(rows), len(classes))
    if not (isinstance(temperature, float) and 0 < temperature < np.inf and (k > 0).all()):
        raise ValueError(f"temperature {temperature!r:.50} and k from {k.min()}")
    if not (np.isfinite(rows).all() and np.isfinite(weights).all() and (weights > 0).all()):
        raise ValueError("rows or weights that are not numbers")
    return head


@dataclass(frozen=True, eq=False)
class NeighbourLabelsPath(Searched):
    """Heads for all values ``k`` (k,) int64, on the same rows; the rest as in :class:`NeighbourLabelsHead`."""

    rows: NDArray[Any]
    labels: NDArray[np.int8]
    weights: Doubles
    k: NDArray[np.int64]
    temperature: float
    probabilistic: ClassVar[bool] = True

    def decision_values(self, X: NDArray[Any]) -> Doubles:
        """Return each label's share of the votes, float64 (k, n, labels)."""
        return self.shares(X, np.full(len(X), -1))

    def shares(self, X: NDArray[Any], own: NDArray[np.int64]) -> Doubles:
        """Return the same where row ``own`` (n,) of ``rows`` has no vote; -1 excludes none."""
        known: NDArray[np.bool_] = np.asarray((self.labels >= 0).any(0))
        values = with_unknown_as_nan(self.labels[:, known])
        found = np.full((len(self.k), len(X), len(known)), _UNKNOWN)
        path = NeighbourRegressionPath(self.rows, values, self.weights, self.k, self.temperature)
        found[..., known] = path.means(X, own)
        return found

    def head(self, index: int, classes: tuple[str, ...]) -> NeighbourLabelsHead:
        """Return the head of one value."""
        return self.head_of_each([index] * len(classes), classes)

    def head_of_each(self, indices: Sequence[int], classes: tuple[str, ...]) -> NeighbourLabelsHead:
        """Return the head whose labels have a value each, by its place."""
        k = self.k[np.asarray(indices)]
        return NeighbourLabelsHead(self.rows, self.labels, self.weights, classes, k, self.temperature)


class NeighbourLabelsSolver:
    """All k from one search for the most neighbours, for the labels that are known of the same rows.

    Args:
        X: (n, d) float16, float32 or float64, finite; kept normalised, in float16 if they are that, else float32.
        y: (n, classes) int8: 1, 0, or -1 for unknown.
        classes: how many labels there are.
        temperature: of the cosines.
    """

    parameter: ClassVar[str] = "k"

    def __init__(self, X: NDArray[Any], y: NDArray[np.int8], classes: int, *, temperature: float = 0.07) -> None:
        self.y, self.temperature = checked_labels(y, len(X), classes), float(checked_temperature(temperature))
        self.rows = rows_of_unit_length(X)

    def fit(self, grid: Sequence[float], row_weights: Doubles) -> NeighbourLabelsPath:
        """Return the heads of all k: the rows with a weight. Raises ValueError on bad weights or numbers."""
        numbers, used = checked_numbers(grid), unlabelled_rows(self.rows, row_weights)
        rows = self.rows if len(used.index) == len(self.rows) else self.rows[used.index]
        return NeighbourLabelsPath(rows, self.y[used.index], used.weights, numbers, self.temperature)

    def leave_one_out(self, grid: Sequence[float], row_weights: Doubles) -> Doubles:
        """Return (k, n, labels): each row's shares of the votes of the others; see :meth:`fit`."""
        index = np.flatnonzero(row_weights)
        own = np.full(len(self.rows), -1)
        own[index] = np.arange(len(index))
        return self.fit(grid, row_weights).shares(self.rows, own)
