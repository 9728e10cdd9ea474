"""The heads as scikit-learn classifiers, each with one value of its parameter.

All take X (n, d) of float16, float32 or float64 (anything else becomes float32), labels y (n,) of any kind that
sorts, and ``sample_weight`` (n,) of 0 or more, where a row of weight 0 is a row that is not there. Their
``class_weight`` is None, a weight for each label, or "balanced" for n / (classes * rows of the class), times the
sample weights; their other parameters are those of their solvers. After ``fit`` they have ``classes_`` (classes,),
``n_features_in_``, and ``path_``, the one fitted head as its solver returned it. Logistic regression is in
:mod:`frostline.stages.heads.solvers.logistic`.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from frostline.stages.heads.newton.penalised import MatmulType, PenalisedPath
from frostline.stages.heads.solvers.centroid import CentroidSolver
from frostline.stages.heads.solvers.descent import Schedule
from frostline.stages.heads.solvers.knn import NeighbourSolver
from frostline.stages.heads.solvers.lda import LDASolver
from frostline.stages.heads.solvers.logistic import logistic_path
from frostline.stages.heads.solvers.ridge import RidgeSolver
from frostline.stages.heads.solvers.sgd import SgdSolver
from frostline.stages.heads.solvers.svm import SVMSolver

ClassWeight = Literal["balanced"] | Mapping[Any, float] | None
_FLOATS = [np.float32, np.float64, np.float16]


class _Classifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Fits its solver with one value; what is no option of the solver is the parameter or the class weight."""

    solver: ClassVar[Any]

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the rows; warns where that does not converge. Raises ValueError on rows or values of no use."""
        rows, labels = validate_data(self, X, y, dtype=_FLOATS)
        check_classification_targets(labels)
        weights = _check_sample_weight(sample_weight, rows, dtype=np.float64, ensure_non_negative=True)
        used = weights > 0
        if not used.all():
            rows, labels, weights = rows[used], labels[used], weights[used]
        self.classes_, index = np.unique(labels, return_inverse=True)
        options = self.get_params()
        weights = weights * compute_sample_weight(options.pop("class_weight", None), labels)
        value = options.pop(self.solver.parameter, 0.0)
        self.path_ = self.solver(rows, index, len(self.classes_), **options).fit((value,), weights)
        if not self.path_.converged[0]:
            warnings.warn(f"{type(self).__name__} did not converge", ConvergenceWarning, stacklevel=2)
        return self

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the label of the largest decision value, (n,)."""
        chosen = self._decision_values(X).argmax(1)
        labels: NDArray[Any] = self.classes_[chosen]
        return labels

    def _decision_values(self, X: ArrayLike) -> NDArray[np.floating]:
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=_FLOATS, reset=False)
        decision_values: NDArray[np.floating] = self.path_.decision_values(rows)[0]
        return decision_values


class _Probabilistic(_Classifier):
    """A classifier with probabilities."""

    def predict_proba(self, X: ArrayLike) -> NDArray[np.floating]:
        """Return probabilities (n, classes)."""
        return self._decision_values(X)


class _Scored(_Classifier):
    """A classifier with scores."""

    def decision_function(self, X: ArrayLike) -> NDArray[np.floating]:
        """Return scores (n, classes), or for two classes the second's less the first's, (n,)."""
        scores = self._decision_values(X)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores


class RidgeHead(_Scored):
    """Ridge regression of class indicators with one ``alpha``: :mod:`frostline.stages.heads.solvers.ridge`."""

    solver = RidgeSolver

    def __init__(self, alpha: float = 1.0, *, class_weight: ClassWeight = None) -> None:
        self.alpha = alpha
        self.class_weight = class_weight


class LDAHead(_Probabilistic):
    """Linear discriminant analysis with one ``shrinkage``: :mod:`frostline.stages.heads.solvers.lda`."""

    solver = LDASolver

    def __init__(self, shrinkage: float = 0.1, *, class_weight: ClassWeight = None) -> None:
        self.shrinkage = shrinkage
        self.class_weight = class_weight


class CentroidHead(_Scored):
    """The nearest class mean by cosine, which no weight of a class changes: :mod:`.solvers.centroid`."""

    solver = CentroidSolver


class KNNHead(_Probabilistic):
    """Votes of the ``k`` nearest rows: :mod:`frostline.stages.heads.solvers.knn`."""

    solver = NeighbourSolver

    def __init__(self, k: int = 20, *, temperature: float = 0.07, class_weight: ClassWeight = None) -> None:
        self.k = k
        self.temperature = temperature
        self.class_weight = class_weight


class SVMHead(_Scored):
    """A linear support vector machine with one ``C``: :mod:`frostline.stages.heads.solvers.svm`."""

    solver = SVMSolver

    def __init__(
        self,
        C: float = 1.0,
        *,
        tolerance: float = 1e-5,
        max_iterations: int = 200,
        dtype: MatmulType = "float32",
        device: str = "cpu",
        class_weight: ClassWeight = None,
    ) -> None:
        self.C = C
        self.tolerance = tolerance
        self.max_iterations = max_iterations
        self.dtype = dtype
        self.device = device
        self.class_weight = class_weight


class LinearSGDHead(_Probabilistic):
    """A linear layer trained with one learning rate: :mod:`frostline.stages.heads.solvers.sgd`."""

    solver = SgdSolver

    def __init__(
        self,
        lr: float = 0.01,
        *,
        steps: int = 12_500,
        batch: int = 128,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        schedule: Schedule = "cosine",
        seed: int = 0,
        device: str = "cpu",
        class_weight: ClassWeight = None,
    ) -> None:
        self.lr = lr
        self.steps = steps
        self.batch = batch
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.seed = seed
        self.device = device
        self.class_weight = class_weight


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
        dtype: MatmulType = "float32",
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
