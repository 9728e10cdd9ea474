"""What the heads of single labels have in common as scikit-learn classifiers."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from frostline.stages.heads.estimators.base import FLOATS, FittedBySolver, used_rows
from frostline.stages.heads.estimators.linear import coefficients, linear_scores
from frostline.stages.heads.linear import softmax


class Classifier(FittedBySolver, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Fits its solver with one value."""

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the rows X (n, d) to the labels y (n,)."""
        rows, labels = validate_data(self, X, y, dtype=FLOATS)
        check_classification_targets(labels)
        weights, used = used_rows(sample_weight, rows)
        if not used.all():
            rows, labels, weights = rows[used], labels[used], weights[used]
        self.classes_, index = np.unique(labels, return_inverse=True)
        options = self.get_params()
        weights = weights * compute_sample_weight(options.pop("class_weight", None), labels)
        self._keep(self._fitted_path(rows, index, len(self.classes_), weights, options))
        return self

    def _keep(self, path: Any) -> None:
        raise NotImplementedError

    def _rows(self, X: ArrayLike) -> NDArray[Any]:
        check_is_fitted(self)
        rows: NDArray[Any] = validate_data(self, X, dtype=FLOATS, reset=False)
        return rows


class LinearClassifier(Classifier):
    """A classifier of W and b."""

    _iterates: ClassVar[bool] = False
    _against_rest: ClassVar[bool] = False
    _unit: ClassVar[bool] = False

    def _keep(self, path: Any) -> None:
        self.coef_, self.intercept_ = coefficients(path.weight[0], path.bias[0], against_rest=self._against_rest)
        if self._iterates:
            self.n_iter_ = int(path.iterations[0])

    def decision_function(self, X: ArrayLike) -> NDArray[np.floating]:
        """Return scores (n, classes), or for two classes (n,), above 0 for the second."""
        return linear_scores(self._rows(X), self.coef_, self.intercept_, unit=self._unit)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the label of the largest score, (n,)."""
        scores = self.decision_function(X)
        index = (scores > 0).astype(np.int64) if scores.ndim == 1 else scores.argmax(1)
        labels: NDArray[Any] = self.classes_[index]
        return labels


class ProbabilisticClassifier(LinearClassifier):
    """A linear classifier whose scores are logits."""

    def predict_proba(self, X: ArrayLike) -> NDArray[np.floating]:
        """Return the probabilities of the classes, (n, classes)."""
        logits = self.decision_function(X)
        if logits.ndim == 1:
            logits = np.stack((np.zeros_like(logits), logits), 1)
        return softmax(logits)
