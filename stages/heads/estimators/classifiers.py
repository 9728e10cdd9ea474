"""The heads of single labels as scikit-learn classifiers.

All take X (n, d) of float16, float32 or float64 (anything else becomes float32), labels y (n,) of any kind that
sorts, and ``sample_weight`` (n,) of 0 or more: a row of weight 0 is a row that is not there. ``class_weight`` is None,
a weight for each label, or "balanced" for n / (classes * rows of the class); it is multiplied with the sample weights.
``fit`` raises ValueError for rows, labels or parameters that can't be used, and warns (``ConvergenceWarning``) where
the fit does not converge.

After ``fit`` all have ``classes_`` (classes,), sorted, ``n_features_in_``, and ``feature_names_in_`` where X is a
frame. Linear ones have ``coef_`` float64 (classes, d) and ``intercept_`` float64 (classes,), for two classes (1, d) and
(1,). Those that iterate have ``n_iter_``.

>>> import numpy as np
>>> X = np.array([[0.0, 1.0], [0.2, 0.9], [1.0, 0.0], [0.9, 0.1]], np.float32)
>>> head = LogisticClassifier(C=10.0).fit(X, ["cat", "cat", "dog", "dog"])
>>> head.predict(X).tolist(), head.coef_.shape, head.n_features_in_
(['cat', 'cat', 'dog', 'dog'], (1, 2), 2)
>>> RidgeClassifier().fit(X, [1, 1, 7, 7], sample_weight=[1, 0, 1, 1]).classes_.tolist()
[1, 7]
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from frostline.stages.heads.estimators.base import FLOATS, ClassWeight, FittedBySolver, used_rows
from frostline.stages.heads.estimators.linear import coefficients, linear_scores
from frostline.stages.heads.linear import softmax
from frostline.stages.heads.newton.penalised import MatmulType
from frostline.stages.heads.solvers.adamw import AdamWSolver
from frostline.stages.heads.solvers.centroid import CentroidSolver
from frostline.stages.heads.solvers.descent import Schedule
from frostline.stages.heads.solvers.knn import NeighbourSolver
from frostline.stages.heads.solvers.lda import LDASolver
from frostline.stages.heads.solvers.logistic import LogisticSolver
from frostline.stages.heads.solvers.ridge import RidgeSolver
from frostline.stages.heads.solvers.sgd import SgdSolver
from frostline.stages.heads.solvers.svm import SVMSolver


class _Classifier(FittedBySolver, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
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


class _Linear(_Classifier):
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


class _Probabilistic(_Linear):
    """A linear classifier whose scores are logits."""

    def predict_proba(self, X: ArrayLike) -> NDArray[np.floating]:
        """Return the probabilities of the classes, (n, classes)."""
        logits = self.decision_function(X)
        if logits.ndim == 1:
            logits = np.stack((np.zeros_like(logits), logits), 1)
        return softmax(logits)


class LogisticClassifier(_Probabilistic):
    """Logistic regression; the objective is scikit-learn's, see :mod:`frostline.stages.heads.solvers.logistic`.

    Args:
        C: inverse penalty, above 0.
        tol: largest relative distance of the objective from its optimum.
        max_iter: Newton steps, at most.
        class_weight: see the module.
        dtype: of the matrix products, "float32" or "float64".
        device: where torch works, such as "cpu" or "cuda".
    """

    solver = LogisticSolver
    _iterates = True

    def __init__(
        self,
        C: float = 1.0,
        *,
        tol: float = 1e-5,
        max_iter: int = 200,
        class_weight: ClassWeight = None,
        dtype: MatmulType = "float32",
        device: str = "cpu",
    ) -> None:
        self.C = C
        self.tol = tol
        self.max_iter = max_iter
        self.class_weight = class_weight
        self.dtype = dtype
        self.device = device


class RidgeClassifier(_Linear):
    """Ridge regression of targets +1 and -1; as scikit-learn's, see :mod:`frostline.stages.heads.solvers.ridge`.

    Args:
        alpha: the penalty, above 0.
        class_weight: see the module.
    """

    solver = RidgeSolver
    _against_rest = True

    def __init__(self, alpha: float = 1.0, *, class_weight: ClassWeight = None) -> None:
        self.alpha = alpha
        self.class_weight = class_weight


class LDAClassifier(_Probabilistic):
    """Linear discriminant analysis with a shrunk covariance, see :mod:`frostline.stages.heads.solvers.lda`.

    Args:
        shrinkage: from 0, none, to 1, a ball.
        class_weight: see the module; it changes the priors.
    """

    solver = LDASolver

    def __init__(self, shrinkage: float = 0.1, *, class_weight: ClassWeight = None) -> None:
        self.shrinkage = shrinkage
        self.class_weight = class_weight


class CentroidClassifier(_Linear):
    """The nearest class mean by cosine, see :mod:`frostline.stages.heads.solvers.centroid`.

    ``coef_`` acts on features divided by their length. It has no ``class_weight``: a class's mean does not depend on
    it.
    """

    solver = CentroidSolver
    _unit = True


class SVMClassifier(_Linear):
    """A linear support vector machine, squared hinge loss: see :mod:`frostline.stages.heads.solvers.svm`.

    Args:
        C: inverse penalty, above 0.
        tol, max_iter, class_weight, dtype, device: as of ``LogisticClassifier``.
    """

    solver = SVMSolver
    _iterates = _against_rest = True

    def __init__(
        self,
        C: float = 0.1,
        *,
        tol: float = 1e-5,
        max_iter: int = 200,
        class_weight: ClassWeight = None,
        dtype: MatmulType = "float32",
        device: str = "cpu",
    ) -> None:
        self.C = C
        self.tol = tol
        self.max_iter = max_iter
        self.class_weight = class_weight
        self.dtype = dtype
        self.device = device


class LinearSGDClassifier(_Probabilistic):
    """A linear layer trained by SGD with momentum, see :mod:`frostline.stages.heads.solvers.descent`.

    Args:
        lr: learning rate, above 0.
        steps: batches in all.
        batch: rows of each.
        momentum, weight_decay, schedule: of the optimizer; ``schedule`` "cosine" or "constant".
        class_weight: see the module.
        random_state: seed of the start and of the batches, a whole number.
        device: where torch works.
    """

    solver = SgdSolver
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
        class_weight: ClassWeight = None,
        random_state: int = 0,
        device: str = "cpu",
    ) -> None:
        self.lr = lr
        self.steps = steps
        self.batch = batch
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.class_weight = class_weight
        self.random_state = random_state
        self.device = device


class AdamWClassifier(_Probabilistic):
    """A linear layer trained by AdamW, see :mod:`frostline.stages.heads.solvers.adamw`.

    Args:
        weight_decay: above 0.
        lr: learning rate at the start.
        epochs: passes over the rows.
        batch: rows of each step.
        class_weight: see the module.
        random_state: seed of the start and of the batches, a whole number.
        device: where torch works.
    """

    solver = AdamWSolver
    _iterates = True

    def __init__(
        self,
        weight_decay: float = 0.01,
        *,
        lr: float = 0.1,
        epochs: int = 20,
        batch: int = 512,
        class_weight: ClassWeight = None,
        random_state: int = 0,
        device: str = "cpu",
    ) -> None:
        self.weight_decay = weight_decay
        self.lr = lr
        self.epochs = epochs
        self.batch = batch
        self.class_weight = class_weight
        self.random_state = random_state
        self.device = device


class KNNClassifier(_Classifier):
    """Votes of the nearest rows by cosine, see :mod:`frostline.stages.heads.solvers.knn`.

    Args:
        k: how many rows vote.
        temperature: of the cosines; smaller ones favour the nearest.
        class_weight: see the module; it multiplies votes.
    """

    solver = NeighbourSolver

    def __init__(self, k: int = 20, *, temperature: float = 0.07, class_weight: ClassWeight = None) -> None:
        self.k = k
        self.temperature = temperature
        self.class_weight = class_weight

    def _keep(self, path: Any) -> None:
        self._path = path

    def predict_proba(self, X: ArrayLike) -> NDArray[np.floating]:
        """Return each class's share of the votes, (n, classes)."""
        rows = self._rows(X)
        shares: NDArray[np.floating] = self._path.decision_values(rows)[0]
        return shares

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the label with most votes, (n,)."""
        chosen = self.predict_proba(X).argmax(1)
        labels: NDArray[Any] = self.classes_[chosen]
        return labels
