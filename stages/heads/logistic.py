"""Logistic regression for every C of a grid; the objective is scikit-learn's.

With two classes scikit-learn has a single weight vector u: here W = (-u/2, u/2), and the penalty
is 1/2 ||u||^2 = ||W||^2. Weights sum to zero over the classes.
"""

from __future__ import annotations

import warnings
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from stages.heads.losses import Loss
from stages.heads.penalised import SOFTMAX, PenalisedPath, PenalisedSolver, Precision, prepare
from stages.specs import DINOV2_GRID


class LogisticSolver(PenalisedSolver):
    """Logistic regression on prepared rows."""

    loss: ClassVar[Loss] = SOFTMAX


def logistic_path(
    X: ArrayLike | Tensor,
    y: ArrayLike | Tensor,
    C: ArrayLike = DINOV2_GRID,
    *,
    classes: int | None = None,
    row_weights: ArrayLike | None = None,
    tolerance: float = 1e-5,
    max_iterations: int = 200,
    dtype: Precision = "float32",
    device: str = "cpu",
) -> PenalisedPath:
    """Fit multinomial logistic regression for every C and every task of row weights.

    Short for ``prepare(X, y, ...).fit(C, ...)``; see :func:`prepare` and :meth:`PreparedRows.fit`
    for the arguments, the memory and the errors.
    """
    rows = prepare(X, y, classes=classes, dtype=dtype, device=device)
    return rows.fit(C, row_weights=row_weights, tolerance=tolerance, max_iterations=max_iterations)


class LogisticHead(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """One C of :func:`logistic_path` as a scikit-learn classifier.

    Args:
        C: inverse penalty, as in ``sklearn.linear_model.LogisticRegression``.
        max_iter: Newton steps, at most.
        tol: largest relative distance of the objective from its optimum.
        class_weight: None, or "balanced" for weights n / (classes * rows of the class).
        dtype: of the matrix products, "float32" or "float64".

    Attributes:
        classes_: (classes,) labels, sorted.
        coef_: (classes, d) float64, or (1, d) for two classes.
        intercept_: (classes,) float64, or (1,) for two classes.
        n_iter_: Newton steps taken.
        converged_: whether that distance is at most ``tol``, see :class:`PenalisedPath`.
    """

    def __init__(
        self,
        C: float = 1.0,
        *,
        max_iter: int = 200,
        tol: float = 1e-5,
        class_weight: Literal["balanced"] | None = None,
        dtype: Precision = "float32",
    ) -> None:
        self.C = C
        self.max_iter = max_iter
        self.tol = tol
        self.class_weight = class_weight
        self.dtype = dtype

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit X (n, d) to labels y (n,) of any kind that sorts; warns where it does not converge."""
        rows, labels = validate_data(self, X, y, dtype=[np.float32, np.float64])
        check_classification_targets(labels)
        self.classes_, index = np.unique(labels, return_inverse=True)
        weights = compute_class_weight(self.class_weight, classes=self.classes_, y=labels)[index]
        path = logistic_path(
            rows,
            index,
            self.C,
            row_weights=weights,
            tolerance=self.tol,
            max_iterations=self.max_iter,
            dtype=self.dtype,
        )
        self._keep(path)
        return self

    def _keep(self, path: PenalisedPath) -> None:
        weight, bias = path.weight[0], path.bias[0]
        binary = len(self.classes_) == 2
        self.coef_ = weight[1:] - weight[:1] if binary else weight
        self.intercept_ = bias[1:] - bias[:1] if binary else bias
        self.n_iter_ = int(path.iterations[0])
        self.converged_ = bool(path.converged[0])
        if not self.converged_:
            message = f"after {self.n_iter_} steps the objective may be {path.gap[0]:.1e} above its optimum"
            warnings.warn(f"{message}; raise max_iter or tol", ConvergenceWarning, stacklevel=3)

    def decision_function(self, X: ArrayLike) -> NDArray[np.floating]:
        """Logits (n, classes), or (n,) of the second class against the first for two classes."""
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=[np.float32, np.float64], reset=False)
        logits: NDArray[np.floating] = rows @ self.coef_.T.astype(rows.dtype)
        logits += self.intercept_.astype(rows.dtype)
        return logits[:, 0] if logits.shape[1] == 1 else logits

    def predict_proba(self, X: ArrayLike) -> NDArray[np.floating]:
        """Probabilities (n, classes)."""
        logits = self.decision_function(X)
        if logits.ndim == 1:
            logits = np.stack((np.zeros_like(logits), logits), 1)
        proba: NDArray[np.floating] = softmax(logits, axis=1)
        return proba

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The likeliest label (n,) of each row."""
        logits = self.decision_function(X)
        index = (logits > 0).astype(np.int64) if logits.ndim == 1 else logits.argmax(1)
        labels: NDArray[Any] = self.classes_[index]
        return labels
