"""Choosing a head's parameter on training rows that the heads have not seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from frostline.stages.datasets.sampling import folds, hold_out
from frostline.stages.errors import DataError, counted
from frostline.stages.fit.enough import too_few
from frostline.stages.fit.selection import Choice
from frostline.stages.fit.training_rows import Mask, TrainingRows
from frostline.stages.heads import HeadPath, HeadSpec
from frostline.stages.metrics import temperature
from frostline.stages.targets.base import Target
from frostline.stages.targets.registry import DEFAULT, TARGETS

Held = tuple[slice, NDArray[np.int64], NDArray[np.float64], NDArray[Any]]
_VALUES = 2**25  # confidences held at once
_EVERY = slice(None)


class _Unseen(Protocol):
    """Rows scored by heads that have not seen them.

    Blocks of them: which values of the grid, the rows' positions, weights, and confidences (k, b, classes).
    """

    probabilistic: bool

    def blocks(self) -> Iterator[Held]:
        """Yield all held-out rows, with the confidences of every value."""

    def of(self, index: int) -> Iterator[Held]:
        """Yield the same of one value, k = 1."""


def choose(rows: TrainingRows, digests: NDArray[np.uint8], views: int) -> Choice:
    """Return the value that is right most often, each row counting what its class weight says.

    Of values that are equally often right, the one of the least log-loss, or for heads without
    probabilities the one in the middle.
    """
    spec, n, target = rows.spec, len(rows.y), TARGETS.load(DEFAULT)
    if spec.folds == "loo":
        unseen: _Unseen = _Others(rows, digests, views)
        how: dict[str, Any] = {"by": "leave-one-out", "fitted_rows": n - 1, "held_out_rows": n}
    else:
        masks = _masks(target.strata(rows.y), digests, rows.classes, spec)
        unseen = folded = _Folds(rows, masks)
        held = int(sum(map(np.count_nonzero, masks)))
        how = {"by": "folds" if spec.folds else "hold-out", "folds": spec.folds, "converged": folded.converged}
        how |= {"fitted_rows": n - held // len(masks), "held_out_rows": held}
    accuracy, loss = _scores(unseen, rows.y, len(spec.grid), target)
    best = _best(accuracy, loss)
    if unseen.probabilistic:
        how |= {"log_loss": tuple(loss.tolist()), "temperature": _temperature(unseen.of(best), rows.y)}
    return Choice(value=spec.grid[best], accuracy=tuple(accuracy.tolist()), **how)


class _Folds:
    """One head per value and fold."""

    def __init__(self, rows: TrainingRows, masks: Sequence[Mask]) -> None:
        self.rows, self.masks = rows, masks
        self.paths: list[HeadPath] = rows.fit_each(rows.spec.grid, [~held for held in masks])
        self.probabilistic = self.paths[0].probabilistic

    @property
    def converged(self) -> tuple[bool, ...]:
        """Whether the head of each value converged, in every fold."""
        return tuple(np.all([path.converged for path in self.paths], axis=0).tolist())

    def blocks(self) -> Iterator[Held]:
        for path, held in zip(self.paths, self.masks, strict=True):
            for part in _parts(np.flatnonzero(held), len(self.rows.spec.grid) * self.rows.classes):
                yield _EVERY, part, self.rows.weights(held)[part], path.confidence(self.rows.X[part])

    def of(self, index: int) -> Iterator[Held]:
        names = ("",) * self.rows.classes
        for path, held in zip(self.paths, self.masks, strict=True):
            head = path.head(index, names)
            for part in _parts(np.flatnonzero(held), self.rows.classes):
                yield _EVERY, part, self.rows.weights(held)[part], head.confidence(self.rows.X[part])[None]


class _Others:
    """Every row by the heads of all others."""

    def __init__(self, rows: TrainingRows, digests: NDArray[np.uint8], views: int) -> None:
        if views > 1:
            raise DataError("leave-one-out with several views: a sample's other view would vouch for it; use --folds N")
        if rows.spec.scaling == "standardize":
            raise DataError("leave-one-out with --scaling standardize, whose scale knows every row; use --folds N")
        copies = len(digests) - len(np.unique(digests, axis=0))
        if copies:
            raise DataError(
                f"leave-one-out with {counted(copies, 'training sample')} that others are copies of, which would vouch "
                "for them; use --folds N, where copies stay together"
            )
        self.rows = rows
        self.probabilistic = rows.fit(rows.spec.grid[:1], np.ones(len(rows.y), bool)).probabilistic

    def blocks(self) -> Iterator[Held]:
        """All rows at once, so the values in stretches of what fits in memory."""
        grid, length = self.rows.spec.grid, max(1, 4 * _VALUES // (len(self.rows.y) * self.rows.classes))
        return (self._of(slice(start, start + length)) for start in range(0, len(grid), length))

    def of(self, index: int) -> Iterator[Held]:
        yield self._of(slice(index, index + 1))

    def _of(self, values: slice) -> Held:
        everything = np.arange(len(self.rows.y))
        weights = self.rows.weights(np.ones(len(everything), bool))
        return values, everything, weights, self.rows.leave_one_out(self.rows.spec.grid[values])


def _parts(rows: NDArray[np.int64], values: int) -> Iterator[NDArray[np.int64]]:
    """Yield the rows in blocks whose confidences, ``values`` a row, fit in memory."""
    length = max(1, _VALUES // values)
    return (rows[start : start + length] for start in range(0, len(rows), length))


def _masks(y: NDArray[np.int64], digests: NDArray[np.uint8], classes: int, spec: HeadSpec) -> list[Mask]:
    """Return the rows held out, one mask per fold; raise DataError where the rows are too few."""
    wrong = too_few(y, digests, classes, spec)
    if wrong:
        raise DataError(wrong)
    if not spec.folds:
        return [hold_out(y, digests, classes, spec.hold_out, spec.seed)]
    count = int(spec.folds)
    fold = folds(y, digests, classes, count, spec.seed)
    return [fold == k for k in range(count)]


def _scores(
    unseen: _Unseen, y: NDArray[np.int64], k: int, target: Target
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the means of what the target judges rows by, float64 (k,) each: accuracy and log-loss of single labels."""
    good, cost, total = np.zeros(k), np.zeros(k), np.zeros(k)
    for values, part, weights, confidence in unseen.blocks():
        better, costlier = target.judged(confidence, y[part], probabilistic=unseen.probabilistic)
        good[values] += better @ weights
        cost[values] += costlier @ weights
        total[values] += weights.sum()
    return good / total, cost / total


def _best(accuracy: NDArray[np.float64], loss: NDArray[np.float64]) -> int:
    tied = np.flatnonzero(accuracy >= accuracy.max() - 1e-12)
    lowest = tied[loss[tied] <= loss[tied].min()]
    return int(lowest[(len(lowest) - 1) // 2])


def _temperature(held: Iterator[Held], y: NDArray[np.int64]) -> float:
    _, parts, weights, confidences = zip(*held, strict=True)
    confidence = np.concatenate([c[0] for c in confidences])
    return temperature(confidence, y[np.concatenate(parts)], np.concatenate(weights))
