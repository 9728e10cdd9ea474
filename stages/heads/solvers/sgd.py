"""A linear layer trained by stochastic gradient descent, for many learning rates in one pass over the rows.

The loss is cross-entropy; the recipe is that of :mod:`frostline.stages.heads.solvers.descent`.
With a constant rate, batches of 4 and as many steps as two epochs have, it is that of the usual tutorials.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from frostline.stages.heads.linear import LinearPath
from frostline.stages.heads.solvers.descent import Descent, Problem, placed
from frostline.stages.heads.solvers.weighted_rows import Doubles, WeightedRows, checked_grid, weighted_rows


class SgdSolver(Descent):
    """Heads of single labels, y (n,) int64 of 0 .. classes - 1; see :class:`Descent`."""

    def checked(self, y: NDArray[Any], _n: int, _classes: int) -> NDArray[Any]:
        """Return the labels as they are."""
        return y

    def fit(self, grid: Sequence[float], row_weights: Doubles) -> LinearPath:
        """Return a head for each learning rate, above 0. Raises ValueError on weights or rates of no use.

        A head that overflowed is not ``converged`` and has W = 0, b = 0: all classes are equally likely.
        The others count as converged, for SGD knows no optimum.
        """
        rates = checked_grid(self.parameter, grid)
        rows = weighted_rows(self.X, self.y, self.classes, row_weights)
        heads, finite = self.trained(CrossEntropy(rows, self.device), rates)
        heads[:, rows.totals == 0] = 0
        bias = np.where(rows.totals > 0, heads[..., -1], -np.inf)
        return LinearPath(heads[..., :-1], bias, finite, np.full(len(rates), self.steps), probabilistic=True)


class CrossEntropy(Problem):
    """Of the softmax of scores, over the classes that have rows."""

    def __init__(self, rows: WeightedRows, device: str) -> None:
        super().__init__(rows, rows.classes, device)
        self.y = placed(rows.y, device)
        self.targets = torch.eye(rows.classes, device=device)
        self.absent = placed(np.where(rows.totals > 0, 0, -np.inf).astype(np.float32), device)

    def residual(self, scores: Tensor, picked: Tensor) -> Tensor:
        """Return what each class's probability is too large by."""
        residual = (scores + self.absent).softmax(-1)
        residual -= self.targets[self.y[picked]][:, None]
        return residual
