"""Any scikit-learn classifier as a head of many labels: one for each, on the rows of which that label is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.utils.validation import has_fit_parameter

from frostline.stages.errors import ConfigError, StoreError
from frostline.stages.heads.kinds import Number
from frostline.stages.heads.multi_label import (
    MULTI_LABEL,
    base_rates,
    checked_labels,
    read_thresholds,
    stored_thresholds,
)
from frostline.stages.heads.parallel import in_parallel
from frostline.stages.heads.solvers.sklearn_estimator import (
    ESTIMATOR_FILE,
    EstimatorHead,
    archived,
    fitted_with,
    made,
    unarchived,
)
from frostline.stages.heads.spec import HeadSpec
from frostline.stages.heads.stored import Stored

_COPIES = 4  # of the rows in float32, at most, that a fit is taken to hold
_SIDES = ("without", "with")


@dataclass(frozen=True, eq=False)
class EstimatorLabelsHead:
    """Fitted estimators, one for each label.

    Attributes:
        estimators: of labels that some of the rows have and some haven't, in the order of the labels.
        shares: (labels,) float64, of the rows that have the others: 0 or 1, or 0.5 where none is known; else NaN.
        classes: the labels by name.
        width: how many features it takes.
        probabilistic: whether the estimators have probabilities.
        thresholds: of each label, above which decision value it is predicted; empty where the usual one is meant.
    """

    estimators: tuple[Any, ...]
    shares: NDArray[np.float64]
    classes: tuple[str, ...]
    width: int
    probabilistic: bool
    thresholds: tuple[float, ...] = ()
    target: ClassVar[str] = MULTI_LABEL

    def decision_values(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return each label's probability, else the estimator's decision function, else 1 for yes and 0 for no.

        float64 (n, labels); a label without an estimator has its share, or without probabilities -1 for no, 1 for yes.
        """
        constants = self.shares if self.probabilistic else 2 * self.shares - 1
        result = np.tile(constants, (len(X), 1))
        fitted = np.flatnonzero(np.isnan(self.shares)).tolist()
        for label, estimator in zip(fitted, self.estimators, strict=True):
            result[:, label] = EstimatorHead(estimator, _SIDES, self.width).decision_values(X)[:, 1]
        return result

    def with_thresholds(self, thresholds: tuple[float, ...]) -> Self:
        """Return the same head with other thresholds."""
        return replace(self, thresholds=thresholds)

    def stored(self) -> Stored:
        """Return what it is written as. Raises ConfigError if loading that would run code."""
        values = {"probabilistic": self.probabilistic, **stored_thresholds(self.thresholds)}
        files = {ESTIMATOR_FILE: archived(list(self.estimators))}
        return Stored("estimator-multi-label", values, {"shares": self.shares}, files)


def read_estimator_labels(stored: Stored, classes: tuple[str, ...], width: int) -> EstimatorLabelsHead:
    """Return the head that was stored so.

    Raises StoreError if loading it would run code of others, take more memory than its file, or can't be done.
    """
    shares, probabilistic = stored.tensors["shares"], stored.values["probabilistic"]
    found = unarchived(stored.files[ESTIMATOR_FILE])
    sound = shares.shape == (len(classes),) and shares.dtype == np.float64 and isinstance(probabilistic, bool)
    if not sound or not isinstance(found, list) or len(found) != np.count_nonzero(np.isnan(shares)):
        raise StoreError(f"the head holds no classifiers of {len(classes)} labels")
    if not all(_is_sound(one, width, probabilistic=probabilistic) for one in found):
        raise StoreError(f"the head holds an object that is not a classifier of one label and {width} features")
    return EstimatorLabelsHead(tuple(found), shares, classes, width, probabilistic, read_thresholds(stored, classes))


def _is_sound(one: object, width: int, *, probabilistic: bool) -> bool:
    try:
        known, features = getattr(one, "classes_", None), getattr(one, "n_features_in_", None)
        sides = isinstance(known, np.ndarray) and known.dtype.kind == "i" and known.tolist() == [0, 1]
        return is_classifier(one) and sides and features == width and hasattr(one, "predict_proba") == probabilistic
    except Exception:  # of a file that was made for it
        return False


