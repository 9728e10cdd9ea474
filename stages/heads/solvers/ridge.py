"""Ridge regression of class indicators, for every alpha of a grid and with exact leave-one-out scores.

Targets are +1 for the class and -1 otherwise; see :mod:`frostline.stages.heads.solvers.least_squares` for the rest.
Targets and objective are those of scikit-learn's ``RidgeClassifier`` and of big_vision's ``fewshot_lsr.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from frostline.stages.heads.linear import LinearPath
from frostline.stages.heads.solvers.least_squares import Factors, solved
from frostline.stages.heads.solvers.weighted_rows import (
    Doubles,
    WeightedRows,
    checked_grid,
    scatter,
    spectrum,
    weighted_rows,
)


class RidgeSolver:
    """All alphas from one eigendecomposition, d wide, or m wide where the m rows that count are fewer.

    Directions in which the rows differ by less than float64 resolves relative to the widest count for nothing:
    so do constant columns; equal columns share their weight. alpha is measured against sums over rows of squared
    features, so that useful values span many decades: try quarters of one from 1e-6 to 1e9.

    Args:
        X: (n, d) float16, float32 or float64, finite.
        y: (n,) int64 labels 0 .. classes - 1.
        classes: how many there are.
    """

    parameter: ClassVar[str] = "alpha"

    def __init__(self, X: NDArray[Any], y: NDArray[np.int64], classes: int) -> None:
        self.X, self.y, self.classes = X, y, classes
        self._last: tuple[Doubles, Factors] | None = None

    def fit(self, grid: Sequence[float], row_weights: Doubles) -> LinearPath:
        """Return a head for each alpha, above 0. Raises ValueError on weights or alphas that can't be used."""
        alphas = checked_grid(self.parameter, grid)
        rows, weight, bias = self._of_one(alphas, row_weights) or self._of_all(alphas, row_weights)
        bias = np.where(rows.totals > 0, bias, -np.inf)
        return LinearPath(weight, bias, np.ones(len(alphas), bool), np.ones(len(alphas), np.int64), False)

    def leave_one_out(self, grid: Sequence[float], row_weights: Doubles) -> Doubles:
        """Return (k, n, classes): each row's scores by the head fitted without it; see :meth:`fit`.

        A row of weight 0 gets the scores of the head fitted on the others. 8 k n classes bytes: ask for
        fewer alphas at a time where that is too much, the factorisation is kept.
        """
        alphas = checked_grid(self.parameter, grid)
        factors = self._factors(row_weights)
        scores = factors.leave_one_out(self.X, lambda rows: _targets(self.y[rows], self.classes), row_weights, alphas)
        return np.where(factors.rows.totals > 0, scores, -np.inf)

    def _of_all(self, alphas: Doubles, row_weights: Doubles) -> tuple[WeightedRows, Doubles, Doubles]:
        factors = self._factors(row_weights)
        return factors.rows, *factors.solution(alphas)

    def _of_one(self, alphas: Doubles, row_weights: Doubles) -> tuple[WeightedRows, Doubles, Doubles] | None:
        """Return what ``_of_all`` does, by Cholesky's decomposition; None where eigenvectors are there, or needed."""
        if len(alphas) > 1 or self._known(row_weights):
            return None
        rows = weighted_rows(self.X, self.y, self.classes, row_weights)
        if len(rows.index) <= self.X.shape[1]:
            return None
        spread = scatter(rows, np.broadcast_to(rows.mean, rows.means.shape))
        found = solved(spread, _products(rows), float(alphas[0]))
        return None if found is None else (rows, found[None], (_target(rows) - found @ rows.mean)[None])

    def _known(self, row_weights: Doubles) -> bool:
        return self._last is not None and np.array_equal(self._last[0], row_weights)

    def _factors(self, row_weights: Doubles) -> Factors:
        if self._last is None or not self._known(row_weights):
            rows = weighted_rows(self.X, self.y, self.classes, row_weights)
            self._last = np.array(row_weights), _factored(rows)
        return self._last[1]


def _factored(rows: WeightedRows) -> Factors:
    parts = spectrum(rows, np.broadcast_to(rows.mean, rows.means.shape))
    return Factors(rows, parts, _target(rows), _products(rows) @ parts.basis)


def _target(rows: WeightedRows) -> Doubles:
    """(classes,): the mean target."""
    target: Doubles = 2 * rows.totals / rows.totals.sum() - 1
    return target


def _products(rows: WeightedRows) -> Doubles:
    """(classes, d): the sum of target times row, both centred."""
    products: Doubles = 2 * rows.totals[:, None] * (rows.means - rows.mean)
    return products


def _targets(y: NDArray[np.int64], classes: int) -> Doubles:
    """(b, classes): 1 for the class and -1 otherwise."""
    return np.where(y[:, None] == np.arange(classes), 1.0, -1.0)
