"""A score and its interval: over resampled rows, of a proportion, or over draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 1000
Z = 1.959964  # the standard normal deviate of a 95 % interval


@dataclass(frozen=True)
class Score:
    """A score on the test rows and its 95 % interval.

    ``resamples``: how many bootstrap resamples the interval comes from; 0 where it is Wilson's.
    """

    value: float
    low: float
    high: float
    resamples: int


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation (n - 1) of a score over draws or seeds, and the mean's 95 % interval.

    Of a single draw nothing but the mean is known; the rest is None.
    """

    mean: float
    std: float | None
    low: float | None
    high: float | None
    draws: int


def wilson(value: float, trials: float) -> Score:
    """Return Wilson's 95 % score interval (JASA 22, 1927) of a proportion that is 0 or 1.

    Resampling rows that are all right, or all wrong, shows no spread. Without any trial
    the interval is [0, 1].
    """
    margin = Z**2 / (trials + Z**2)
    return Score(value, 1 - margin, 1.0, 0) if value else Score(value, 0.0, margin, 0)


def spread(values: Sequence[float]) -> Spread:
    """Return how a score varies over n draws; its interval is Student's, mean ± t(0.975, n - 1) std / √n.

    Raises ValueError if there is no value.
    """
    if not len(values):
        raise ValueError("no values were given; wanted the score of at least one draw")
    mean = float(np.mean(values))
    if len(values) == 1:
        return Spread(mean, None, None, None, 1)
    from scipy.special import stdtrit

    std = float(np.std(values, ddof=1))
    margin = float(stdtrit(len(values) - 1, 0.975)) * std / len(values) ** 0.5
    return Spread(mean, std, mean - margin, mean + margin, len(values))
