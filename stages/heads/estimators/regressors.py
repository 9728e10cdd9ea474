"""The heads that predict numbers as scikit-learn regressors.

All take X (n, d) of float16, float32 or float64 (anything else becomes float32), y (n,) or (n, outputs) of finite
numbers, and ``sample_weight`` (n,) of 0 or more: a row of weight 0 is a row that is not there. ``fit`` raises
ValueError for rows, values or parameters that can't be used. After it all have ``n_features_in_``, and
``feature_names_in_`` where X is a frame; linear ones ``coef_`` float64 (d,) and ``intercept_`` float64, or (outputs, d)
and (outputs,); those that iterate ``n_iter_``.

>>> import numpy as np
>>> X = np.arange(8.0).reshape(4, 2)
>>> head = RidgeRegressor(alpha=1e-6).fit(X, X @ [2.0, 1.0] + 3)
>>> head.coef_.shape, head.predict(X).round(3).tolist()
((2,), [4.0, 10.0, 16.0, 22.0])
"""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from frostline.stages.heads.estimators.base import FLOATS, FittedBySolver, used_rows
from frostline.stages.heads.solvers.descent import Schedule
from frostline.stages.heads.solvers.knn_regression import NeighbourRegressionSolver
from frostline.stages.heads.solvers.ridge_regression import RidgeRegressionSolver
from frostline.stages.heads.solvers.sgd_regression import SgdRegressionSolver


class _Regressor(FittedBySolver, MultiOutputMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Fits its solver with one value."""

    _linear: ClassVar[bool] = True
    _iterates: ClassVar[bool] = False

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the rows X (n, d) to the values y (n,) or (n, outputs)."""
        rows, values = validate_data(self, X, y, dtype=FLOATS, y_numeric=True, multi_output=True)
        weights, used = used_rows(sample_weight, rows)
        self._one = values.ndim == 1
        several = values.reshape(len(rows), -1)[used].astype(np.float64)
        path = self._fitted_path(rows[used], several, several.shape[1], weights[used], self.get_params())
        self._path = path
        if self._linear:
            kept = (0, 0) if self._one else (0,)
            self.coef_, self.intercept_ = path.weight[kept], path.bias[kept]
        if self._iterates:
            self.n_iter_ = int(path.iterations[0])
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the predicted values, as y was, (n,) or (n, outputs)."""
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=FLOATS, reset=False)
        values: NDArray[np.float64] = self._path.decision_values(rows)[0]
        return values[:, 0] if self._one else values


class RidgeRegressor(_Regressor):
    """Ridge regression; the objective is scikit-learn's: :mod:`frostline.stages.heads.solvers.ridge_regression`.

    Args:
        alpha: the penalty, above 0.
    """

    solver = RidgeRegressionSolver

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha


class KNNRegressor(_Regressor):
    """Weighted means of the nearest rows by cosine: :mod:`frostline.stages.heads.solvers.knn_regression`.

    Args:
        k: how many rows count.
        temperature: of the cosines; smaller ones favour the nearest.
    """

    solver = NeighbourRegressionSolver
    _linear = False

    def __init__(self, k: int = 20, *, temperature: float = 0.07) -> None:
        self.k = k
        self.temperature = temperature


class LinearSGDRegressor(_Regressor):
    """A linear layer trained by SGD with momentum: :mod:`frostline.stages.heads.solvers.sgd_regression`.

    Args: those of ``LinearSGDClassifier``, but ``class_weight``.
    """

    solver = SgdRegressionSolver
    _iterates = True

    def __init__(
        self,
        lr: float = 0.005,
        *,
        steps: int = 12_500,
        batch: int = 128,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        schedule: Schedule = "cosine",
        random_state: int = 0,
        device: str = "cpu",
    ) -> None:
        self.lr = lr
        self.steps = steps
        self.batch = batch
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.random_state = random_state
        self.device = device
