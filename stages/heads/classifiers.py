"""The heads as scikit-learn classifiers, each with one value of its parameter.

All take X (n, d) of float16, float32 or float64 (anything else becomes float32), labels y (n,) of any kind that
sorts, and ``sample_weight`` (n,) of 0 or more, where a row of weight 0 is a row that is not there. Their
``class_weight`` is None, a weight for each label, or "balanced" for n / (classes * rows of the class), times the
sample weights; their other parameters are those of their solvers. After ``fit`` they have ``classes_`` (classes,),
``n_features_in_``, and ``path_``, the one fitted head as its solver returned it. Logistic regression is in
:mod:`stages.heads.logistic`.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from stages.heads.centroid import CentroidSolver
from stages.heads.lda import LDASolver
from stages.heads.neighbours import NeighbourSolver
from stages.heads.penalised import Precision
from stages.heads.ridge import RidgeSolver
from stages.heads.sgd import Schedule, SgdSolver
from stages.heads.svm import SVMSolver

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
        """Return the label of the largest confidence, (n,)."""
        chosen = self._confidence(X).argmax(1)
        labels: NDArray[Any] = self.classes_[chosen]
        return labels

    def _confidence(self, X: ArrayLike) -> NDArray[np.floating]:
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=_FLOATS, reset=False)
        confidence: NDArray[np.floating] = self.path_.confidence(rows)[0]
        return confidence


class _Probabilistic(_Classifier):
    """A classifier with probabilities."""

    def predict_proba(self, X: ArrayLike) -> NDArray[np.floating]:
        """Return probabilities (n, classes)."""
        return self._confidence(X)


class _Scored(_Classifier):
    """A classifier with scores."""

    def decision_function(self, X: ArrayLike) -> NDArray[np.floating]:
        """Return scores (n, classes), or for two classes the second's less the first's, (n,)."""
        scores = self._confidence(X)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores


class RidgeHead(_Scored):
    """Ridge regression of class indicators with one ``alpha``: :mod:`stages.heads.ridge`."""

    solver = RidgeSolver

    def __init__(self, alpha: float = 1.0, *, class_weight: ClassWeight = None) -> None:
        self.alpha = alpha
        self.class_weight = class_weight


class LDAHead(_Probabilistic):
    """Linear discriminant analysis with one ``shrinkage``: :mod:`stages.heads.lda`."""

    solver = LDASolver

    def __init__(self, shrinkage: float = 0.1, *, class_weight: ClassWeight = None) -> None:
        self.shrinkage = shrinkage
        self.class_weight = class_weight


class CentroidHead(_Scored):
    """The nearest class mean by cosine, which no weight of a class changes: :mod:`stages.heads.centroid`."""

    solver = CentroidSolver


class KNNHead(_Probabilistic):
    """Votes of the ``k`` nearest rows: :mod:`stages.heads.neighbours`."""

    solver = NeighbourSolver

    def __init__(self, k: int = 20, *, temperature: float = 0.07, class_weight: ClassWeight = None) -> None:
        self.k = k
        self.temperature = temperature
        self.class_weight = class_weight


class SVMHead(_Scored):
    """A linear support vector machine with one ``C``: :mod:`stages.heads.svm`."""

    solver = SVMSolver

    def __init__(
        self,
        C: float = 1.0,
        *,
        tolerance: float = 1e-5,
        max_iterations: int = 200,
        dtype: Precision = "float32",
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
    """A linear layer trained with one learning rate: :mod:`stages.heads.sgd`."""

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
