"""The heads that predict numbers as scikit-learn regressors, each with one value of its parameter.

All take X (n, d) of float16, float32 or float64 (anything else becomes float32), y (n,) or (n, outputs) of numbers,
and ``sample_weight`` (n,) of 0 or more, where a row of weight 0 is a row that is not there. Their other parameters are
those of their solvers. After ``fit`` they have ``n_features_in_``, and ``path_``, the one fitted head as its solver
returned it.
"""

from __future__ import annotations

import warnings
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from frostline.stages.heads.solvers.descent import Schedule
from frostline.stages.heads.solvers.knn_regression import NeighbourRegressionSolver
from frostline.stages.heads.solvers.ridge_regression import RidgeRegressionSolver
from frostline.stages.heads.solvers.sgd_regression import SgdRegressionSolver

_FLOATS = [np.float32, np.float64, np.float16]


class _Regressor(MultiOutputMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Fits its solver with one value; what is no option of the solver is the parameter."""

    solver: ClassVar[Any]

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the rows; warns where that does not converge. Raises ValueError on rows or values of no use."""
        rows, values = validate_data(self, X, y, dtype=_FLOATS, y_numeric=True, multi_output=True)
        weights = _check_sample_weight(sample_weight, rows, dtype=np.float64, ensure_non_negative=True)
        used = weights > 0
        self._one = values.ndim == 1
        several = values.reshape(len(rows), -1)[used].astype(np.float64)
        options = self.get_params()
        value = options.pop(self.solver.parameter)
        self.path_ = self.solver(rows[used], several, several.shape[1], **options).fit((value,), weights[used])
        if not self.path_.converged[0]:
            warnings.warn(f"{type(self).__name__} did not converge", ConvergenceWarning, stacklevel=2)
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the predicted values, as y was, (n,) or (n, outputs)."""
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=_FLOATS, reset=False)
        values: NDArray[np.float64] = self.path_.decision_values(rows)[0]
        return values[:, 0] if self._one else values


class RidgeRegressionHead(_Regressor):
    """Ridge regression with one ``alpha``: :mod:`frostline.stages.heads.solvers.ridge_regression`."""

    solver = RidgeRegressionSolver

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha


class KNNRegressionHead(_Regressor):
    """Weighted means of the ``k`` nearest rows: :mod:`frostline.stages.heads.solvers.knn_regression`."""

    solver = NeighbourRegressionSolver

    def __init__(self, k: int = 20, *, temperature: float = 0.07) -> None:
        self.k = k
        self.temperature = temperature


class LinearSGDRegressionHead(_Regressor):
    """A linear layer trained with one learning rate: :mod:`frostline.stages.heads.solvers.sgd_regression`."""

    solver = SgdRegressionSolver

    def __init__(
        self,
        lr: float = 0.005,
        *,
        steps: int = 12_500,
        batch: int = 128,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        schedule: Schedule = "cosine",
        seed: int = 0,
        device: str = "cpu",
    ) -> None:
        self.lr = lr
        self.steps = steps
        self.batch = batch
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.seed = seed
        self.device = device
