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

from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from frostline.stages.heads.estimators.base import FLOATS, FittedBySolver, used_rows

if TYPE_CHECKING:  # importing it loads torch
    from frostline.stages.heads.solvers.descent import Schedule


class _Regressor(FittedBySolver, MultiOutputMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Fits its solver with one value."""

    _target = "regression"
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
    """Ridge regression: sum_i w_i error_i^2 + alpha ||W||^2, a free intercept; scikit-learn's objective.

    Args:
        alpha: the penalty, above 0.

    Attributes:
        coef_, intercept_: float64 (d,) and a number, or (outputs, d) and (outputs,).
        n_features_in_: number of features; ``feature_names_in_``: their names, if X is a frame.
    """

    _head = "ridge"

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha


class KNNRegressor(_Regressor):
    """Means of the nearest rows' values, weighted by exp(cosine / temperature).

    Args:
        k: how many rows count.
        temperature: of the cosines; smaller ones favour the nearest.

    Attributes:
        n_features_in_: number of features; ``feature_names_in_``: their names, if X is a frame.
    """

    _head = "knn"
    _linear = False

    def __init__(self, k: int = 20, *, temperature: float = 0.07) -> None:
        self.k = k
        self.temperature = temperature


class LinearSGDRegressor(_Regressor):
    """A linear layer trained by SGD with momentum on squared errors.

    Args:
        lr: learning rate, above 0.
        steps: batches in all.
        batch: rows of each.
        momentum, weight_decay, schedule: of the optimizer; ``schedule`` "cosine" or "constant".
        random_state: seed of the start and of the batches: a whole number, None or a ``RandomState``.
        device: where torch works.

    Attributes:
        coef_, intercept_: float64 (d,) and a number, or (outputs, d) and (outputs,).
        n_iter_: number of batches, as ``steps``.
        n_features_in_: number of features; ``feature_names_in_``: their names, if X is a frame.
    """

    _head = "linear"
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
