"""A linear support vector machine for every C of a grid: scikit-learn's ``LinearSVC``, one class against the rest.

Each class minimises  1/2 (|w|^2 + b^2) + C sum_i w_i max(0, 1 - t_i (w x_i + b))^2,  t_i = +1 for the class and
-1 otherwise (Fan et al. 2008, "LIBLINEAR"); unlike the other heads, b is penalised.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

from stages.heads.linear import LinearPath
from stages.heads.rows import Doubles, WeightedRows, checked_grid, weighted_rows


class SVMSolver:
    """One fit of LIBLINEAR for each C and class; it works on a copy of the rows in float64.

    Args:
        X: (n, d) float16, float32 or float64, finite.
        y: (n,) int64 labels 0 .. classes - 1.
        classes: how many there are.
        max_iter: of LIBLINEAR, for each class.
    """

    parameter: ClassVar[str] = "C"

    def __init__(self, X: NDArray[Any], y: NDArray[np.int64], classes: int, *, max_iter: int = 1000) -> None:
        self.X, self.y, self.classes, self.max_iter = X, y, classes, max_iter

    def fit(self, grid: Sequence[float], row_weights: Doubles) -> LinearPath:
        """Return a head for each C, above 0; LIBLINEAR's word on convergence is in ``converged``.

        Raises ValueError on weights or values that can't be used.
        """
        values = checked_grid(self.parameter, grid)
        rows = weighted_rows(self.X, self.y, self.classes, row_weights)
        X = self.X[rows.index].astype(np.float64)
        weight = np.zeros((len(values), self.classes, X.shape[1]))
        bias = np.full((len(values), self.classes), -np.inf)
        iterations = np.zeros(len(values), np.int64)
        converged = np.zeros(len(values), bool)
        for i, C in enumerate(values):
            model, converged[i] = self._machine(C, X, rows)
            weight[i, model.classes_], bias[i, model.classes_] = _of_each_class(model)
            iterations[i] = model.n_iter_
        return LinearPath(weight, bias, converged, iterations, probabilistic=False)

    def _machine(self, C: float, X: Doubles, rows: WeightedRows) -> tuple[Any, bool]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = LinearSVC(C=C, max_iter=self.max_iter, random_state=0).fit(X, rows.y, rows.weights)
        return model, not any(issubclass(warning.category, ConvergenceWarning) for warning in caught)


def _of_each_class(model: Any) -> tuple[Doubles, Doubles]:
    """W and b, a row for each class; of two classes LIBLINEAR has the second's alone."""
    if len(model.classes_) > 2:
        return model.coef_, model.intercept_
    return np.concatenate((-model.coef_, model.coef_)), np.concatenate((-model.intercept_, model.intercept_))
