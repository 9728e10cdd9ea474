"""Of each label, whether a row is nearer to the mean of the rows that have it or of those that haven't, by cosine.

It is the head ``centroid`` of two classes, the label and its absence: rows are divided by their lengths, averaged, and
the means m+ and m- divided by theirs; the score is <x / |x|, m+ - m->, above 0 for yes. Rows of which the label is
unknown are left out for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from frostline.stages.heads.linear import normalized
from frostline.stages.heads.multi_label import MultiLabelPath, base_rates, checked_labels
from frostline.stages.heads.solvers.weighted_rows import Doubles, unlabelled_rows

_SURE = 2.0  # the largest difference of two cosines


class CentroidLabelsSolver:
    """Means of normalised rows.

    Args:
        X: (n, d) float16, float32 or float64, finite.
        y: (n, classes) int8: 1, 0, or -1 for unknown.
        classes: how many labels there are.
    """

    parameter: ClassVar[str] = ""

    def __init__(self, X: NDArray[Any], y: NDArray[np.int8], classes: int) -> None:
        self.X, self.y = X, checked_labels(y, len(X), classes)

    def fit(self, grid: Sequence[float], row_weights: Doubles) -> MultiLabelPath:
        """Return the head, once for each value, which are not looked at. Raises ValueError on bad weights.

        A label that all, or none, of the rows have has the score 2, or -2, and 0 where none is known.
        """
        rows, k = unlabelled_rows(self.X, row_weights), len(grid)
        having, lacking = np.zeros((2, self.y.shape[1], self.X.shape[1]))
        for part, block in rows.blocks():
            unit, y = normalized(block.astype(np.float32)), self.y[rows.index[part]]
            having += ((y == 1) * rows.weights[part, None]).T @ unit
            lacking += ((y == 0) * rows.weights[part, None]).T @ unit
        shares = base_rates(self.y[rows.index], rows.weights)
        two_sided = (shares > 0) & (shares < 1)
        weight = normalized(having.astype(np.float32)) - normalized(lacking.astype(np.float32))
        bias = np.where(two_sided | np.isnan(shares), 0.0, _SURE * (2 * shares - 1))
        weight = np.where(two_sided[:, None], weight, 0).astype(np.float64)
        once = np.ones(k, np.int64)
        heads = np.tile(weight, (k, 1, 1)), np.tile(bias, (k, 1)), once > 0, once
        return MultiLabelPath(*heads, probabilistic=False, normalized=True)
