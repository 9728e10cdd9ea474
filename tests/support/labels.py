"""Made-up rows with several labels each."""

from __future__ import annotations

import numpy as np


def labelled(n: int, d: int, labels: int, *, unknown: float = 0.1, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return X float32 (n, d) and y int8 (n, labels), the later labels rarer; a share of the values is unknown (-1)."""
    rng = np.random.default_rng(seed)
    X = (rng.normal(size=(n, d)) * np.geomspace(2, 0.2, d)).astype(np.float32)
    scores = X @ rng.normal(size=(d, labels))
    scores = scores / scores.std(0) + 0.6 * rng.normal(size=scores.shape)
    y = (scores > np.linspace(0, 1.3, labels)).astype(np.int8)
    y[rng.random(y.shape) < unknown] = -1
    return X, y
