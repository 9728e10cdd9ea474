"""Heads of many labels, each a yes or no of its own: linear ones, and what all of them have in common.

Values of the target are int8 (n, labels): 1 where a row has a label, 0 where it hasn't, -1 where that is unknown.
Decision values are probabilities of each label by itself, which do not sum to one, or scores that are above 0 for yes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self, cast

import numpy as np
from numpy.typing import NDArray

from frostline.stages.heads.linear import Affine, AffinePath, FloatType, affine_of
from frostline.stages.heads.stored import Stored

MULTI_LABEL = "multi-label"


@dataclass(frozen=True, eq=False)
class MultiLabelHead(Affine):
    """``weight`` float32 (labels, d), ``bias`` float32 (labels,), ``classes``: the labels by name.

    A label that all, or none, of the training rows have has W = 0 and a bias of infinity, or minus infinity.

    ``probabilistic``: whether the sigmoids of the scores are probabilities. ``thresholds``: of each label, above
    which decision value it is predicted; empty where the usual one is meant.
    """

    thresholds: tuple[float, ...] = ()
    target: ClassVar[str] = MULTI_LABEL

    def decision_values(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return each label's probability, float64 (n, labels), or where the head has none its score."""
        scores = self.scores(X).astype(np.float64)
        return sigmoid(scores) if self.probabilistic else scores

    def with_thresholds(self, thresholds: tuple[float, ...]) -> Self:
        """Return the same head with other thresholds."""
        return replace(self, thresholds=thresholds)

    def stored(self) -> Stored:
        """Return what it is written as."""
        values = {"normalized": self.normalized, "probabilistic": self.probabilistic}
        tensors = {"weight": self.weight, "bias": self.bias}
        return Stored("linear-multi-label", {**values, **stored_thresholds(self.thresholds)}, tensors)


def read_multi_label(stored: Stored, classes: tuple[str, ...], _width: int) -> MultiLabelHead:
    """Return the head that was stored so. Raises ValueError or KeyError if these are no W and b of the labels."""
    return MultiLabelHead(*affine_of(stored, classes), read_thresholds(stored, classes))


@dataclass(frozen=True, eq=False)
class MultiLabelPath(AffinePath):
    """Heads for k values of a parameter; see ``AffinePath``, the labels being its classes.

    ``probabilistic``: whether the sigmoids of the scores are probabilities.
    """

    def decision_values(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return probabilities, float (k, n, labels), or where the heads have none their scores."""
        scores = self.scores(X)
        return sigmoid(scores) if self.probabilistic else scores

    def head(self, index: int, classes: tuple[str, ...]) -> MultiLabelHead:
        """Return the head of one value, in float32."""
        return self.head_of_each([index] * len(classes), classes)

    def head_of_each(self, indices: Sequence[int], classes: tuple[str, ...]) -> MultiLabelHead:
        """Return the head whose labels have a value each, by its place; in float32."""
        own = np.asarray(indices), np.arange(len(classes))
        weight, bias = self.weight[own].astype(np.float32), self.bias[own].astype(np.float32)
        return MultiLabelHead(weight, bias, classes, self.normalized, self.probabilistic)


def sigmoid(scores: NDArray[FloatType]) -> NDArray[FloatType]:
    """Return 1 / (1 + exp(-scores)), to the last digits on both sides."""
    small = np.exp(-np.abs(scores))
    result: NDArray[FloatType] = np.where(scores >= 0, 1, small) / (1 + small)
    return result


def checked_labels(y: NDArray[Any], n: int, labels: int) -> NDArray[np.int8]:
    """Return values (n, labels) as int8. Raises ValueError unless they are 1, 0 or -1."""
    values = np.asarray(y)
    if values.shape != (n, labels) or values.dtype.kind not in "iu":
        raise ValueError(f"y is {values.dtype} of shape {values.shape}; expected integers of shape ({n}, {labels})")
    if values.size and (values.min() < -1 or values.max() > 1):
        raise ValueError(
            f"y holds values from {values.min()} to {values.max()}; expected 1, 0 and, for unknown labels, -1"
        )
    return values.astype(np.int8, copy=False)


def base_rates(y: NDArray[np.int8], row_weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weighted share of rows that have each label among those where it is known, NaN without any."""
    known, positive = row_weights @ (y >= 0), row_weights @ (y == 1)
    rates: NDArray[np.float64] = np.divide(positive, known, out=np.full(known.shape, np.nan), where=known > 0)
    return rates


def log_odds(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the scores whose sigmoids are shares: infinite for 0 and 1, and 0 for NaN, which is not known."""
    with np.errstate(divide="ignore"):
        found: NDArray[np.float64] = np.log(shares) - np.log1p(-shares)
    return np.where(np.isnan(shares), 0.0, found)


def with_unknown_as_nan(y: NDArray[np.int8]) -> NDArray[np.float64]:
    """Return values (n, labels) as numbers: 1.0, 0.0 and NaN."""
    return np.where(y < 0, np.nan, y)


def stored_thresholds(thresholds: tuple[float, ...]) -> dict[str, list[float]]:
    """Return thresholds as a value of ``Stored``; nothing where there are none."""
    return {"thresholds": list(thresholds)} if thresholds else {}


def read_thresholds(stored: Stored, classes: tuple[str, ...]) -> tuple[float, ...]:
    """Return the thresholds that were stored so. Raises ValueError if they are not one number for each label."""
    found = stored.values.get("thresholds", [])
    check_thresholds(found, classes)
    return tuple(map(float, found))


def check_thresholds(found: object, classes: tuple[str, ...]) -> None:
    """Raise ValueError for thresholds that are neither none nor one finite number for each label."""
    sound = isinstance(found, list | tuple) and len(found) in (0, len(classes))
    if not sound or not all(isinstance(value, float | int) and np.isfinite(value) for value in cast(list[Any], found)):
        raise ValueError(f"thresholds {found!r:.200}; expected a number for each of {len(classes)} labels")
