"""The objective of a linear support vector machine, written out."""

from __future__ import annotations

import numpy as np


def objective(theta, X, target, C, weights):
    slack = np.maximum(0, 1 - target * (X.astype(float) @ theta[:-1] + theta[-1]))
    slope = -2 * C * weights * target * slack
    return 0.5 * theta[:-1] @ theta[:-1] + C * weights @ slack**2, np.append(theta[:-1] + slope @ X, slope.sum())
