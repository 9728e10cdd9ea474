"""W and b as scikit-learn has them: one row for two classes, the scores of the second."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.stages.heads.linear import normalized


def coefficients(
    weight: NDArray[Any], bias: NDArray[Any], *, against_rest: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return ``coef_`` (classes, d) and ``intercept_`` (classes,), float64; of two classes (1, d) and (1,).

    Those of two classes are the second's less the first's, so that their score is above 0 for the second.
    ``against_rest``: each class has been fitted against the rest, so that the first's are the second's, negated: half
    of the difference, as scikit-learn has it.
    """
    weight, bias = weight.astype(np.float64), bias.astype(np.float64)
    if len(bias) != 2:
        return weight, bias
    share = 0.5 if against_rest else 1.0
    return share * (weight[1:] - weight[:1]), share * (bias[1:] - bias[:1])


def linear_scores(
    X: NDArray[Any], coef: NDArray[np.float64], intercept: NDArray[np.float64], *, unit: bool = False
) -> NDArray[np.floating]:
    """Return Wx + b of features (n, d), float (n, classes), or (n,) for one row of W; in X's precision or float32.

    ``unit``: features are divided by their length before.
    """
    rows = X.astype(np.float32) if X.dtype == np.float16 else X
    rows = normalized(rows) if unit else rows
    scores: NDArray[np.floating] = rows @ coef.T.astype(rows.dtype)
    scores += intercept.astype(rows.dtype)
    return scores[:, 0] if scores.shape[1] == 1 else scores
