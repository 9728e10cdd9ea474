"""Linear layers of many labels trained by stochastic gradient descent on the cross-entropy of each label by itself.

The recipe is that of :mod:`frostline.stages.heads.solvers.descent`. The loss of a row is the sum over its known labels,
so that what a label learns does not depend on how many others there are; a label that is not known of every row counts
for more in the others, as if they were all that there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from frostline.stages.heads.multi_label import MultiLabelPath, base_rates, checked_labels, log_odds
from frostline.stages.heads.solvers.descent import Descent, Problem, placed
from frostline.stages.heads.solvers.weighted_rows import Doubles, WeightedRows, checked_grid, unlabelled_rows


class SgdLabelsSolver(Descent):
    """Heads of many labels, y (n, classes) int8: 1, 0, or -1 for unknown; see :class:`Descent`."""

    def checked(self, y: NDArray[Any], n: int, classes: int) -> NDArray[Any]:
        """Return the values. Raises ValueError if they are no such."""
        return checked_labels(y, n, classes)

    def fit(self, grid: Sequence[float], row_weights: Doubles) -> MultiLabelPath:
        """Return a head for each learning rate, above 0. Raises ValueError on weights or rates of no use.

        A head that overflowed is not ``converged``, and its labels are as likely as not. A label that all, or none, of
        the rows have is certain, or impossible.
        """
        rates = checked_grid(self.parameter, grid)
        rows = unlabelled_rows(self.X, row_weights)
        y = self.y[rows.index]
        heads, finite = self.trained(LabelsCrossEntropy(rows, y, self.device), rates)
        shares = base_rates(y, rows.weights)
        one_sided = ~((shares > 0) & (shares < 1))
        heads[:, one_sided] = 0
        bias = np.where(one_sided, log_odds(shares), heads[..., -1])
        return MultiLabelPath(heads[..., :-1], bias, finite, np.full(len(rates), self.steps))


class LabelsCrossEntropy(Problem):
    """Of the sigmoid of each score, in rows of which the label is known."""

    def __init__(self, rows: WeightedRows, y: NDArray[np.int8], device: str) -> None:
        super().__init__(rows, y.shape[1], device)
        known = y >= 0
        self.targets = placed((y == 1).astype(np.float32), device)
        self.shares = placed((known / np.maximum(known.mean(0), 1 / len(y))).astype(np.float32), device)

    def residual(self, scores: Tensor, picked: Tensor) -> Tensor:
        """Return what each label's probability is too large by."""
        return (scores.sigmoid() - self.targets[picked][:, None]) * self.shares[picked][:, None]
