"""A regressor that chooses its parameter as ``frostline fit --head ridge`` does: the same value, the same weights.

>>> from sklearn.datasets import load_diabetes
>>> X, y = load_diabetes(return_X_y=True)
>>> probe = RidgeProbeCV(cv="loo").fit(X, y)
>>> round(probe.alpha_, 3), probe.coef_.shape, round(probe.score(X, y), 2)
(0.1, (10,), 0.51)
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any, Self, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from frostline.pipeline.estimators.choosing import Choosing, Cv, Rows, beside
from frostline.stages.heads.estimators import FLOATS
from frostline.stages.heads.linear_regression import LinearRegressionHead
from frostline.stages.heads.spec import Scaling


class RidgeProbeCV(Choosing, MultiOutputMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Ridge regression, its alpha chosen on held-out rows or by exact leave-one-out.

    It does what ``frostline fit --head ridge`` does for regression. Unknown values (NaN) are refused here.

    Args:
        alphas: values to choose from; None: the grid of the command, 61 values from 1e-6 to 1e9.
        cv: "auto": five folds, repeated if rows are few, or a hold-out if there are 10,000 rows or more; a number of
            folds; a fraction of the rows to hold out, such as 0.1; a splitter of scikit-learn, or its splits; or "loo":
            exact leave-one-out. "loo" refuses repeated rows, since the copies of a row would be fitted when it is held
            out; use ``cv=5`` then, where copies stay together.
        scaling: "none", "standardize" or "l2"; it is part of the head.
        criterion: how values are judged on held-out rows. None or "r2", "mae" or "rmse": of the values whose mean error
            is within half a standard error of the lowest, the largest alpha, which is the most regularised. "pearson",
            "spearman" or "kendall": the best value. Several outputs share one alpha: scores, R² too, are averaged over
            them, with equal weight.
        random_state: seed of the folds: a whole number, None (another at each fit) or a ``RandomState``.

    Attributes:
        alpha_: the chosen value.
        alphas_: float64 (k,), the values to choose from.
        coef_, intercept_: float64 (d,) and a number, or (outputs, d) and (outputs,).
        selection_: how the value was chosen: scores of every value, ``alike``, ``at_edge``.
        head_: the fitted head, float64, as ``frostline fit`` stores it.
        n_features_in_: number of features; ``feature_names_in_``: their names, if X is a frame.
    """

    _head, _grid = "ridge", "alphas"
    _usual = MappingProxyType({"regression": "r2"})
    head_: LinearRegressionHead

    def __init__(
        self,
        alphas: Sequence[float] | None = None,
        *,
        cv: Cv = "auto",
        scaling: Scaling = "none",
        criterion: str | None = None,
        random_state: int = 0,
    ) -> None:
        self.alphas = alphas
        self.cv = cv
        self.scaling = scaling
        self.criterion = criterion
        self.random_state = random_state

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
        digests: ArrayLike | None = None,
    ) -> Self:
        """Choose alpha on held-out rows, then fit all rows with it.

        ``y``: finite numbers (n,) or (n, outputs); the rest is as of ``LogisticProbeCV.fit``. Raises ValueError: rows,
        values or parameters that can't be used, or too few rows to choose on.
        """
        how: dict[str, Any] = {"y_numeric": True, "multi_output": True, "ensure_min_samples": 2}
        rows, values = validate_data(self, X, y, dtype=FLOATS, **how)
        extra = beside(rows, values, self.cv, sample_weight, groups, digests)
        self._one = values.ndim == 1
        several = values.reshape(len(rows), -1)[extra.used].astype(np.float64)
        names = tuple(map(str, range(several.shape[1])))
        found = Rows(rows[extra.used], several, names, extra.weights, extra)
        head, self.selection_ = self._chosen(found, "regression", **self.get_params())
        self.head_ = cast(LinearRegressionHead, head)
        self.alpha_, self.alphas_ = self.selection_.value, np.array(self.selection_.grid)
        weight, bias = self.head_.weight, self.head_.bias
        kept: Any = 0 if self._one else slice(None)
        self.coef_: NDArray[np.float64] = weight[kept]
        self.intercept_: NDArray[np.float64] = bias[kept]
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the predicted values, as y was, (n,) or (n, outputs)."""
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=FLOATS, reset=False)
        values = self.head_.decision_values(rows)
        return values[:, 0] if self._one else values
