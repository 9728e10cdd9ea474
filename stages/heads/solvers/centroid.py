"""The nearest class mean by cosine: a head without a parameter.

Rows are divided by their lengths, averaged within each class, and the means divided by theirs; a score is the
cosine <x / |x|, m_c> (the nearest-mean classifier of Mensink et al. 2013, and Snell et al. 2017, "Prototypical
networks", with the cosine in place of the Euclidean distance).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from frostline.stages.heads.linear import LinearPath, normalized
from frostline.stages.heads.solvers.weighted_rows import Doubles, weighted_rows


class CentroidSolver:
    """Means of normalised rows. A row of zeros has cosine 0 with everything, and so has a mean of 0.

    Args:
        X: (n, d) float16, float32 or float64, finite.
        y: (n,) int64 labels 0 .. classes - 1.
        classes: how many there are.
    """

    parameter: ClassVar[str] = ""

    def __init__(self, X: NDArray[Any], y: NDArray[np.int64], classes: int) -> None:
        self.X, self.y, self.classes = X, y, classes

    def fit(self, grid: Sequence[float], row_weights: Doubles) -> LinearPath:
        """Return the head, once for each value, which are not looked at. Raises ValueError on bad weights."""
        rows = weighted_rows(self.X, self.y, self.classes, row_weights)
        sums = np.zeros((self.classes, self.X.shape[1]))
        for part, block in rows.blocks():
            sums += rows.class_sums(part) @ normalized(block.astype(np.float32))
        k = len(grid)
        bias = np.where(rows.totals > 0, 0.0, -np.inf)
        return LinearPath(
            np.tile(normalized(sums.astype(np.float32)).astype(np.float64), (k, 1, 1)),
            np.tile(bias, (k, 1)),
            np.ones(k, bool),
            np.ones(k, np.int64),
            probabilistic=False,
            normalized=True,
        )
