"""Training rows scored by heads that have not seen them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from frostline.stages.errors import DataError, counted
from frostline.stages.fit.training_rows import Mask, TrainingRows
from frostline.stages.heads import HeadPath
from frostline.stages.heads.kinds import Number

Held = tuple[slice, NDArray[np.int64], NDArray[np.float64], NDArray[Any]]
_VALUES = 2**25  # decision values held at once
_BYTES = 2**29  # of heads fitted at once
_EVERY = slice(None)


class Scored(Protocol):
    """Rows scored by the heads of one value that have not seen them.

    Blocks of them: which values of the grid, the rows' positions, weights, and decision values (k, b, classes).
    """

    probabilistic: bool

    def of(self, index: int) -> Iterator[Held]:
        """Yield all held-out rows, with the decision values of one value, k = 1."""


class Unseen(Scored, Protocol):
    """The same of all values of a grid."""

    grid: tuple[Number, ...]

    def blocks(self) -> Iterator[Held]:
        """Yield all held-out rows, with the decision values of every value."""


class HeldOut:
    """One head per value and mask, of the rows held out."""

    def __init__(self, rows: TrainingRows, masks: Sequence[Mask]) -> None:
        self.rows, self.masks, self.grid = rows, masks, rows.spec.grid
        head = rows.classes * (rows.X.shape[1] + 1) * 8
        self._together = max(1, _BYTES // (head * len(self.grid)))
        self._first = self._fitted(self.grid, masks[: self._together])
        self.converged: tuple[bool, ...] = ()
        self.probabilistic = self._first[0].probabilistic

    def blocks(self) -> Iterator[Held]:
        """Yield all held-out rows, and then know of each value whether its head converged, in every fit."""
        grid, converged = self.grid, np.ones(len(self.grid), bool)
        for path, held in self._paths(grid):
            converged &= path.converged
            yield from held_by(path, held, self.rows, len(grid))
        self.converged = tuple(converged.tolist())

    def of(self, index: int) -> Iterator[Held]:
        all_kept = len(self._first) == len(self.masks)
        grid = self.grid if all_kept else self.grid[index : index + 1]
        for path, held in self._paths(grid):
            yield from held_by_one(path, index if all_kept else 0, held, self.rows)

    def _paths(self, grid: tuple[Number, ...]) -> Iterator[tuple[HeadPath, Mask]]:
        """Yield the path of each mask; those that don't fit in memory together one batch after the other."""
        for start in range(0, len(self.masks), self._together):
            masks = self.masks[start : start + self._together]
            known = start == 0 and grid == self.grid
            yield from zip(self._first if known else self._fitted(grid, masks), masks, strict=True)

    def _fitted(self, grid: tuple[Number, ...], masks: Sequence[Mask]) -> list[HeadPath]:
        return self.rows.fit_each(grid, [~held for held in masks])


class Others:
    """Every row by the heads of all others."""

    def __init__(self, rows: TrainingRows, digests: NDArray[np.uint8], views: int) -> None:
        if views > 1:
            raise DataError(
                "leave-one-out with several views would leak: the other view of a sample stays in training; use "
                "--folds N"
            )
        if rows.spec.scaling == "standardize":
            raise DataError(
                "leave-one-out with --scaling standardize would leak: the scaling uses every row; use --folds N"
            )
        copies = len(digests) - len(np.unique(digests, axis=0))
        if copies:
            raise DataError(
                f"leave-one-out with copies of {counted(copies, 'training sample')} would leak: the copies "
                "stay in training; use --folds N, where copies stay together"
            )
        self.rows, self.grid = rows, rows.spec.grid
        self.probabilistic = rows.fit(rows.spec.grid[:1], np.ones(len(rows.y), bool)).probabilistic

    def blocks(self) -> Iterator[Held]:
        """All rows at once, so the values in stretches of what fits in memory."""
        grid, length = self.grid, max(1, 4 * _VALUES // (len(self.rows.y) * self.rows.classes))
        return (self._of(slice(start, start + length)) for start in range(0, len(grid), length))

    def of(self, index: int) -> Iterator[Held]:
        yield self._of(slice(index, index + 1))

    def _of(self, values: slice) -> Held:
        everything = np.arange(len(self.rows.y))
        weights = self.rows.weights(np.ones(len(everything), bool))
        return values, everything, weights, self.rows.leave_one_out(self.grid[values])


def held_by(path: HeadPath, held: Mask, rows: TrainingRows, values: int) -> Iterator[Held]:
    """Yield the rows that are held out, with their decision values by every head of a path."""
    for part in _parts(np.flatnonzero(held), values * rows.classes):
        yield _EVERY, part, rows.weights(held)[part], path.decision_values(rows.X[part])


def held_by_one(path: HeadPath, index: int, held: Mask, rows: TrainingRows) -> Iterator[Held]:
    """Yield the rows that are held out, with their decision values by one head of a path."""
    head = path.head(index, ("",) * rows.classes)
    for part in _parts(np.flatnonzero(held), rows.classes):
        yield _EVERY, part, rows.weights(held)[part], head.decision_values(rows.X[part])[None]


def _parts(rows: NDArray[np.int64], values: int) -> Iterator[NDArray[np.int64]]:
    """Yield the rows in blocks whose decision values, ``values`` a row, fit in memory."""
    length = max(1, _VALUES // values)
    return (rows[start : start + length] for start in range(0, len(rows), length))
