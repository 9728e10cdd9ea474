"""Ridge regression of values, for every alpha of a grid and with exact leave-one-out predictions.

The objective is that of scikit-learn's ``Ridge``, and the formulas are those of
:mod:`frostline.stages.heads.solvers.least_squares`. Outputs whose values are known in the same rows share one
eigendecomposition.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from frostline.stages.heads.linear_regression import LinearRegressionPath
from frostline.stages.heads.solvers.known_values import by_known, checked_values
from frostline.stages.heads.solvers.least_squares import Factors
from frostline.stages.heads.solvers.weighted_rows import Doubles, checked_grid, spectrum, unlabelled_rows

Group = tuple[NDArray[np.int64], NDArray[np.bool_], Factors]


class RidgeRegressionSolver:
    """All alphas from one eigendecomposition; see :class:`frostline.stages.heads.solvers.ridge.RidgeSolver`.

    Args:
        X: (n, d) float16, float32 or float64, finite.
        y: (n, outputs) float64, NaN where not known.
        classes: how many outputs there are.
    """

    parameter: ClassVar[str] = "alpha"

    def __init__(self, X: NDArray[Any], y: Doubles, classes: int) -> None:
        self.X, self.y, self.outputs = X, checked_values(y, len(X)), classes
        self._last: tuple[Doubles, list[Group]] | None = None

    def fit(self, grid: Sequence[float], row_weights: Doubles) -> LinearRegressionPath:
        """Return a head for each alpha, above 0. Raises ValueError on weights or alphas that can't be used."""
        alphas = checked_grid(self.parameter, grid)
        weight = np.empty((len(alphas), self.outputs, self.X.shape[1]))
        bias = np.empty(weight.shape[:2])
        for outputs, _, factors in self._factors(row_weights):
            weight[:, outputs], bias[:, outputs] = factors.solution(alphas)
        return LinearRegressionPath(weight, bias, np.ones(len(alphas), bool), np.ones(len(alphas), np.int64))

    def leave_one_out(self, grid: Sequence[float], row_weights: Doubles) -> Doubles:
        """Return (k, n, outputs): each row's predictions by the head fitted without it; see :meth:`fit`.

        A row of weight 0, and one whose value is not known, gets the prediction of the head fitted on the others.
        """
        alphas = checked_grid(self.parameter, grid)
        found = np.empty((len(alphas), *self.y.shape))
        for outputs, known, factors in self._factors(row_weights):
            targets = np.where(known[:, None], self.y[:, outputs], 0)
            left = factors.leave_one_out(self.X, targets.__getitem__, row_weights * known, alphas)
            found[:, :, outputs] = left
        return found

    def _factors(self, row_weights: Doubles) -> list[Group]:
        if self._last is None or not np.array_equal(self._last[0], row_weights):
            groups = [(*group, self._factored(*group, row_weights)) for group in by_known(self.y)]
            self._last = np.array(row_weights), groups
        return self._last[1]

    def _factored(self, outputs: NDArray[np.int64], known: NDArray[np.bool_], row_weights: Doubles) -> Factors:
        rows = unlabelled_rows(self.X, row_weights * known)
        parts = spectrum(rows, rows.mean[None])
        targets = self.y[rows.index][:, outputs]
        mean = rows.weights @ targets / rows.weights.sum()
        off = (targets - mean) * rows.weights[:, None]
        together = np.zeros((len(outputs), self.X.shape[1]))
        for part, block in rows.blocks():
            together += off[part].T @ (block - rows.mean)
        return Factors(rows, parts, mean, together @ parts.basis)
