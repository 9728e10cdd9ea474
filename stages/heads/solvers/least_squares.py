"""Penalised least squares for every alpha of a grid, with exact leave-one-out scores.

With weights w_i and targets t_i a head minimises

    sum_i w_i ||t_i - W x_i - b||^2 + alpha ||W||^2,    b free.

Let m and u be the weighted means of x and t, S = sum_i w_i, and V diag(l) V^T = sum_i w_i (x_i - m)(x_i - m)^T.
Then W = B V diag(1 / (l + alpha)) V^T with B = sum_i w_i (t_i - u)(x_i - m)^T, and b = u - W m. Row i weighs

    h_i = w_i / S + w_i |V^T (x_i - m)|^2_{1 / (l + alpha)}

in its own score f_i, and without it the score is t_i - (t_i - f_i) / (1 - h_i) (Allen's PRESS; Golub, Heath
and Wahba 1979, "Generalized cross-validation").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.stages.heads.solvers.weighted_rows import Doubles, Spectrum, WeightedRows

_BLOCK = 2**22  # scores at once
_ROUNDING = 1e4  # times an eigenvalue that is 0 except for rounding errors
TargetsOf = Callable[[Any], Doubles]


def solved(scatter: Doubles, products: Doubles, alpha: float) -> Doubles | None:
    """Return W (t, d) for one alpha, without eigenvectors, from the scatter (d, d) and B (t, d).

    None if alpha is so small that directions with nothing but rounding errors would count.
    """
    from scipy.linalg import cho_factor, cho_solve

    if alpha <= _ROUNDING * len(scatter) * np.finfo(np.float64).eps * np.trace(scatter):
        return None
    weight: Doubles = cho_solve(cho_factor(scatter + alpha * np.eye(len(scatter))), products.T).T
    return weight


@dataclass(frozen=True, eq=False)
class Factors:
    """``target`` (t,), the mean of t; ``projected`` (t, r), B V."""

    rows: WeightedRows
    spectrum: Spectrum
    target: Doubles
    projected: Doubles

    def solution(self, alphas: Doubles) -> tuple[Doubles, Doubles]:
        """Return W (k, t, d) and b (k, t)."""
        weight = _of_each(self.filtered(alphas), self.spectrum.basis)
        return weight, self.target - weight @ self.rows.mean

    def leave_one_out(self, X: NDArray[Any], targets: TargetsOf, weights: Doubles, alphas: Doubles) -> Doubles:
        """Return (k, n, t): the scores of rows of X (n, d) by heads fitted without them.

        ``targets``: gives those of some rows, (b, t). ``weights`` (n,): 0 for the rows that are not in the fit.
        """
        scores = np.empty((len(alphas), len(X), len(self.target)))
        length = max(1, _BLOCK // (len(alphas) * len(self.target)))
        for start in range(0, len(X), length):
            part = slice(start, start + length)
            scores[:, part] = self.without(X[part], targets(part), weights[part], alphas)
        if self.spectrum.left is not None:
            scores[:, self.rows.index] = self.without_few(targets(self.rows.index), alphas)
        return scores

    def filtered(self, alphas: Doubles) -> Doubles:
        """(k, t, r): W V."""
        return self.projected / (self.spectrum.values + alphas[:, None])[:, None]

    def without(self, X: NDArray[Any], target: Doubles, weights: Doubles, alphas: Doubles) -> Doubles:
        """(k, b, t): scores of b rows, by heads fitted without them where they have a weight."""
        rotated = (X - self.rows.mean) @ self.spectrum.basis
        inverse = 1 / (self.spectrum.values + alphas[:, None])
        weighed = weights / self.rows.weights.sum() + weights * (inverse @ np.square(rotated).T)
        fitted = np.swapaxes(_of_each(self.filtered(alphas), rotated), 1, 2) + self.target
        left = np.maximum(1 - weighed, np.finfo(np.float64).eps)
        scores: Doubles = target - (target - fitted) / left[..., None]
        return scores

    def without_few(self, target: Doubles, alphas: Doubles) -> Doubles:
        """(k, m, t): the same of all rows that count, from eigenvectors of Z Z^T.

        There 1 - h_i is alpha sum_j L_ij^2 / (l_j + alpha), and the fitted rows' residuals have the same factor
        alpha: no digits are lost where heads go through their rows, h_i near 1.
        """
        left = self.spectrum.left
        assert left is not None
        root = np.sqrt(self.rows.weights)[:, None]
        inverse = 1 / (self.spectrum.values + alphas[:, None])
        projected = left.T @ (root * (target - self.target))
        residual = left @ (inverse[..., None] * projected) / root
        return target - residual / (inverse @ np.square(left).T)[..., None]


def _of_each(filtered: Doubles, rows: Doubles) -> Doubles:
    """(k, t, n): ``filtered`` (k, t, r) times the rows (n, r), in one product and not in one for each alpha."""
    k, t, r = filtered.shape
    found: Doubles = (filtered.reshape(k * t, r) @ rows.T).reshape(k, t, len(rows))
    return found
