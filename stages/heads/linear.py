"""g(y) = Wy + b: a fitted linear classifier, and many of them fitted together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from frostline.stages.heads.stored import Stored

_BLOCK = 8192
_CACHED = 256  # rows whose float64 copy stays in a core's cache
FloatType = TypeVar("FloatType", bound=np.floating[Any])


@dataclass(frozen=True, eq=False)
class Affine:
    """Scores Wx + b: ``weight`` float32 (classes, d), ``bias`` float32 (classes,), ``classes`` by name.

    ``normalized``: whether features are divided by their length before. ``probabilistic``: whether probabilities
    follow from the scores.
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    classes: tuple[str, ...]
    normalized: bool = False
    probabilistic: bool = True

    @property
    def width(self) -> int:
        """How many features it takes."""
        return int(self.weight.shape[1])

    def scores(self, X: NDArray[Any]) -> NDArray[np.float32]:
        """Return Wx + b of features (n, d), float32 (n, classes), a block of rows at a time."""
        result = np.empty((len(X), len(self.classes)), np.float32)
        for start in range(0, len(X), _BLOCK):
            rows = slice(start, start + _BLOCK)
            block = X[rows].astype(np.float32, copy=False)
            np.matmul(normalized(block) if self.normalized else block, self.weight.T, out=result[rows])
        result += self.bias
        return result


@dataclass(frozen=True, eq=False)
class LinearHead(Affine):
    """A head whose probabilities are the softmax of its scores, if it is ``probabilistic``."""

    def decision_values(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return probabilities, float64 (n, classes), or where the head has none its scores."""
        scores = self.scores(X).astype(np.float64)
        return softmax(scores) if self.probabilistic else scores

    def stored(self) -> Stored:
        """Return what it is written as."""
        values = {"normalized": self.normalized, "probabilistic": self.probabilistic}
        return Stored("linear", values, {"weight": self.weight, "bias": self.bias})


def read_linear(stored: Stored, classes: tuple[str, ...], _width: int) -> LinearHead:
    """Return the head that was stored so. Raises ValueError or KeyError if these are no W and b of the classes."""
    return LinearHead(*affine_of(stored, classes))


def affine_of(
    stored: Stored, classes: tuple[str, ...]
) -> tuple[NDArray[np.float32], NDArray[np.float32], tuple[str, ...], bool, bool]:
    """Return the fields of ``Affine`` that were stored so. Raises ValueError or KeyError if they are no such."""
    weight, bias = stored.tensors["weight"], stored.tensors["bias"]
    shapes = f"weight {weight.shape} {weight.dtype}, bias {bias.shape}, {len(classes)} classes"
    fits = weight.ndim == 2 and weight.shape[:1] == bias.shape == (len(classes),)
    if not fits or weight.dtype != np.float32 or bias.dtype != np.float32:
        raise ValueError(shapes)
    if not np.isfinite(weight).all() or np.isnan(bias).any():
        raise ValueError("weights that are not numbers")
    normal, probabilistic = stored.values["normalized"], stored.values["probabilistic"]
    if not isinstance(normal, bool) or not isinstance(probabilistic, bool):
        raise ValueError("a flag that is neither true nor false")
    return weight, bias, classes, normal, probabilistic


@dataclass(frozen=True, eq=False)
class AffinePath:
    """Wx + b for k values of a parameter, fitted on the same rows; kinds of target say what that means.

    Attributes:
        weight: (k, classes, d) float64.
        bias: (k, classes) float64; -inf for a class that has no row.
        converged: (k,) bool.
        iterations: (k,) int64.
        probabilistic: whether decision values are probabilities.
        normalized: whether features are divided by their length before.
    """

    weight: NDArray[np.float64]
    bias: NDArray[np.float64]
    converged: NDArray[np.bool_]
    iterations: NDArray[np.int64]
    probabilistic: bool = True
    normalized: bool = False

    def scores(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return Wx + b of features (n, d), float (k, n, classes), all heads in one product, in X's precision."""
        rows = X.astype(np.float32) if X.dtype == np.float16 else X
        rows = normalized(rows) if self.normalized else rows
        flat = self.weight.reshape(-1, self.weight.shape[-1]).astype(rows.dtype)
        scores = (flat @ rows.T).reshape(*self.bias.shape, len(rows))
        scores += self.bias[..., None].astype(rows.dtype)
        return np.swapaxes(scores, -1, -2)

    def rescaled(self, mean: NDArray[np.float64], deviation: NDArray[np.float64]) -> Self:
        """Return the heads acting on x where these act on (x - mean) / deviation."""
        weight = self.weight / deviation
        return replace(self, weight=weight, bias=self.bias - weight @ mean)


@dataclass(frozen=True, eq=False)
class LinearPath(AffinePath):
    """Heads of single labels; ``probabilistic``: whether the softmax of the scores are probabilities."""

    def decision_values(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return probabilities, float (k, n, classes), or where the heads have none their scores."""
        scores = self.scores(X)
        return softmax(scores) if self.probabilistic else scores

    def head(self, index: int, classes: tuple[str, ...]) -> LinearHead:
        """Return the head of one value, in float32."""
        weight, bias = self.weight[index].astype(np.float32), self.bias[index].astype(np.float32)
        return LinearHead(weight, bias, classes, self.normalized, self.probabilistic)


def softmax(scores: NDArray[FloatType]) -> NDArray[FloatType]:
    """Return exp(scores) divided by their sum over the last axis."""
    exponentials: NDArray[FloatType] = np.exp(scores - scores.max(-1, keepdims=True))
    exponentials /= exponentials.sum(-1, keepdims=True)
    return exponentials


def normalized(X: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return rows (n, d) divided by their lengths; rows of zeros as they are."""
    result = np.empty(X.shape, np.float32)
    for start in range(0, len(X), _CACHED):
        rows = X[start : start + _CACHED].astype(np.float64)
        lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
        lengths[lengths == 0] = 1
        rows /= lengths
        result[start : start + _CACHED] = rows
    return result
