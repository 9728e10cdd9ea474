"""A score and its interval: in closed form, over resampled rows, or over draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

Bounds = tuple[float, float]
RESAMPLES = 1000
Z = 1.959964  # the standard normal deviate of a 95 % interval
_MANY = 50  # trials
SHARE: Final[Bounds] = (0.0, 1.0)
TOO_FEW: Final = "too few rows of a class for an interval"
RESAMPLED: Final = "resampled"
Interval = Bounds | Literal["too few rows of a class for an interval", "resampled"]


@dataclass(frozen=True, repr=False)
class Score:
    """A score on the test rows and its 95 % interval.

    ``float(score)`` is its value, and ``f"{score:.3f}"`` that value as text.

    >>> score = Score(0.92, 0.89, 0.95, 0)
    >>> score, float(score), f"{score:.1%}"
    (<Score 0.920 [0.890, 0.950]>, 0.92, '92.0%')

    ``low``, ``high``: None where too few rows of a class leave none. ``resamples``: how many bootstrap resamples the
    interval comes from; 0 where it has a closed form, or where there is none.
    """

    value: float
    low: float | None
    high: float | None
    resamples: int

    @property
    def interval(self) -> Bounds | None:
        """The ends of the interval, if there is one."""
        return None if self.low is None or self.high is None else (self.low, self.high)

    def __float__(self) -> float:
        return float(self.value)

    def __format__(self, spec: str) -> str:
        return format(self.value, spec) if spec else str(self)

    def __str__(self) -> str:
        span = "" if self.low is None or self.high is None else f" [{self.low:.3f}, {self.high:.3f}]"
        return f"{self.value:.3f}{span}"

    def __repr__(self) -> str:
        return f"<Score {self}>"


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation (n - 1) of a score over draws or seeds, and the mean's 95 % interval.

    Of a single draw the deviation is None, and so is the interval where it is over draws alone.
    """

    mean: float
    std: float | None
    low: float | None
    high: float | None
    draws: int

    @property
    def interval(self) -> Bounds | None:
        """The ends of the mean's interval, if there is one."""
        return None if self.low is None or self.high is None else (self.low, self.high)


def wilson(value: float, trials: float) -> Bounds:
    """Return Wilson's 95 % score interval of a proportion of some trials (JASA 22, 1927).

    It has a width where every trial, or none, is a success. With one to three successes, or failures, its end near them
    is too near, and the 5 % limit of a Poisson variable stands in its place (Brown, Cai and DasGupta, "Interval
    estimation for a binomial proportion", Statistical Science 16, 2001, section 4.1.1). Without any trial it is [0, 1].
    """
    if trials <= 0:
        return SHARE
    own = Z**2 / trials
    centre, half = value + own / 2, Z * (value * (1 - value) / trials + own / (4 * trials)) ** 0.5
    low, high = (centre - half) / (1 + own), (centre + half) / (1 + own)
    return _least(value, trials, low), 1 - _least(1 - value, trials, 1 - high)


def _least(value: float, trials: float, low: float) -> float:
    """Return the lower end of a proportion that is ``low`` by Wilson's rule."""
    successes = value * trials
    if value <= 0:
        return 0.0
    if successes >= (3.5 if trials > _MANY else 2.5):
        return low
    from scipy.special import gammaincinv

    return min(low, float(gammaincinv(successes, 0.05)) / trials)


def spread(values: Sequence[float]) -> Spread:
    """Return how a score varies over n draws; its interval is Student's, mean ± t(0.975, n - 1) std / √n.

    Raises ValueError if there is no value.
    """
    if not len(values):
        raise ValueError("no values were given; expected the score of at least one draw")
    mean = float(np.mean(values))
    if len(values) == 1:
        return Spread(mean, None, None, None, 1)
    from scipy.special import stdtrit

    std = float(np.std(values, ddof=1))
    margin = float(stdtrit(len(values) - 1, 0.975)) * std / len(values) ** 0.5
    return Spread(mean, std, mean - margin, mean + margin, len(values))
