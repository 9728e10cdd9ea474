"""Rows with predictions, and resamples of them."""

from __future__ import annotations

import numpy as np

from frostline.stages.metrics import Statistic

Rows = tuple[np.ndarray, np.ndarray]


def rows(n: int = 400, classes: int = 7, seed: int = 0, decimals: int = 16) -> Rows:
    """Return labels and probabilities that agree more often than not; few decimals make ties."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    scores = rng.standard_normal((n, classes)) + 1.5 * (np.arange(classes) == y[:, None])
    p = np.exp(scores.round(decimals))
    return y, p / p.sum(1, keepdims=True)


def resample(n: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return rows drawn with replacement, and how often each was."""
    drawn = np.random.default_rng(seed).integers(0, n, n)
    return drawn, np.bincount(drawn, minlength=n)


def of(statistic: Statistic | None, counts: np.ndarray) -> np.ndarray:
    """Return the scores of rows that count so often each."""
    assert statistic is not None
    return statistic.of(counts[:, None].astype(float))[:, 0]
