"""The interval of the expected calibration error, which is never below 0 and too high in any sample.

The error is a sum over bins of |D|, D the excess of right rows over confidence. Let D be normal around s D, with its
binomial deviation: s is sought, from 0 to 1, at which the sum is as large as it was in the median. The sum's spread at
that s, turned about, is the interval around s times the sum. Three bounds are added: a sum that perfect calibration
exceeds in 2.5 % may be none at all (Bröcker and Smith, Weather and Forecasting 22, 2007), and where accuracy may be at
either of Wilson's ends, the error may be as large as mean confidence is away from that, however few mistakes were seen;
nor is the lower end nearer than accuracy is to Wilson's end on the side of confidence.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from frostline.stages.metrics.score import Bounds, Z, wilson

Array = NDArray[np.float64]
_DRAWS, _HALVINGS = 1000, 25


def calibration_interval(own: NDArray[np.int64], confidence: Array, right: NDArray[np.bool_], bins: int) -> Bounds:
    """Return the interval for rows (n,) of some bin each, of a confidence, that are right or not."""
    n = len(own)
    excess = np.bincount(own, right - confidence, bins) / n
    deviation = _deviations(own, confidence, right, bins) / n
    value = float(np.abs(excess).sum())
    draws = deviation * np.random.default_rng(0).standard_normal((_DRAWS, bins))
    share = _share(excess, draws)
    low, middle, high = np.quantile(np.abs(share * excess + draws).sum(1), (0.025, 0.5, 0.975)).tolist()
    centre = share * value
    said, rate = float(confidence.mean()), float(right.mean())
    fewest, most = wilson(rate, n)
    by_chance = value <= noise(own, confidence, bins)
    below = max(high - middle, rate - fewest if rate > said else most - rate)
    least = 0.0 if by_chance else max(centre - below, 0.0)
    return least, min(1.0, max(centre + middle - low, said - fewest, most - said))


def noise(own: NDArray[np.int64], confidence: Array, bins: int) -> float:
    """Return what 97.5 % of calibration errors stay below where confidence is exactly the chance to be right.

    The rows that are right in a bin are then as good as binomial of their mean confidence.
    """
    rows = np.bincount(own, minlength=bins)
    chance = np.minimum(np.bincount(own, confidence, bins) / np.maximum(rows, 1), 1.0)
    right = np.random.default_rng(0).binomial(rows, chance, (_DRAWS, bins))
    return float(np.quantile(np.abs(right - rows * chance).sum(1) / len(own), 0.975))


def _deviations(own: NDArray[np.int64], confidence: Array, right: NDArray[np.bool_], bins: int) -> Array:
    """Return the deviation of each bin's excess: of the rows seen, but no less than with z² rows added to the bins."""
    rows, hits = np.bincount(own, minlength=bins), np.bincount(own, right, bins)
    used = int(np.count_nonzero(rows))
    rate = (hits + Z**2 / 2 / used) / (rows + Z**2 / used)
    few = len(own) / max(len(own) - used, len(own) / 2)
    off = right - confidence
    seen = few * (np.bincount(own, off**2, bins) - np.bincount(own, off, bins) ** 2 / np.maximum(rows, 1))
    deviation: Array = np.where(rows > 0, np.sqrt(np.maximum(seen, rows * rate * (1 - rate))), 0.0)
    return deviation


def _share(excess: Array, draws: Array) -> float:
    """Return the s of [0, 1] at which the median of Σ |s D + draw| is Σ |D|."""
    value, low, high = float(np.abs(excess).sum()), 0.0, 1.0
    if float(np.median(np.abs(draws).sum(1))) >= value:
        return 0.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        below = float(np.median(np.abs(middle * excess + draws).sum(1))) < value
        low, high = (middle, high) if below else (low, middle)
    return low
