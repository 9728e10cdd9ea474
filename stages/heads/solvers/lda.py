"""Linear discriminant analysis with a shrunk covariance, for every shrinkage of a grid.

Classes are Gaussian with means m_c, priors p_c (their shares of the weight) and one covariance, shrunk towards
a ball (Friedman 1989, "Regularized discriminant analysis", with the pooled covariance alone; scikit-learn's
``shrunk_covariance``):

    S = (1 - s) S_w + s trace(S_w) / d I,    S_w = sum_i w_i (x_i - m_y)(x_i - m_y)^T / sum_i w_i

The posterior of a class is the softmax over classes of  (x - m)^T S^-1 (m_c - m) - 1/2 |m_c - m|^2_{S^-1} + log p_c,
m the mean of all rows: a linear head.
"""

from __future__ import annotations

from collections.abc import Sequence
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


class LDASolver:
    """All shrinkages from one eigendecomposition of S_w, d wide, or m wide where the m rows that count are fewer.

    A class of one row takes part with its mean. A constant column is, shrunk, one more direction of small
    variance in which the classes don't differ, and gets no weight.

    Args:
        X: (n, d) float16, float32 or float64, finite.
        y: (n,) int64 labels 0 .. classes - 1.
        classes: how many there are.
    """

    parameter: ClassVar[str] = "shrinkage"

    def __init__(self, X: NDArray[Any], y: NDArray[np.int64], classes: int) -> None:
        self.X, self.y, self.classes = X, y, classes

    def fit(self, grid: Sequence[float], row_weights: Doubles) -> LinearPath:
        """Return a head for each shrinkage, from 0 to 1.

        Raises ValueError on weights or values that can't be used, where no row differs from its class's
        mean, and for a shrinkage of 0 where S_w has no inverse.
        """
        shrinkages = checked_grid(self.parameter, grid, low=0, high=1)
        rows = weighted_rows(self.X, self.y, self.classes, row_weights)
        parts = spectrum(rows, rows.means)
        _check_invertible(parts, self.X.shape[1], shrinkages)
        return _path(rows, _solved(parts, rows, shrinkages))


def _check_invertible(parts: Spectrum, width: int, shrinkages: Doubles) -> None:
    rank = np.count_nonzero(parts.values)
    if rank == 0:
        raise ValueError("no row differs from the mean of its class; expected classes with several different rows")
    if rank < width and (shrinkages == 0).any():
        raise ValueError(
            f"within classes the rows span {rank} of {width} dimensions, so their covariance has no inverse; set "
            "a shrinkage above 0, such as 0.01"
        )


def _solved(parts: Spectrum, rows: WeightedRows, shrinkages: Doubles) -> Doubles:
    """(k, classes, d): S^-1 (m_c - m), within the span of the rows less their means and outside it."""
    offsets = np.where(rows.totals[:, None] > 0, rows.means - rows.mean, 0)
    variances = parts.values / rows.weights.sum()
    ball = (shrinkages * variances.sum() / rows.X.shape[1])[:, None]
    inside = offsets @ parts.basis
    spread = (1 - shrinkages[:, None]) * variances + ball
    spread = np.where(parts.values > 0, spread, 1)
    weight: Doubles = (inside / spread[:, None]) @ parts.basis.T
    if np.count_nonzero(parts.values) < rows.X.shape[1]:
        weight += (offsets - inside @ parts.basis.T) / ball[..., None]
    return weight


def _path(rows: WeightedRows, weight: Doubles) -> LinearPath:
    share = rows.totals / rows.totals.sum()
    log_prior = np.log(share, where=share > 0, out=np.full(len(share), -np.inf))
    bias = log_prior - np.einsum("kcd,cd->kc", weight, (rows.means + rows.mean) / 2)
    return LinearPath(weight, bias, np.ones(len(weight), bool), np.ones(len(weight), np.int64))
