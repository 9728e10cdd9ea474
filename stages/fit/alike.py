"""Which values of a grid rows that no head has seen can tell apart, and one of them that other rows lead to as well."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]


class UnitLosses:
    """What each sample, or group of them, costs by each candidate, all its rows and repeats together.

    Rows of one unit, such as views, copies and photographs of one patient, say less than as many of others do.
    """

    def __init__(self, candidates: int, units: NDArray[np.int64]) -> None:
        """``units``: int64 (n,), from 0, of every training row."""
        self.units, count = units, int(units.max()) + 1
        self.sums, self.weights = np.zeros((candidates, count)), np.zeros((candidates, count))

    def add(
        self, candidates: slice, rows: NDArray[np.int64], losses: NDArray[Any], weights: NDArray[np.float64]
    ) -> None:
        """Take a block: positions of rows (b,), their losses (k, b) by some candidates, and weights (b,)."""
        order = np.argsort(self.units[rows], kind="stable")
        found, starts = np.unique(self.units[rows][order], return_index=True)
        self.sums[candidates, found] += np.add.reduceat((losses * weights)[:, order], starts, axis=1)
        self.weights[candidates, found] += np.add.reduceat(weights[order], starts)

    def mean(self) -> Doubles:
        """Return each candidate's mean loss, (k,)."""
        means: Doubles = self.sums.sum(1) / self.weights.sum(1)
        return means

    def beside(self, best: int) -> tuple[Doubles, Doubles]:
        """Return by how much each candidate's mean loss is above that of ``best``, and the standard error, (k,) each.

        Of the differences of units, which share their weights: what is common to all candidates counts for nothing.
        """
        weights, total = self.weights[best], self.weights[best].sum()
        with np.errstate(over="ignore", invalid="ignore"):
            each = self.sums - self.sums[best]
            more = each.sum(1) / total
            each -= more[:, None] * weights
            m = np.count_nonzero(weights)
            error = np.sqrt((each**2).sum(1) * m / max(1, m - 1)) / total
        return more, error


def alike(losses: UnitLosses) -> tuple[int, NDArray[np.int64]]:
    """Return the place of the value to take, and those of all that these rows can't tell apart from the best."""
    best = int(losses.mean().argmin())
    more, error = losses.beside(best)
    among = np.flatnonzero(more <= error)
    return int(among[(len(among) - 1) // 2]), among
