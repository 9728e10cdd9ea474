"""Classifiers that choose their hyperparameter as ``frostline fit`` does: the same value, the same weights.

>>> import numpy as np
>>> from sklearn.datasets import load_digits
>>> X, y = load_digits(return_X_y=True)
>>> probe = LogisticProbeCV().fit(X[:400] / 16, y[:400])
>>> probe.C_, probe.selection_.by, probe.coef_.shape
(100.0, 'folds', (10, 64))
>>> round(probe.score(X[400:] / 16, y[400:]), 2)
0.9
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from frostline.pipeline.estimators.choosing import Beside, Choosing, Cv, Rows, beside
from frostline.stages.fit import Selection
from frostline.stages.heads.estimators import FLOATS, ClassWeight, coefficients
from frostline.stages.heads.estimators.parameters import checked_limits, shown
from frostline.stages.heads.linear import LinearHead
from frostline.stages.heads.multi_label import MULTI_LABEL, MultiLabelHead
from frostline.stages.heads.spec import Scaling
from frostline.stages.metrics.multi_label import usual_thresholds
from frostline.stages.targets.base import DEFAULT

if TYPE_CHECKING:  # importing it loads torch
    from frostline.stages.heads.newton.penalised import MatmulType


class _ProbeClassifier(Choosing, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A linear head, single-label or multi-label."""

    _parameter: ClassVar[str]
    _against_rest: ClassVar[bool] = False
    head_: LinearHead | MultiLabelHead

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
        digests: ArrayLike | None = None,
    ) -> Self:
        """Choose the value on held-out rows, then fit all rows with it.

        Args:
            X: (n, d) features of float16, float32 or float64; anything else becomes float32.
            y: labels (n,) of any sortable type; or multi-label, integers (n, labels): 1, 0, and -1 for unknown.
            sample_weight: (n,) of 0 or more. It weights the losses, in fits and in the choice, but not the mean and
                deviation of ``scaling="standardize"``.
            groups: (n,) of any sortable type; rows of one group are never on both sides of a fold or hold-out.
            digests: uint8 (n, 32), the content of each sample, by which rows are split into folds. With the
                ``Features.digests`` of cached features the folds are those of ``frostline fit``. None: the content is
                the numbers of the row.

        Raises:
            ValueError: rows, labels or parameters that can't be used, or too few rows to choose on.
        """
        rows, labels = validate_data(self, X, y, dtype=FLOATS, multi_output=True)
        extra = beside(rows, labels, self.cv, sample_weight, groups, digests)
        self._several = labels.ndim == 2 and labels.shape[1] > 1
        found = self._labels(rows, labels, extra) if self._several else self._classes(rows, labels, extra)
        how = self.get_params()
        how["class_weight"] = "balanced" if how["class_weight"] == "balanced" else "none"
        target = MULTI_LABEL if self._several else DEFAULT
        head, self.selection_ = self._chosen(found, target, **self._spec_of(how))
        self.head_ = cast(LinearHead | MultiLabelHead, head)
        self._keep()
        return self

    def _spec_of(self, how: dict[str, Any]) -> dict[str, Any]:
        """Return parameters by the names that they have in a spec."""
        return how

    def _classes(self, rows: NDArray[Any], labels: NDArray[Any], extra: Beside) -> Rows:
        labels = column_or_1d(labels, warn=True)
        check_classification_targets(labels)
        if self.per_label:
            raise ValueError("per_label=True with single-label y; expected multi-label y, integers (n, labels)")
        self.classes_, index = np.unique(labels[extra.used], return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y holds {len(self.classes_)} class; expected two or more")
        named = self.class_weight if self.class_weight != "balanced" else None
        weights = extra.weights * compute_sample_weight(named, labels[extra.used])
        names = tuple(map(str, self.classes_))
        return Rows(rows[extra.used], index.astype(np.int64), names, weights, extra)

    def _labels(self, rows: NDArray[Any], labels: NDArray[Any], extra: Beside) -> Rows:
        if self.class_weight is not None:
            raise ValueError(f"class_weight={self.class_weight!r} with multi-label y; expected None")
        if labels.dtype.kind not in "iub" or not np.isin(labels, (-1, 0, 1)).all():
            raise ValueError("y of shape (n, labels) holds other values; expected integers 0 and 1, or -1 for unknown")
        self.classes_, self._dtype = np.arange(labels.shape[1]), labels.dtype
        names = tuple(map(str, self.classes_))
        return Rows(rows[extra.used], labels[extra.used].astype(np.int8), names, extra.weights, extra)

    def _keep(self) -> None:
        chosen, weight, bias = self.selection_, self.head_.weight, self.head_.bias
        several = np.array(chosen.values) if chosen.values else chosen.value
        setattr(self, f"{self._parameter}_", several)
        setattr(self, f"{self._grid}_", np.array(chosen.grid))
        kept = (weight.astype(np.float64), bias.astype(np.float64))
        self.coef_, self.intercept_ = (
            kept if self._several else coefficients(weight, bias, against_rest=self._against_rest)
        )
        for text in _unconverged(chosen):
            warnings.warn(f"{type(self).__name__} {text}", ConvergenceWarning, stacklevel=3)

    def decision_function(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return scores (n, classes); (n,) for two classes, above 0 for the second; multi-label (n, labels)."""
        rows = self._rows(X)
        scores = self.head_.scores(rows)
        if self._several or scores.shape[1] != 2:
            return scores
        difference: NDArray[np.float32] = scores[:, 1] - scores[:, 0]
        return difference * np.float32(0.5 if self._against_rest else 1)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the label of the largest score, (n,); multi-label 1 and 0, (n, labels).

        A label is predicted above the threshold of ``frostline predict``: the one learned on held-out rows, or else 0.5
        (0 for scores that are not probabilities).
        """
        rows = self._rows(X)
        values = self.head_.decision_values(rows)
        if not self._several:
            chosen = values.argmax(1)
            labels: NDArray[Any] = self.classes_[chosen]
            return labels
        usual = usual_thresholds(len(self.classes_), probabilistic=self.head_.probabilistic)
        above: NDArray[Any] = values > np.array(getattr(self.head_, "thresholds", ()) or usual)
        return above.astype(self._dtype)

    def _rows(self, X: ArrayLike) -> NDArray[Any]:
        check_is_fitted(self)
        rows: NDArray[Any] = validate_data(self, X, dtype=FLOATS, reset=False)
        return rows

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _unconverged(chosen: Selection) -> Iterator[str]:
    """Yield what is to be said of fits that ended before their optimum."""
    remedy = "raise max_iter or tol, or set scaling='standardize'"
    failed = chosen.unconverged
    if not failed and not chosen.final_converged:
        yield f"did not converge; {remedy}"
    if failed:
        yield (
            f"did not converge on held-out rows for {failed} of {len(chosen.grid)} values, so that the choice "
            f"{chosen.parameter}={chosen.value:g} means little; {remedy}"
        )


class LogisticProbeCV(_ProbeClassifier):
    """Logistic regression: all values of C are solved together, and one is chosen on held-out rows.

    It does what ``frostline fit --head logreg`` does: the same folds, the same rule, the same weights.

    Args:
        Cs: values of C to choose from; None: the grid of the command, 21 values from 1e-6 to 1e4.
        cv: "auto": five folds, repeated if rows are few, or a hold-out if there are 10,000 rows or more; a number of
            folds; a fraction of the rows to hold out, such as 0.1; or a splitter of scikit-learn, or its splits.
        scaling: "none", "standardize" (each feature to mean 0 and variance 1) or "l2" (each row to length 1); it is
            part of the head. The values of ``Cs`` suit features as encoders give them. Use "standardize" for features
            of another scale, such as 1e6: without it the smallest C is chosen, and fits take long.
        class_weight: None, "balanced", or a weight for each label; multi-label: None.
        criterion: how values are judged on held-out rows. None or "log_loss": of the values whose mean log-loss is
            within half a standard error of the lowest, the smallest C, which is the most regularised (multi-label:
            log-loss averaged over labels). "balanced_accuracy": the best value; single-label only.
        per_label: multi-label: whether each label has its own C, the best for it.
        tol: largest relative distance of the objective from its optimum.
        max_iter: Newton steps, at most.
        dtype: of the matrix products, "float32" or "float64".
        device: where torch works, such as "cpu" or "cuda".
        random_state: seed of the folds: a whole number, None (another at each fit) or a ``RandomState``.

    Attributes:
        C_: the chosen value; float64 (labels,) with ``per_label``.
        Cs_: float64 (k,), the values that were tried; ``selection_.untried`` has the others.
        classes_: (classes,) labels, sorted; multi-label: 0 .. labels - 1.
        coef_, intercept_: float64 (classes, d) and (classes,); for two classes (1, d) and (1,). With "l2" they act on
            rows of length 1.
        n_iter_: Newton steps of the last fit.
        selection_: how the value was chosen: scores and convergence of every value, ``temperature``, ``at_edge``.
        head_: the fitted head, float32, as ``frostline fit`` stores it.
        n_features_in_: number of features; ``feature_names_in_``: their names, if X is a frame.
    """

    _head, _parameter, _grid = "logreg", "C", "Cs"
    _usual = MappingProxyType({DEFAULT: "log_loss", MULTI_LABEL: "log_loss"})

    def __init__(
        self,
        Cs: Sequence[float] | None = None,
        *,
        cv: Cv = "auto",
        scaling: Scaling = "none",
        class_weight: ClassWeight = None,
        criterion: str | None = None,
        per_label: bool = False,
        tol: float = 1e-5,
        max_iter: int = 200,
        dtype: MatmulType = "float32",
        device: str = "cpu",
        random_state: int = 0,
    ) -> None:
        self.Cs = Cs
        self.cv = cv
        self.scaling = scaling
        self.class_weight = class_weight
        self.criterion = criterion
        self.per_label = per_label
        self.tol = tol
        self.max_iter = max_iter
        self.dtype = dtype
        self.device = device
        self.random_state = random_state

    def _spec_of(self, how: dict[str, Any]) -> dict[str, Any]:
        if how["dtype"] not in ("float32", "float64"):
            raise ValueError(f"dtype={shown(how['dtype'])}; expected 'float32' or 'float64'")
        options: dict[str, Any] = dict(
            zip(("tolerance", "max_iterations"), checked_limits(how.pop("tol"), how.pop("max_iter")), strict=True)
        )
        options |= {name: how.pop(name) for name in ("dtype", "device")}
        return {**super()._spec_of(how), "options": options}

    def _keep(self) -> None:
        super()._keep()
        self.n_iter_ = self.selection_.final_iterations

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return probabilities (n, classes); multi-label: of each label separately, (n, labels)."""
        rows = self._rows(X)
        return self.head_.decision_values(rows)


class RidgeClassifierProbeCV(_ProbeClassifier):
    """Ridge regression of targets +1 and -1, its alpha chosen on held-out rows or by exact leave-one-out.

    It does what ``frostline fit --head ridge`` does.

    Args:
        alphas: values to choose from; None: the grid of the command, 61 values from 1e-6 to 1e9.
        cv: "auto": five folds, repeated if rows are few, or a hold-out if there are 10,000 rows or more; a number of
            folds; a fraction of the rows to hold out, such as 0.1; a splitter of scikit-learn, or its splits; or "loo":
            exact leave-one-out from one factorisation. "loo" refuses repeated rows, since the copies of a row would be
            fitted when it is held out; use ``cv=5`` then, where copies stay together.
        scaling: "none", "standardize" (each feature to mean 0 and variance 1) or "l2" (each row to length 1); it is
            part of the head.
        class_weight: None, "balanced", or a weight for each label; multi-label: None.
        criterion: how values are judged on held-out rows. None or "accuracy": of the values whose error rate is within
            half a standard error of the lowest, the middle one. "balanced_accuracy": the best value. Multi-label: None,
            the best mean average precision.
        per_label: multi-label: whether each label has its own alpha, the best for it.
        random_state: seed of the folds: a whole number, None (another at each fit) or a ``RandomState``.

    Attributes:
        alpha_: the chosen value; float64 (labels,) with ``per_label``.
        alphas_: float64 (k,), the values to choose from.
        classes_: (classes,) labels, sorted; multi-label: 0 .. labels - 1.
        coef_, intercept_: float64 (classes, d) and (classes,); for two classes (1, d) and (1,). With "l2" they act on
            rows of length 1.
        selection_: how the value was chosen: scores of every value, ``alike``, ``at_edge``.
        head_: the fitted head, float32, as ``frostline fit`` stores it.
        n_features_in_: number of features; ``feature_names_in_``: their names, if X is a frame.
    """

    _head, _parameter, _grid = "ridge", "alpha", "alphas"
    _usual = MappingProxyType({DEFAULT: "accuracy"})
    _against_rest = True

    def __init__(
        self,
        alphas: Sequence[float] | None = None,
        *,
        cv: Cv = "auto",
        scaling: Scaling = "none",
        class_weight: ClassWeight = None,
        criterion: str | None = None,
        per_label: bool = False,
        random_state: int = 0,
    ) -> None:
        self.alphas = alphas
        self.cv = cv
        self.scaling = scaling
        self.class_weight = class_weight
        self.criterion = criterion
        self.per_label = per_label
        self.random_state = random_state
