"""Weighted means of the nearest training rows' values, for every k of a grid from one search.

Of the k rows with the largest cosine s_j each weighs w_j exp(s_j / temperature), as a vote does in
:mod:`frostline.stages.heads.solvers.knn`; for an output they are the nearest of the rows whose value is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from frostline.stages.heads.linear import normalized
from frostline.stages.heads.solvers.knn import (
    Searched,
    checked_numbers,
    checked_temperature,
    rows_of_unit_length,
)
from frostline.stages.heads.solvers.known_values import by_known, checked_values
from frostline.stages.heads.solvers.nearest import QUERIES, Search
from frostline.stages.heads.solvers.weighted_rows import Doubles, unlabelled_rows
from frostline.stages.heads.stored import Stored

_VALUES = 2**22  # neighbours' values at once


@dataclass(frozen=True, eq=False)
class NeighbourRegressionHead:
    """The training rows themselves, and what they are worth.

    Attributes:
        rows: (n, d) float16 or float32, of length 1 (or 0).
        values: (n, outputs) float64, NaN where not known.
        weights: (n,) float64, above 0: what a row counts.
        classes: the outputs by name.
        k: of how many rows the mean is taken; of all of them where there are fewer.
        temperature: of the cosines; smaller ones favour the nearest.
    """

    rows: NDArray[Any]
    values: Doubles
    weights: Doubles
    classes: tuple[str, ...]
    k: int
    temperature: float
    probabilistic: ClassVar[bool] = False
    target: ClassVar[str] = "regression"

    @property
    def width(self) -> int:
        return int(self.rows.shape[1])

    def decision_values(self, X: NDArray[Any]) -> Doubles:
        """Return the predicted values of features (n, d), float64 (n, outputs)."""
        path = NeighbourRegressionPath(self.rows, self.values, self.weights, np.array([self.k]), self.temperature)
        values: Doubles = path.decision_values(X)[0]
        return values

    def stored(self) -> Stored:
        """Return what it is written as."""
        arrays = {"rows": self.rows, "values": self.values, "weights": self.weights}
        return Stored("neighbours-regression", {"k": self.k, "temperature": self.temperature}, arrays)


def read_neighbours_regression(stored: Stored, classes: tuple[str, ...], _width: int) -> NeighbourRegressionHead:
    """Return the head that was stored so. Raises ValueError, KeyError or TypeError if these are no such neighbours."""
    k, temperature = stored.values["k"], stored.values["temperature"]
    head = NeighbourRegressionHead(**stored.tensors, classes=classes, k=k, temperature=temperature)
    rows, values, weights = head.rows, head.values, head.weights
    fits = rows.ndim == 2 and rows.dtype.kind == "f" and len(rows) and weights.shape == (len(rows),)
    fits = fits and values.shape == (len(rows), len(classes)) and values.dtype == weights.dtype == np.float64
    if not (fits and type(k) is int and k > 0 and isinstance(temperature, float) and 0 < temperature < np.inf):
        raise ValueError(f"neighbours {rows.shape} {rows.dtype}, values {values.shape} {values.dtype}, k {k!r:.50}")
    sound = np.isfinite(rows).all() and np.isfinite(weights).all() and (weights > 0).all()
    if not sound or np.isinf(values).any() or np.isnan(values).all(0).any():
        raise ValueError("rows, values or weights that are not numbers")
    return head


@dataclass(frozen=True, eq=False)
class NeighbourRegressionPath(Searched):
    """Heads for all values ``k`` (k,) int64, on the same rows; the rest as in :class:`NeighbourRegressionHead`."""

    rows: NDArray[Any]
    values: Doubles
    weights: Doubles
    k: NDArray[np.int64]
    temperature: float
    probabilistic: ClassVar[bool] = False

    def decision_values(self, X: NDArray[Any]) -> Doubles:
        """Return the predicted values, float64 (k, n, outputs)."""
        return self.means(X, np.full(len(X), -1))

    def head(self, index: int, classes: tuple[str, ...]) -> NeighbourRegressionHead:
        """Return the head of one value."""
        k = int(self.k[index])
        return NeighbourRegressionHead(self.rows, self.values, self.weights, classes, k, self.temperature)

    def means(self, X: NDArray[Any], own: NDArray[np.int64]) -> Doubles:
        """Return the same where row ``own`` (n,) of ``rows`` does not count; -1 excludes none."""
        result = np.empty((len(self.k), len(X), self.values.shape[1]))
        for outputs, known in by_known(self.values):
            if known.all():
                result[..., outputs] = self._of_known(self.rows, self.values[:, outputs], self.weights, X, own)
                continue
            place = np.where(known, np.cumsum(known) - 1, -1)
            theirs = np.where(own >= 0, place[own], -1)
            values = self.values[known][:, outputs]
            result[..., outputs] = self._of_known(self.rows[known], values, self.weights[known], X, theirs)
        return result

    def _of_known(
        self, rows: NDArray[Any], values: Doubles, weights: Doubles, X: NDArray[Any], own: NDArray[np.int64]
    ) -> Doubles:
        count = min(int(self.k.max()), len(rows))
        result = np.empty((len(self.k), len(X), values.shape[1]))
        length = max(1, min(QUERIES, _VALUES // (count * values.shape[1])))
        search = Search(rows, count)
        for start in range(0, len(X), length):
            part = slice(start, start + length)
            similarity, index = search.nearest(normalized(X[part].astype(np.float32, copy=False)), own[part])
            result[:, part] = self._mean(similarity, values[index], weights[index])
        return result

    def _mean(self, similarity: NDArray[np.float32], values: Doubles, weights: Doubles) -> Doubles:
        """(k, b, outputs) from the values (b, m, outputs) of the nearest rows, in descending order."""
        above = (similarity - similarity[:, :1]).astype(np.float64)
        share = np.exp(above / self.temperature) * weights
        totals = [np.einsum("bm,bmo->bo", share[:, :k], values[:, :k]) for k in self.k]
        return np.stack([total / share[:, :k].sum(1)[:, None] for total, k in zip(totals, self.k, strict=True)])


class NeighbourRegressionSolver:
    """All k from one search for the most neighbours, by matrix products in float32.

    Args:
        X: (n, d) float16, float32 or float64, finite; kept normalised, in float16 if they are that, else float32.
        y: (n, outputs) float64, NaN where not known.
        classes: how many outputs there are.
        temperature: of the cosines.
    """

    parameter: ClassVar[str] = "k"

    def __init__(self, X: NDArray[Any], y: Doubles, classes: int, *, temperature: float = 0.07) -> None:
        self.y, self.outputs = checked_values(y, len(X)), classes
        self.temperature = float(checked_temperature(temperature))
        self.rows = rows_of_unit_length(X)

    def fit(self, grid: Sequence[float], row_weights: Doubles) -> NeighbourRegressionPath:
        """Return the heads of all k: the rows with a weight. Raises ValueError on bad weights or numbers."""
        numbers, used = checked_numbers(grid), unlabelled_rows(self.rows, row_weights)
        values = self.y[used.index]
        if np.isnan(values).all(0).any():
            raise ValueError("an output has no known value in rows with weight; expected at least one")
        rows = self.rows if len(used.index) == len(self.rows) else self.rows[used.index]
        return NeighbourRegressionPath(rows, values, used.weights, numbers, self.temperature)

    def leave_one_out(self, grid: Sequence[float], row_weights: Doubles) -> Doubles:
        """Return (k, n, outputs): each row's predictions from the others; see :meth:`fit`."""
        index = np.flatnonzero(row_weights)
        own = np.full(len(self.rows), -1)
        own[index] = np.arange(len(index))
        return self.fit(grid, row_weights).means(self.rows, own)
