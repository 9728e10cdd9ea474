"""Weighted votes of the nearest training rows, for every k of a grid from one search.

Rows are divided by their lengths; of the k rows with the largest cosine s_j each votes for its class with
w_j exp(s_j / temperature), and the votes are divided by their sum: Oquab et al., "DINOv2" (arXiv:2304.07193),
``eval/knn.py``, which divides by the sum over the largest k, so that its votes for smaller k add up to less
than 1 and choose the same classes. Before it: Wu et al. 2018 (arXiv:1805.01978), equation 12. Which
of several equally near rows is the last to vote is left open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from frostline.stages.heads.linear import normalized
from frostline.stages.heads.solvers.nearest import QUERIES, Search
from frostline.stages.heads.solvers.weighted_rows import Doubles, checked_grid, weighted_rows
from frostline.stages.heads.stored import Stored

_ROWS = 16384


@dataclass(frozen=True, eq=False)
class NeighbourHead:
    """The training rows themselves, and how they vote.

    Attributes:
        rows: (n, d) float16 or float32, of length 1 (or 0).
        labels: (n,) int64.
        weights: (n,) float64, above 0: what a row's vote counts.
        classes: by name.
        k: how many rows vote; all of them where there are fewer.
        temperature: of the cosines; smaller ones favour the nearest.
    """

    rows: NDArray[Any]
    labels: NDArray[np.int64]
    weights: Doubles
    classes: tuple[str, ...]
    k: int
    temperature: float
    probabilistic: ClassVar[bool] = True

    @property
    def width(self) -> int:
        return int(self.rows.shape[1])

    def decision_values(self, X: NDArray[Any]) -> Doubles:
        """Return each class's share of the votes for features (n, d), float64 (n, classes)."""
        grid = np.array([self.k])
        path = NeighbourPath(self.rows, self.labels, self.weights, len(self.classes), grid, self.temperature)
        shares: Doubles = path.decision_values(X)[0]
        return shares

    def stored(self) -> Stored:
        """Return what it is written as."""
        arrays = {"rows": self.rows, "labels": self.labels, "weights": self.weights}
        return Stored("neighbours", {"k": self.k, "temperature": self.temperature}, arrays)


def read_neighbours(stored: Stored, classes: tuple[str, ...], _width: int) -> NeighbourHead:
    """Return the head that was stored so. Raises ValueError, KeyError or TypeError if these are no such neighbours."""
    k, temperature = stored.values["k"], stored.values["temperature"]
    head = NeighbourHead(**stored.tensors, classes=classes, k=k, temperature=temperature)
    rows, labels, weights = head.rows, head.labels, head.weights
    fits = rows.ndim == 2 and rows.dtype.kind == "f" and labels.shape == weights.shape == (len(rows),) and len(rows)
    inside = labels.dtype == np.int64 and ((labels >= 0) & (labels < len(classes))).all()
    if not (fits and inside and isinstance(head.k, int) and head.k > 0 and head.temperature > 0):
        raise ValueError(f"neighbours {rows.shape} {rows.dtype}, labels {labels.shape} {labels.dtype}, k {head.k}")
    return head


class Searched:
    """A path whose heads come from one search: values ``k`` (k,), of which none is iterated for."""

    k: NDArray[np.int64]

    @property
    def converged(self) -> NDArray[np.bool_]:
        """(k,): true, nothing is iterated."""
        return np.ones(len(self.k), bool)

    @property
    def iterations(self) -> NDArray[np.int64]:
        """(k,): 1, nothing is iterated."""
        return np.ones(len(self.k), np.int64)