@dataclass(frozen=True, eq=False)
class EstimatorLabelsPath:
    """Heads for k values, ``converged`` bool (k,)."""

    heads: tuple[EstimatorLabelsHead, ...]
    converged: NDArray[np.bool_]
    probabilistic: bool

    @property
    def iterations(self) -> NDArray[np.int64]:
        """The most iterations of any label; 0 where the estimator counts none."""
        counted = [[getattr(one, "n_iter_", None) for one in head.estimators] for head in self.heads]
        highest = [max([0, *(int(np.max(n, initial=0)) for n in each if n is not None)]) for each in counted]
        return np.array(highest, np.int64)

    def decision_values(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return float64 (k, n, labels), see :class:`EstimatorLabelsHead`."""
        return np.stack([head.decision_values(X) for head in self.heads])

    def head(self, index: int, classes: tuple[str, ...]) -> EstimatorLabelsHead:
        """Return the head of one value."""
        return replace(self.heads[index], classes=classes)

    def head_of_each(self, indices: Sequence[int], classes: tuple[str, ...]) -> EstimatorLabelsHead:
        """Return the head whose labels have a value each, by its place."""
        fitted = np.flatnonzero(np.isnan(self.heads[0].shares)).tolist()
        own = tuple(self.heads[indices[label]].estimators[place] for place, label in enumerate(fitted))
        return replace(self.heads[0], estimators=own, classes=classes)


class EstimatorLabelsSolver:
    """Fits one estimator per label, value and weighting of the rows, on all cores."""

    def __init__(self, X: NDArray[Any], y: NDArray[np.int8], classes: int, spec: HeadSpec) -> None:
        """Make the estimator; raises ConfigError if it is no classifier or has no such parameter."""
        self.X, self.y, self.spec = X, checked_labels(y, len(X), classes), spec
        self.estimator = made(spec, is_classifier, "classifier")

    def fit(self, grid: Sequence[Number], row_weights: NDArray[np.float64]) -> EstimatorLabelsPath:
        """Return estimators fitted with each value; ``row_weights`` (n,), those of weight 0 left out."""
        return self.fit_each(grid, row_weights[None])[0]

    def fit_each(self, grid: Sequence[Number], row_weights: NDArray[np.float64]) -> list[EstimatorLabelsPath]:
        """Return what ``fit`` does for each weighting of the rows, (m, n)."""
        for weights in row_weights:
            self._check_weights(weights)
        shares = [base_rates(self.y, weights) for weights in row_weights]
        jobs = [
            (self.spec, value, self.X, self.y[:, label].astype(np.int64), weights * (self.y[:, label] >= 0))
            for weights, own in zip(row_weights, shares, strict=True)
            for value in grid
            for label in np.flatnonzero((own > 0) & (own < 1)).tolist()
        ]
        fitted = in_parallel(_fitted, jobs, _COPIES * 4 * self.X.size)
        for one in fitted:
            if isinstance(one, ConfigError):
                raise one
        whole = iter([one for one in fitted if not isinstance(one, ConfigError)])
        return [self._path(len(grid), own, whole) for own in shares]

    def _path(self, k: int, shares: NDArray[np.float64], fitted: Any) -> EstimatorLabelsPath:
        inner = (shares > 0) & (shares < 1)
        constants = np.where(inner, np.nan, np.where(np.isnan(shares), 0.5, shares))
        probabilistic, heads, converged = hasattr(self.estimator, "predict_proba"), [], []
        for _ in range(k):
            own = [next(fitted) for _ in range(np.count_nonzero(inner))]
            names, estimators = ("",) * len(shares), tuple(one for one, _ in own)
            heads.append(EstimatorLabelsHead(estimators, constants, names, self.X.shape[1], probabilistic))
            converged.append(all(done for _, done in own))
        return EstimatorLabelsPath(tuple(heads), np.array(converged), probabilistic)

    def _check_weights(self, weights: NDArray[np.float64]) -> None:
        if len(set(weights[weights > 0].tolist())) > 1 and not has_fit_parameter(self.estimator, "sample_weight"):
            raise ConfigError(f"{self.spec.kind} does not support sample weights; expected rows of equal weight")


def _fitted(
    spec: HeadSpec, value: Number, X: NDArray[Any], y: NDArray[Any], row_weights: NDArray[np.float64]
) -> tuple[Any, bool] | ConfigError:
    """Return an estimator fitted with a value, and whether it converged, or the error; in whatever process."""
    return fitted_with(lambda: made(spec, is_classifier, "classifier"), spec, value, X, y, row_weights)
