"""Which values of a grid rows that no head has seen can tell apart, and one of them that other rows lead to as well."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
_UNSEEN = 0.5  # of an error that the rows don't show
_NEAR = 0.5  # standard errors


class UnitLosses:
    """What each sample, or group of them, costs by each candidate, all its rows and repeats together.

    Rows of one unit, such as views, copies and photographs of one patient, say less than as many of others do.
    """

    def __init__(self, candidates: int, units: NDArray[np.int64]) -> None:
        """``units``: int64 (n,), from 0, of every training row."""
        self.units, count = units, int(units.max()) + 1
        self.sums, self.weights = np.zeros((candidates, count)), np.zeros((candidates, count))
        self.errors = np.zeros(candidates)

    def add(
        self, candidates: slice, rows: NDArray[np.int64], losses: tuple[Doubles, Doubles], weights: Doubles
    ) -> None:
        """Take a block: positions of rows (b,), losses (k, b) by some candidates, those of errors, and weights (b,)."""
        own, errors = losses
        self.errors[candidates] += errors @ weights
        order = np.argsort(self.units[rows], kind="stable")
        found, starts = np.unique(self.units[rows][order], return_index=True)
        self.sums[candidates, found] += np.add.reduceat((own * weights)[:, order], starts, axis=1)
        self.weights[candidates, found] += np.add.reduceat(weights[order], starts)

    def forget(self, candidates: Sequence[int]) -> None:
        """Forget what some candidates cost."""
        self.sums[candidates], self.weights[candidates], self.errors[candidates] = 0.0, 0.0, 0.0

    def mean(self) -> Doubles:
        """Return each candidate's mean loss, (k,), and its units half of one that it errs on; NaN without any."""
        total, m = self.weights.sum(1), np.count_nonzero(self.weights, axis=1)
        with np.errstate(over="ignore", invalid="ignore"):
            means: Doubles = (self.sums.sum(1) / total * m + self.errors / total * _UNSEEN) / (m + _UNSEEN)
        return means

    def least(self) -> int:
        """Return the place of the least mean loss. A mean must be finite."""
        return int(np.nanargmin(self.mean()))

    def error(self, best: int) -> Doubles:
        """Return the standard error of the difference of each candidate's mean loss from that of ``best``, (k,).

        Of the differences of units: what is common to all candidates counts for nothing.
        """
        weights, total = self.weights[best], self.weights[best].sum()
        with np.errstate(over="ignore", invalid="ignore"):
            each = self.sums - self.sums[best]
            each -= each.sum(1)[:, None] / total * weights
            m = np.count_nonzero(weights)
            error: Doubles = np.sqrt((each**2).sum(1) * m / max(1, m - 1)) / total
        return error


def alike(losses: UnitLosses, calmer: int) -> tuple[int, NDArray[np.int64]]:
    """Return the place of the value to take, and those of all within a standard error of the least loss.

    Taken is the calmest (see ``Kind.calmer``) within half a standard error, or the middle of these for a ``calmer`` of
    0. Half a unit that the head errs on is added to the mean loss: where rows are few and all are right, the surest
    head would be the best, whatever it would pay for its first error. Values of both constants from a quarter to one
    lose about as little on the problems of benchmarks/selection/regret.py. A mean loss must be finite; values without
    any loss are skipped.
    """
    means = losses.mean()
    best = losses.least()
    more, error = means - means[best], losses.error(best)
    sure = np.isfinite(error)
    near = np.flatnonzero((sure & (more <= _NEAR * error)) | (more == 0))
    taken = int({-1: near[0], 0: near[(len(near) - 1) // 2], 1: near[-1]}[calmer])
    return taken, np.flatnonzero((sure & (more <= error)) | (more == 0))