@dataclass(frozen=True, eq=False)
class NeighbourPath(Searched):
    """Heads for all values ``k`` (k,) int64, on the same rows; the rest as in :class:`NeighbourHead`."""

    rows: NDArray[Any]
    labels: NDArray[np.int64]
    weights: Doubles
    classes: int
    k: NDArray[np.int64]
    temperature: float
    probabilistic: ClassVar[bool] = True

    def decision_values(self, X: NDArray[Any]) -> Doubles:
        """Return each class's share of the votes, float64 (k, n, classes)."""
        return self.shares(X, np.full(len(X), -1))

    def head(self, index: int, classes: tuple[str, ...]) -> NeighbourHead:
        """Return the head of one value."""
        return NeighbourHead(self.rows, self.labels, self.weights, classes, int(self.k[index]), self.temperature)

    def shares(self, X: NDArray[Any], own: NDArray[np.int64]) -> Doubles:
        """Return the same where row ``own`` (n,) of ``rows`` has no vote; -1 excludes none."""
        result = np.empty((len(self.k), len(X), self.classes))
        search = Search(self.rows, int(self.k.max()))
        for start in range(0, len(X), QUERIES):
            part = slice(start, start + QUERIES)
            similarity, index = search.nearest(normalized(X[part].astype(np.float32, copy=False)), own[part])
            result[:, part] = self._counted(similarity, index)
        return result

    def _counted(self, similarity: NDArray[np.float32], index: NDArray[np.int64]) -> Doubles:
        """(k, b, classes) from the nearest rows (b, m), in descending order."""
        above = (similarity - similarity[:, :1]).astype(np.float64)
        votes = np.exp(above / self.temperature) * self.weights[index]
        places = np.arange(len(index))[:, None] * self.classes + self.labels[index]
        size = len(index) * self.classes
        counts = [np.bincount(places[:, :k].ravel(), votes[:, :k].ravel(), size) for k in self.k]
        counted = np.stack(counts).reshape(len(self.k), len(index), self.classes)
        shares: Doubles = counted / counted.sum(-1, keepdims=True)
        return shares


class NeighbourSolver:
    """All k from one search for the most neighbours, by matrix products in float32.

    Args:
        X: (n, d) float16, float32 or float64, finite; kept normalised, in float16 if they are that, else float32.
        y: (n,) int64 labels 0 .. classes - 1.
        classes: how many there are.
        temperature: of the cosines.
    """

    parameter: ClassVar[str] = "k"

    def __init__(self, X: NDArray[Any], y: NDArray[np.int64], classes: int, *, temperature: float = 0.07) -> None:
        self.y, self.classes, self.temperature = y, classes, checked_temperature(temperature)
        self.rows = rows_of_unit_length(X)

    def fit(self, grid: Sequence[float], row_weights: Doubles) -> NeighbourPath:
        """Return the heads of all k: the rows with a weight. Raises ValueError on bad weights or numbers."""
        values = checked_numbers(grid)
        used = weighted_rows(self.rows, self.y, self.classes, row_weights)
        rows = self.rows if len(used.index) == len(self.rows) else self.rows[used.index]
        return NeighbourPath(rows, used.y, used.weights, self.classes, values, self.temperature)

    def leave_one_out(self, grid: Sequence[float], row_weights: Doubles) -> Doubles:
        """Return (k, n, classes): each row's shares of the votes of the others; see :meth:`fit`."""
        index = np.flatnonzero(row_weights)
        own = np.full(len(self.rows), -1)
        own[index] = np.arange(len(index))
        return self.fit(grid, row_weights).shares(self.rows, own)


def rows_of_unit_length(X: NDArray[Any]) -> NDArray[Any]:
    """Return rows (n, d) divided by their lengths, in float16 if they are that, else float32."""
    rows = np.empty(X.shape, np.float16 if X.dtype == np.float16 else np.float32)
    for start in range(0, len(X), _ROWS):
        part = slice(start, start + _ROWS)
        rows[part] = normalized(X[part].astype(np.float32, copy=False))
    return rows


def checked_temperature(temperature: float) -> float:
    """Return a temperature. Raises ValueError unless it is finite and above 0."""
    if not (np.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature is {temperature}; expected a finite value above 0, such as 0.07")
    return temperature


def checked_numbers(grid: Sequence[float]) -> NDArray[np.int64]:
    """Return numbers of neighbours, int64 (k,). Raises ValueError unless they are whole and above 0."""
    values = checked_grid("k", grid)
    if (values != np.round(values)).any():
        raise ValueError(f"k is {list(grid)}; expected whole numbers")
    return values.astype(np.int64)
