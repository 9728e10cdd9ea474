"""Ridge regression of many labels, for every alpha of a grid and with exact leave-one-out scores.

Targets are 1 where a row has a label and -1 where it hasn't; a row of which that is unknown is left out for that label.
A score above 0 means yes. See :mod:`frostline.stages.heads.solvers.ridge_regression` for the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from frostline.stages.heads.multi_label import MultiLabelPath, checked_labels, with_unknown_as_nan
from frostline.stages.heads.solvers.ridge_regression import RidgeRegressionSolver
from frostline.stages.heads.solvers.weighted_rows import Doubles


class RidgeLabelsSolver:
    """All alphas from one eigendecomposition for the labels that are known of the same rows.

    Args:
        X: (n, d) float16, float32 or float64, finite.
        y: (n, classes) int8: 1, 0, or -1 for unknown.
        classes: how many labels there are.
    """

    parameter: ClassVar[str] = "alpha"

    def __init__(self, X: NDArray[Any], y: NDArray[np.int8], classes: int) -> None:
        self.X, self.y = X, checked_labels(y, len(X), classes)
        self._last: tuple[NDArray[np.bool_], RidgeRegressionSolver] | None = None

    def fit(self, grid: Sequence[float], row_weights: Doubles) -> MultiLabelPath:
        """Return a head for each alpha, above 0. Raises ValueError on weights or alphas that can't be used.

        A label that is unknown of all rows that count has W = 0 and b = 0.
        """
        known, solver = self._of_known(row_weights)
        path = solver.fit(grid, row_weights)
        weight = np.zeros((len(grid), self.y.shape[1], self.X.shape[1]))
        bias = np.zeros(weight.shape[:2])
        weight[:, known], bias[:, known] = path.weight, path.bias
        return MultiLabelPath(weight, bias, path.converged, path.iterations, probabilistic=False)

    def leave_one_out(self, grid: Sequence[float], row_weights: Doubles) -> Doubles:
        """Return (k, n, labels): each row's scores by the head fitted without it; see :meth:`fit`."""
        known, solver = self._of_known(row_weights)
        scores = np.zeros((len(grid), *self.y.shape))
        scores[..., known] = solver.leave_one_out(grid, row_weights)
        return scores

    def _of_known(self, row_weights: Doubles) -> tuple[NDArray[np.bool_], RidgeRegressionSolver]:
        """Return which labels are known of a row that counts, and the solver of these."""
        known: NDArray[np.bool_] = np.asarray((self.y[row_weights > 0] >= 0).any(0))
        if self._last is None or not np.array_equal(self._last[0], known):
            targets = 2 * with_unknown_as_nan(self.y[:, known]) - 1
            self._last = known, RidgeRegressionSolver(self.X, targets, targets.shape[1])
        return self._last
