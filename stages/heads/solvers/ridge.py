"""Ridge regression of class indicators, for every alpha of a grid and with exact leave-one-out scores.

With weights w_i and targets t_i of +1 for the class and -1 otherwise, a head minimises

    sum_i w_i ||t_i - W x_i - b||^2 + alpha ||W||^2,    b free.

Let m and u be the weighted means of x and t, S = sum_i w_i, and V diag(l) V^T = sum_i w_i (x_i - m)(x_i - m)^T.
Then W = B V diag(1 / (l + alpha)) V^T with B = sum_i w_i (t_i - u)(x_i - m)^T, and b = u - W m. Row i weighs

    h_i = w_i / S + w_i |V^T (x_i - m)|^2_{1 / (l + alpha)}

in its own score f_i, and without it the score is t_i - (t_i - f_i) / (1 - h_i) (Allen's PRESS; Golub, Heath
and Wahba 1979, "Generalized cross-validation"). Targets and objective are those of scikit-learn's
``RidgeClassifier`` and of big_vision's ``fewshot_lsr.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from frostline.stages.heads.linear import LinearPath
from frostline.stages.heads.solvers.weighted_rows import (
    Doubles,
    Spectrum,
    WeightedRows,
    checked_grid,
    spectrum,
    weighted_rows,
)

_BLOCK = 2**22  # scores at once


class RidgeSolver:
    """All alphas from one eigendecomposition, d wide, or m wide where the m rows that count are fewer.

    Directions in which the rows differ by less than float64 resolves beside the widest count for nothing:
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
        self._last: tuple[Doubles, _Factors] | None = None

    def fit(self, grid: Sequence[float], row_weights: Doubles) -> LinearPath:
        """Return a head for each alpha, above 0. Raises ValueError on weights or alphas that can't be used."""
        alphas = checked_grid(self.parameter, grid)
        factors = self._factors(row_weights)
        weight = factors.filtered(alphas) @ factors.spectrum.basis.T
        bias = np.where(factors.rows.totals > 0, factors.target - weight @ factors.rows.mean, -np.inf)
        return LinearPath(weight, bias, np.ones(len(alphas), bool), np.ones(len(alphas), np.int64), False)

    def leave_one_out(self, grid: Sequence[float], row_weights: Doubles) -> Doubles:
        """Return (k, n, classes): each row's scores by the head fitted without it; see :meth:`fit`.

        A row of weight 0 gets the scores of the head fitted on the others. 8 k n classes bytes: ask for
        fewer alphas at a time where that is too much, the factorisation is kept.
        """
        alphas = checked_grid(self.parameter, grid)
        factors = self._factors(row_weights)
        scores = np.empty((len(alphas), len(self.X), self.classes))
        length = max(1, _BLOCK // (len(alphas) * self.classes))
        for start in range(0, len(self.X), length):
            part = slice(start, start + length)
            scores[:, part] = factors.without(self.X[part], self.y[part], row_weights[part], alphas)
        if factors.spectrum.left is not None:
            scores[:, factors.rows.index] = factors.without_few(alphas)
        return np.where(factors.rows.totals > 0, scores, -np.inf)

    def _factors(self, row_weights: Doubles) -> _Factors:
        if self._last is None or not np.array_equal(self._last[0], row_weights):
            rows = weighted_rows(self.X, self.y, self.classes, row_weights)
            self._last = np.array(row_weights), _factored(rows)
        return self._last[1]


@dataclass(frozen=True, eq=False)
class _Factors:
    """``target`` (classes,), the mean of t; ``projected`` (classes, r), B V."""

    rows: WeightedRows
    spectrum: Spectrum
    target: Doubles
    projected: Doubles

    def filtered(self, alphas: Doubles) -> Doubles:
        """(k, classes, r): W V."""
        return self.projected / (self.spectrum.values + alphas[:, None])[:, None]

    def without(self, X: NDArray[Any], y: NDArray[np.int64], weights: Doubles, alphas: Doubles) -> Doubles:
        """(k, b, classes): scores of b rows, by heads fitted without them where they have a weight."""
        rotated = (X - self.rows.mean) @ self.spectrum.basis
        inverse = 1 / (self.spectrum.values + alphas[:, None])
        weighed = weights / self.rows.weights.sum() + weights * (inverse @ np.square(rotated).T)
        fitted = rotated @ np.swapaxes(self.filtered(alphas), 1, 2) + self.target
        target = _targets(y, len(self.target))
        left = np.maximum(1 - weighed, np.finfo(np.float64).eps)
        scores: Doubles = target - (target - fitted) / left[..., None]
        return scores

    def without_few(self, alphas: Doubles) -> Doubles:
        """(k, m, classes): the same of all rows that count, from eigenvectors of Z Z^T.

        There 1 - h_i is alpha sum_j L_ij^2 / (l_j + alpha), and the fitted rows' residuals have the same factor
        alpha: no digits are lost where heads go through their rows, h_i near 1.
        """
        left = self.spectrum.left
        assert left is not None
        target, root = _targets(self.rows.y, len(self.target)), np.sqrt(self.rows.weights)[:, None]
        inverse = 1 / (self.spectrum.values + alphas[:, None])
        projected = left.T @ (root * (target - self.target))
        residual = left @ (inverse[..., None] * projected) / root
        return target - residual / (inverse @ np.square(left).T)[..., None]


def _factored(rows: WeightedRows) -> _Factors:
    parts = spectrum(rows, np.broadcast_to(rows.mean, rows.means.shape))
    target = 2 * rows.totals / rows.totals.sum() - 1
    projected = 2 * rows.totals[:, None] * ((rows.means - rows.mean) @ parts.basis)
    return _Factors(rows, parts, target, projected)


def _targets(y: NDArray[np.int64], classes: int) -> Doubles:
    """(b, classes): 1 for the class and -1 otherwise."""
    return np.where(y[:, None] == np.arange(classes), 1.0, -1.0)
