"""Logistic regression for every C of a grid; the objective is scikit-learn's.

With two classes scikit-learn has a single weight vector u: here W = (-u/2, u/2), and the penalty
is 1/2 ||u||^2 = ||W||^2. Weights sum to zero over the classes.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from frostline.stages.heads.kinds import DINOV2_GRID
from frostline.stages.heads.newton.c_path import Effort
from frostline.stages.heads.newton.losses import Loss
from frostline.stages.heads.newton.penalised import (
    SOFTMAX,
    Continued,
    MatmulType,
    PenalisedPath,
    PenalisedSolver,
    prepare,
)


class LogisticSolver(PenalisedSolver):
    """Logistic regression on prepared rows."""

    loss: ClassVar[Loss] = SOFTMAX

    def begin(self, row_weights: NDArray[np.float64]) -> Continued:
        """Return the tasks of row weights (t, n) without a value yet."""
        return Continued(self.rows.begin(row_weights), Effort(**self.limits), len(row_weights))


def logistic_path(
    X: ArrayLike | Tensor,
    y: ArrayLike | Tensor,
    C: ArrayLike = DINOV2_GRID,
    *,
    classes: int | None = None,
    row_weights: ArrayLike | None = None,
    tolerance: float = 1e-5,
    max_iterations: int = 200,
    dtype: MatmulType = "float32",
    device: str = "cpu",
) -> PenalisedPath:
    """Fit multinomial logistic regression for every C and every task of row weights.

    Short for ``prepare(X, y, ...).fit(C, ...)``; see :func:`prepare` and :meth:`PreparedRows.fit`
    for the arguments, the memory and the errors.
    """
    rows = prepare(X, y, classes=classes, dtype=dtype, device=device)
    return rows.fit(C, row_weights=row_weights, tolerance=tolerance, max_iterations=max_iterations)
