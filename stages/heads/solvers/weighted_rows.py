"""The rows that count in a fit: weighted, and turned to float64 a block at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Doubles = NDArray[np.float64]

_BLOCK = 4096
_TINY = np.finfo(np.float64).tiny


@dataclass(frozen=True, eq=False)
class WeightedRows:
    """Rows with a weight above 0.

    Attributes:
        X: (n, d) floats, all rows as they were given.
        index: (m,) int64, those of them that count.
        y: (m,) int64, their labels.
        weights: (m,) float64, above 0.
        classes: how many there are, with rows or without.
    """

    X: NDArray[Any]
    index: NDArray[np.int64]
    y: NDArray[np.int64]
    weights: Doubles
    classes: int

    @cached_property
    def totals(self) -> Doubles:
        """(classes,): the weight of each class."""
        return np.bincount(self.y, self.weights, self.classes).astype(np.float64)

    @cached_property
    def means(self) -> Doubles:
        """(classes, d): the weighted mean of each class; 0 for a class without rows."""
        sums = np.zeros((self.classes, self.X.shape[1]))
        for part, block in self.blocks():
            sums += self.class_sums(part) @ block
        return sums / np.where(self.totals > 0, self.totals, 1)[:, None]

    @cached_property
    def mean(self) -> Doubles:
        """(d,): the weighted mean of all rows."""
        mean: Doubles = self.totals @ self.means / self.totals.sum()
        return mean

    def blocks(self) -> Iterator[tuple[slice, Doubles]]:
        """Yield the rows that count, as float64, with their places among those."""
        for start in range(0, len(self.index), _BLOCK):
            part = slice(start, start + _BLOCK)
            yield part, self.X[self.index[part]].astype(np.float64, copy=False)

    def class_sums(self, part: slice) -> csr_array:
        """Return (classes, b): the matrix that sums b rows, times their weights, within each class."""
        y = self.y[part]
        return csr_array((self.weights[part], (y, np.arange(len(y)))), shape=(self.classes, len(y)))


def weighted_rows(X: NDArray[Any], y: NDArray[np.int64], classes: int, row_weights: Doubles) -> WeightedRows:
    """Return the rows of X (n, d) whose weight is above 0.

    Raises ValueError if the weights aren't (n,), finite and 0 or more, or leave fewer than two classes.
    """
    weights = _checked_weights(row_weights, len(X))
    index = np.flatnonzero(weights)
    present = len(np.unique(y[index]))
    if present < 2:
        raise ValueError(f"rows of {present} class have a weight above 0; a classifier needs at least two classes")
    return WeightedRows(X, index, y[index], weights[index], classes)


def unlabelled_rows(X: NDArray[Any], row_weights: Doubles) -> WeightedRows:
    """Return the rows of X (n, d) whose weight is above 0, as if all were of one class.

    Raises ValueError if the weights aren't (n,), finite and 0 or more, or leave no row.
    """
    weights = _checked_weights(row_weights, len(X))
    index = np.flatnonzero(weights)
    if not len(index):
        raise ValueError("no row with a known value has a weight above 0; expected at least one")
    return WeightedRows(X, index, np.zeros(len(index), np.int64), weights[index], 1)


def _checked_weights(row_weights: Doubles, n: int) -> Doubles:
    weights = np.asarray(row_weights, np.float64)
    if weights.shape != (n,) or not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise ValueError(f"row_weights of shape {weights.shape}; expected {n} finite weights of 0 or more")
    return weights


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Of Z^T Z, Z (m, d) being centred rows times the square roots of their weights.

    Attributes:
        values: (r,) float64 eigenvalues, ascending; r = d, or m - 1 where that is less. What float64
            can't tell from 0 relative to the largest is 0.
        basis: (d, r) float64, orthonormal eigenvectors; 0 where the value is.
        left: (m, r) float64, orthonormal eigenvectors of Z Z^T, where m <= d.
    """

    values: Doubles
    basis: Doubles
    left: Doubles | None


def spectrum(rows: WeightedRows, centres: Doubles) -> Spectrum:
    """Return the spectrum of rows less the centre (classes, d) of their class.

    The centres are such that the weighted sum of the rows less them is 0.
    """
    if len(rows.index) <= rows.X.shape[1]:
        return _of_few(rows, centres)
    values, basis = np.linalg.eigh(scatter(rows, centres))
    return _without_rounding(values, basis, None, len(rows.index))


def scatter(rows: WeightedRows, centres: Doubles) -> Doubles:
    """Return Z^T Z (d, d), Z as in :class:`Spectrum`: of rows less the centre (classes, d) of their class."""
    total = np.zeros((rows.X.shape[1],) * 2)
    for block in _scaled(rows, centres):
        total += block.T @ block
    return total


def _of_few(rows: WeightedRows, centres: Doubles) -> Spectrum:
    """From Z Z^T; Z is no larger than Z^T Z here. The eigenvector that the centring makes null is left out."""
    Z = np.concatenate(list(_scaled(rows, centres)))
    gram = Z @ Z.T
    null = np.sqrt(rows.weights / rows.weights.sum())
    values, left = np.linalg.eigh(gram + (1 + 2 * np.trace(gram)) * np.outer(null, null))
    values, left = values[:-1], left[:, :-1]
    basis = Z.T @ left / np.sqrt(np.where(values > 0, values, 1))
    return _without_rounding(values, basis, left, Z.shape[1])


def _scaled(rows: WeightedRows, centres: Doubles) -> Iterator[Doubles]:
    for part, block in rows.blocks():
        off, weights = block - centres[rows.y[part]], rows.weights[part]
        if (weights != 1).any():
            off *= np.sqrt(weights)[:, None]
        yield off


def _without_rounding(values: Doubles, basis: Doubles, left: Doubles | None, longer: int) -> Spectrum:
    kept = values > longer * np.finfo(np.float64).eps * max(values.max(initial=0), 0)
    return Spectrum(np.where(kept, values, 0), np.where(kept, basis, 0), left)


def checked_grid(parameter: str, grid: Sequence[float], low: float = _TINY, high: float = np.inf) -> Doubles:
    """Return values (k,) as float64. Raises ValueError unless they are finite, low <= value <= high, one or more."""
    values = np.asarray(grid, np.float64)
    fits = np.isfinite(values) & (values >= low) & (values <= high)
    if values.ndim != 1 or not len(values) or not fits.all():
        wanted = ("above 0" if low == _TINY else f"from {low:g}") + ("" if high == np.inf else f", {high:g} at most")
        raise ValueError(f"{parameter} is {list(grid)}; expected at least one finite value {wanted}")
    return values
