"""g(y) = Wy + b as predicted values, in float64: a fitted head, and many of them fitted together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from frostline.stages.heads.linear import AffinePath, normalized
from frostline.stages.heads.stored import Stored

_BLOCK = 8192


@dataclass(frozen=True, eq=False)
class LinearRegressionHead:
    """``weight`` float64 (outputs, d), ``bias`` float64 (outputs,), ``classes``: the outputs by name.

    ``normalized``: whether features are divided by their length before.
    """

    weight: NDArray[np.float64]
    bias: NDArray[np.float64]
    classes: tuple[str, ...]
    normalized: bool = False
    probabilistic: ClassVar[bool] = False
    target: ClassVar[str] = "regression"

    @property
    def width(self) -> int:
        """How many features it takes."""
        return int(self.weight.shape[1])

    def decision_values(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return the predicted values of features (n, d), float64 (n, outputs), a block of rows at a time."""
        result = np.empty((len(X), len(self.classes)))
        for start in range(0, len(X), _BLOCK):
            rows = slice(start, start + _BLOCK)
            np.matmul(in_double(X[rows], normal=self.normalized), self.weight.T, out=result[rows])
        result += self.bias
        return result

    def stored(self) -> Stored:
        """Return what it is written as."""
        arrays = {"weight": self.weight, "bias": self.bias}
        return Stored("linear-regression", {"normalized": self.normalized}, arrays)


def read_linear_regression(stored: Stored, classes: tuple[str, ...], _width: int) -> LinearRegressionHead:
    """Return the head that was stored so. Raises ValueError or KeyError if these are no W and b of the outputs."""
    weight, bias = stored.tensors["weight"], stored.tensors["bias"]
    fits = weight.ndim == 2 and weight.shape[:1] == bias.shape == (len(classes),)
    if not fits or weight.dtype != np.float64 or bias.dtype != np.float64:
        raise ValueError(f"weight {weight.shape} {weight.dtype}, bias {bias.shape} {bias.dtype}, {len(classes)} names")
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        raise ValueError("weights that are not numbers")
    flag = stored.values["normalized"]
    if not isinstance(flag, bool):
        raise ValueError("a flag that is neither true nor false")
    return LinearRegressionHead(weight, bias, classes, flag)


@dataclass(frozen=True, eq=False)
class LinearRegressionPath(AffinePath):
    """Heads for k values of a parameter; ``weight`` (k, outputs, d) and ``bias`` (k, outputs) float64."""

    probabilistic: bool = False

    def scores(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return the predicted values of features (n, d), float64 (k, n, outputs), all heads in one product."""
        flat = self.weight.reshape(-1, self.weight.shape[-1])
        scores = (flat @ in_double(X, normal=self.normalized).T).reshape(*self.bias.shape, len(X))
        scores += self.bias[..., None]
        return np.swapaxes(scores, -1, -2)

    def decision_values(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return the predicted values, as ``scores``."""
        return self.scores(X)

    def head(self, index: int, classes: tuple[str, ...]) -> LinearRegressionHead:
        """Return the head of one value."""
        return LinearRegressionHead(self.weight[index], self.bias[index], classes, self.normalized)


def in_double(X: NDArray[Any], *, normal: bool) -> NDArray[np.float64]:
    """Return rows as float64, divided by their lengths where they are to be ``normal``."""
    rows = normalized(X.astype(np.float32, copy=False)) if normal else X
    return rows.astype(np.float64, copy=False)
