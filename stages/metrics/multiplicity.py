"""Intervals that hold for several comparisons at once, what a comparison could have seen, and the best of several."""

from __future__ import annotations

import math
from dataclasses import replace

from frostline.stages.metrics.score import Bounds, Score

LEVEL = 0.05
POWER = 0.8
_HALVINGS = 40


def deviate(comparisons: int = 1, freedom: int | None = None) -> float:
    """Return the two-sided deviate of 95 % for so many comparisons at once (Bonferroni): normal, or Student's."""
    from scipy.special import ndtri, stdtrit

    tail = 1 - LEVEL / 2 / max(comparisons, 1)
    return float(ndtri(tail) if freedom is None else stdtrit(freedom, tail))


def paired_interval(first_only: int, second_only: int, rows: int, comparisons: int = 1) -> Bounds:
    """Return the interval of a difference of two proportions of the same rows, from those that only one gets right.

    Wald's with half a row added to each cell of the table, which holds with few rows, too (Agresti and Min, "Simple
    improved confidence intervals for comparing matched proportions", Statistics in Medicine 24, 2005).
    """
    n, more, fewer = rows + 2, first_only + 0.5, second_only + 0.5
    difference = (more - fewer) / n
    margin = deviate(comparisons) * math.sqrt((more + fewer) / n - difference**2) / math.sqrt(n)
    return max(difference - margin, -1.0), min(difference + margin, 1.0)


def detectable(differing: float, rows: int, comparisons: int = 1) -> float:
    """Return the difference of two proportions that McNemar's test of so many rows finds in 80 of 100 samples.

    ``differing``: the share of rows that only one gets right, which a difference can't exceed. The D with
    D √n = z √share + z' √(share - D²), z of the level, z' of the power (Miettinen, Biometrics 24, 1968; Connor,
    Biometrics 43, 1987); 1 where no difference is.
    """
    from scipy.special import ndtri

    z, power = deviate(comparisons), float(ndtri(POWER))

    def missed(D: float) -> bool:
        share = max(differing, D)
        return D * math.sqrt(rows) < z * math.sqrt(share) + power * math.sqrt(share - D * D)

    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if missed(middle) else (low, middle)
    return high


def widened(value: float, ends: Bounds, comparisons: int, freedom: int | None = None) -> Bounds:
    """Return a 95 % interval of a difference as that of so many at once; ``freedom``: of Student's t, if it is that."""
    times = deviate(comparisons, freedom) / deviate(1, freedom)
    return value - times * (value - ends[0]), value + times * (ends[1] - value)


def detectable_from(ends: Bounds, comparisons: int, freedom: int | None = None) -> float:
    """Return the difference that would be found in 80 of 100 samples, from the 95 % interval of one."""
    from scipy.special import ndtri, stdtrit

    error = (ends[1] - ends[0]) / 2 / deviate(1, freedom)
    power = float(ndtri(POWER) if freedom is None else stdtrit(freedom, POWER))
    return error * (deviate(comparisons, freedom) + power)


def best_of(score: Score, among: int, rows: int | None = None, floor: float = 0.0) -> Score:
    """Return the score of the best of several on these rows, its interval allowing for the choice.

    The best is better than it is by luck, never worse: the lower end is that which all of ``among`` scores are above
    at once, not below a ``floor``; the upper one stays. ``rows``: of a proportion of rows that stand for
    themselves, whose lower end is Wilson's; of other scores it is moved away in proportion. Without an interval there
    is none.
    """
    if score.low is None:
        return score
    z = deviate(among)
    if rows is None:
        moved = score.value - z / deviate() * (score.value - score.low)
        return replace(score, low=min(score.low, max(moved, floor)))
    share, extra = score.value, z * z / rows
    centre = share + extra / 2
    low = (centre - math.sqrt(extra * share * (1 - share) + extra * extra / 4)) / (1 + extra)
    return replace(score, low=min(score.low, max(low, 0.0)))
