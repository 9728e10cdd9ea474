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

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from frostline.stages.heads.estimators.base import ClassWeight
from frostline.stages.heads.estimators.classifier import Classifier, LinearClassifier, ProbabilisticClassifier

if TYPE_CHECKING:  # importing these loads torch
    from frostline.stages.heads.newton.penalised import MatmulType
    from frostline.stages.heads.solvers.descent import Schedule


class LogisticClassifier(ProbabilisticClassifier):
    """Logistic regression: C sum_i w_i log-loss_i + ||W||^2 / 2, a free intercept; scikit-learn's objective.

    Args:
        C: inverse penalty, above 0.
        tol: largest relative distance of the objective from its optimum.
        max_iter: Newton steps, at most.
        class_weight: None, "balanced" for n / (classes * rows of the class), or a weight for each label; multiplied by
            the sample weights.
        dtype: of the matrix products, "float32" or "float64".
        device: where torch works, such as "cpu" or "cuda".

    Attributes:
        classes_: (classes,) labels, sorted.
        coef_, intercept_: float64 (classes, d) and (classes,); for two classes (1, d) and (1,).
        n_iter_: Newton steps.
        n_features_in_: number of features; ``feature_names_in_``: their names, if X is a frame.
    """

    _head = "logreg"
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


class RidgeClassifier(LinearClassifier):
    """Ridge regression of targets +1 and -1, one for each class, with a free intercept; scikit-learn's objective.

    Args:
        alpha: the penalty, above 0.
        class_weight: None, "balanced" for n / (classes * rows of the class), or a weight for each label; multiplied by
            the sample weights.

    Attributes:
        classes_: (classes,) labels, sorted.
        coef_, intercept_: float64 (classes, d) and (classes,); for two classes (1, d) and (1,).
        n_features_in_: number of features; ``feature_names_in_``: their names, if X is a frame.
    """

    _head = "ridge"
    _against_rest = True

    def __init__(self, alpha: float = 1.0, *, class_weight: ClassWeight = None) -> None:
        self.alpha = alpha
        self.class_weight = class_weight


class LDAClassifier(ProbabilisticClassifier):
    """Linear discriminant analysis with a shrunk covariance.

    Args:
        shrinkage: from 0, none, to 1, a ball.
        class_weight: None, "balanced" for n / (classes * rows of the class), or a weight for each label; multiplied by
            the sample weights. It changes the priors.

    Attributes:
        classes_: (classes,) labels, sorted.
        coef_, intercept_: float64 (classes, d) and (classes,); for two classes (1, d) and (1,).
        n_features_in_: number of features; ``feature_names_in_``: their names, if X is a frame.
    """

    _head = "lda"

    def __init__(self, shrinkage: float = 0.1, *, class_weight: ClassWeight = None) -> None:
        self.shrinkage = shrinkage
        self.class_weight = class_weight


class CentroidClassifier(LinearClassifier):
    """The nearest class mean by cosine: the means of rows of length 1.

    It has no ``class_weight``: a class's mean does not depend on it.

    Attributes:
        classes_: (classes,) labels, sorted.
        coef_, intercept_: float64 (classes, d) and (classes,); for two classes (1, d) and (1,). They act on
            features divided by their length.
        n_features_in_: number of features; ``feature_names_in_``: their names, if X is a frame.
    """

    _head = "centroid"
    _unit = True


class SVMClassifier(LinearClassifier):
    """A linear support vector machine, one class against the rest: squared hinge loss and a free intercept.

    Args:
        C: inverse penalty, above 0.
        tol: largest relative distance of the objective from its optimum.
        max_iter: Newton steps, at most.
        class_weight: None, "balanced" for n / (classes * rows of the class), or a weight for each label; multiplied by
            the sample weights.
        dtype: of the matrix products, "float32" or "float64".
        device: where torch works, such as "cpu" or "cuda".

    Attributes:
        classes_: (classes,) labels, sorted.
        coef_, intercept_: float64 (classes, d) and (classes,); for two classes (1, d) and (1,).
        n_iter_: Newton steps.
        n_features_in_: number of features; ``feature_names_in_``: their names, if X is a frame.
    """

    _head = "svm"
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


class LinearSGDClassifier(ProbabilisticClassifier):
    """A linear layer trained by SGD with momentum on cross-entropy: the recipe of DINOv2's linear evaluation.

    Args:
        lr: learning rate, above 0.
        steps: batches in all.
        batch: rows of each.
        momentum, weight_decay, schedule: of the optimizer; ``schedule`` "cosine" or "constant".
        class_weight: None, "balanced" for n / (classes * rows of the class), or a weight for each label; multiplied by
            the sample weights.
        random_state: seed of the start and of the batches: a whole number, None or a ``RandomState``.
        device: where torch works.

    Attributes:
        classes_: (classes,) labels, sorted.
        coef_, intercept_: float64 (classes, d) and (classes,); for two classes (1, d) and (1,).
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


class AdamWClassifier(ProbabilisticClassifier):
    """A linear layer trained by AdamW on cross-entropy: the recipe of CLIP_benchmark.

    Args:
        weight_decay: above 0.
        lr: learning rate at the start.
        epochs: passes over the rows.
        batch: rows of each step.
        class_weight: None, "balanced" for n / (classes * rows of the class), or a weight for each label; multiplied by
            the sample weights.
        random_state: seed of the start and of the batches: a whole number, None or a ``RandomState``.
        device: where torch works.

    Attributes:
        classes_: (classes,) labels, sorted.
        coef_, intercept_: float64 (classes, d) and (classes,); for two classes (1, d) and (1,).
        n_iter_: number of batches in all epochs.
        n_features_in_: number of features; ``feature_names_in_``: their names, if X is a frame.
    """

    _head = "adamw"
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


class KNNClassifier(Classifier):
    """Votes of the nearest rows, weighted by exp(cosine / temperature): DINOv2's k-NN evaluation.

    Args:
        k: how many rows vote.
        temperature: of the cosines; smaller ones favour the nearest.
        class_weight: None, "balanced" for n / (classes * rows of the class), or a weight for each label; multiplied by
            the sample weights. It multiplies votes.

    Attributes:
        classes_: (classes,) labels, sorted.
        n_features_in_: number of features; ``feature_names_in_``: their names, if X is a frame.
    """

    _head = "knn"

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
