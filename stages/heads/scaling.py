"""What is done to features before a head sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from frostline.stages.heads.linear import normalized
from frostline.stages.heads.stored import Stored
from frostline.stages.targets.base import DEFAULT

if TYPE_CHECKING:
    from frostline.stages.heads.base import Head, HeadPath

_BLOCK = 8192


@dataclass(frozen=True, eq=False)
class Scaler:
    """Features less ``mean``, divided by ``deviation``, both float32 (d,); a deviation of infinity makes zeros.

    Without them each row is divided by its length instead.
    """

    mean: NDArray[np.float32] | None = None
    deviation: NDArray[np.float32] | None = None

    def __call__(self, X: NDArray[Any]) -> NDArray[np.float32]:
        """Return scaled rows, float32 (n, d)."""
        rows = X.astype(np.float32, copy=False)
        if self.mean is None or self.deviation is None:
            return normalized(rows)
        result: NDArray[np.float32] = (rows - self.mean) / self.deviation
        return result

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """Return what there is to store."""
        if self.mean is None or self.deviation is None:
            return {}
        return {"scaler.mean": self.mean, "scaler.deviation": self.deviation}


def standardizer(X: NDArray[Any], used: NDArray[np.bool_], epsilon: float = 0.0) -> Scaler:
    """Return the scaler that gives the used rows of X (n, d) mean 0 and deviation 1, and constant features 0.

    Where ``epsilon`` is not 0 it is added to each deviation, and nothing is done for constant features besides.
    Sums are float64, a block of rows at a time.
    """
    blocks = [slice(start, start + _BLOCK) for start in range(0, len(X), _BLOCK)]
    count = np.count_nonzero(used)
    mean = sum((X[rows][used[rows]].sum(0, dtype=np.float64) for rows in blocks), np.zeros(X.shape[1])) / count
    squares = ((X[rows][used[rows]].astype(np.float64) - mean) ** 2 for rows in blocks)
    deviation = np.sqrt(sum((block.sum(0) for block in squares), np.zeros(X.shape[1])) / count)
    if epsilon:
        deviation += epsilon
    else:
        deviation[deviation <= 1e-6 * np.abs(mean)] = np.inf
    return Scaler(mean.astype(np.float32), deviation.astype(np.float32))


@dataclass(frozen=True, eq=False)
class ScaledHead:
    """A head on scaled features."""

    head: Head
    scaler: Scaler

    @property
    def classes(self) -> tuple[str, ...]:
        return self.head.classes

    @property
    def width(self) -> int:
        return self.head.width

    @property
    def probabilistic(self) -> bool:
        return self.head.probabilistic

    @property
    def target(self) -> str:
        """The kind of target that the head is for."""
        return target_of(self.head)

    @property
    def thresholds(self) -> tuple[float, ...]:
        """The head's thresholds; empty where it has none."""
        return getattr(self.head, "thresholds", ())

    def with_thresholds(self, thresholds: tuple[float, ...]) -> ScaledHead:
        """Return the same head with other thresholds, where it takes any."""
        if not hasattr(self.head, "with_thresholds"):
            return self
        return replace(self, head=self.head.with_thresholds(thresholds))

    def stored(self) -> Stored:
        """Return what the head is written as, its scaler among the tensors. Raises what the head's own does."""
        inner = self.head.stored()
        return replace(inner, tensors={**inner.tensors, **self.scaler.tensors()})

    def decision_values(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return the head's probabilities or scores of features as they were before scaling, float64 (n, classes)."""
        parts = [self.head.decision_values(self.scaler(X[i : i + _BLOCK])) for i in range(0, len(X), _BLOCK)]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.classes)))


@dataclass(frozen=True, eq=False)
class ScaledPath:
    """The heads of a path, on scaled features."""

    path: HeadPath
    scaler: Scaler

    @property
    def converged(self) -> NDArray[np.bool_]:
        return self.path.converged

    @property
    def iterations(self) -> NDArray[np.int64]:
        return self.path.iterations

    @property
    def probabilistic(self) -> bool:
        return self.path.probabilistic

    def decision_values(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return probabilities or scores of features as they were before scaling, float (k, n, classes)."""
        return self.path.decision_values(self.scaler(X))

    def head(self, index: int, classes: tuple[str, ...]) -> ScaledHead:
        """Return the head of one value."""
        return ScaledHead(self.path.head(index, classes), self.scaler)

    def head_of_each(self, indices: Sequence[int], classes: tuple[str, ...]) -> ScaledHead:
        """Return the head whose labels have a value each, by its place, where it is of many labels."""
        return ScaledHead(cast(Any, self.path).head_of_each(indices, classes), self.scaler)


def target_of(head: Head) -> str:
    """Return the kind of target that a head is for: what it says, or else single labels."""
    return getattr(head, "target", DEFAULT)
