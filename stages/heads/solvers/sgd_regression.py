"""A linear layer trained on squared errors by stochastic gradient descent, for many learning rates in one pass.

Values are standardised, each output by itself, and features less their means are divided by one number, the root of
their mean square: learning rates mean the same whatever the units are, where the curvature of a squared error would
else make most of them diverge. The heads that come back act on features, and give values, as they were. Of an output
that is not known in every row, the others count for more, as if they were all that there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from frostline.stages.heads.linear_regression import LinearRegressionPath
from frostline.stages.heads.solvers.descent import Descent, Problem, placed
from frostline.stages.heads.solvers.known_values import checked_values
from frostline.stages.heads.solvers.weighted_rows import Doubles, WeightedRows, checked_grid, unlabelled_rows


class SgdRegressionSolver(Descent):
    """Heads of numbers, y (n, outputs) float64, NaN where not known; see :class:`Descent`."""

    def checked(self, y: NDArray[Any], n: int, _classes: int) -> NDArray[Any]:
        """Return the values. Raises ValueError if they are no such."""
        return checked_values(y, n)

    def fit(self, grid: Sequence[float], row_weights: Doubles) -> LinearRegressionPath:
        """Return a head for each learning rate, above 0. Raises ValueError on weights or rates of no use.

        A head that overflowed is not ``converged`` and predicts the means.
        """
        rates = checked_grid(self.parameter, grid)
        rows = unlabelled_rows(self.X, row_weights)
        mean, deviation = _moments(self.y[rows.index], rows.weights)
        scale = _scale(rows)
        problem = SquaredError(rows, scale, (self.y[rows.index] - mean) / deviation, self.device)
        heads, finite = self.trained(problem, rates)
        weight, bias = heads[..., :-1] * (deviation[:, None] / scale), heads[..., -1] * deviation + mean
        bias = bias - weight @ rows.mean
        return LinearRegressionPath(weight, bias, finite, np.full(len(rates), self.steps))


def _scale(rows: WeightedRows) -> float:
    """Return the root of the mean square of features less their means; 1 where they are all equal."""
    squares = sum(float(rows.weights[part] @ np.square(block - rows.mean).mean(1)) for part, block in rows.blocks())
    return float(np.sqrt(squares / rows.weights.sum())) or 1.0


def _moments(y: Doubles, weights: Doubles) -> tuple[Doubles, Doubles]:
    """Return the mean and deviation, 1 where that is 0, of the known values of each output."""
    known = ~np.isnan(y) * weights[:, None]
    total = known.sum(0)
    if not total.all():
        raise ValueError("an output has no known value in rows with weight; expected at least one")
    mean = (known * np.nan_to_num(y)).sum(0) / total
    deviation = np.sqrt((known * np.nan_to_num(y - mean) ** 2).sum(0) / total)
    return mean, np.where(deviation > 0, deviation, 1)


class SquaredError(Problem):
    """Half the squared error of each output, in rows where it is known, from features less their means over a scale."""

    def __init__(self, rows: WeightedRows, scale: float, targets: Doubles, device: str) -> None:
        super().__init__(rows, targets.shape[1], device)
        self.mean, self.scale = placed(rows.mean.astype(np.float32), device), scale
        known = ~np.isnan(targets)
        self.targets = placed(np.nan_to_num(targets).astype(np.float32), device)
        self.shares = placed((known / known.mean(0)).astype(np.float32), device)

    def features(self, picked: Tensor) -> Tensor:
        """Return them, float32 (b, d)."""
        return (super().features(picked) - self.mean) / self.scale

    def residual(self, scores: Tensor, picked: Tensor) -> Tensor:
        """Return the errors."""
        return (scores - self.targets[picked][:, None]) * self.shares[picked][:, None]
