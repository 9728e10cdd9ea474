"""The interval of the area under the ROC curve, by what one and few rows can say of it.

An area is a mean over pairs of a row of the class and another. Of m and n of them, whose scores are normal with one
variance, its variance is (Hanley and McNeil, Radiology 143, 1982, eq. 2, with Q1 = Q2)

    V(A) = (A (1 - A) + (m + n - 2) Q) / (m n),    Q = A (1 - A) - 2 T(d, 1 / √3),    Φ(d) = A,

T being Owen's function. Solved for the A whose deviation from the value is z √V(A), as Wilson's is, the interval has a
width where every pair is in order (Newcombe, "Confidence intervals for an effect size measure based on the Mann-Whitney
statistic. Part 2", Statistics in Medicine 25, 2006, on solving for A). V is multiplied by what the placements of the
rows say of it (DeLong et al., Biometrics 44, 1988), the more rows are out of order the more by that.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from frostline.stages.metrics.score import TOO_FEW, Bounds, Interval, Z

Array = NDArray[np.float64]
_PRIOR = 20  # rows out of order that the normal theory counts for
_EDGE = 1e-12
_MIDDLE = 1e-9


def area_interval(decision_values: Array, y: NDArray[np.int64]) -> Interval:
    """Return the interval of the mean area of each class against the rest, of scores (n, classes) and labels (n,).

    ``TOO_FEW`` where a class, or all others, have one row.
    """
    return mean_area_interval([(decision_values[:, label], y == label) for label in np.unique(y).tolist()])


def too_few(own: NDArray[np.int64], rows: int) -> bool:
    """Return whether one ranking of several has a single row that is to be first, or a single other, of so many."""
    return bool((own < 2).any() or (rows - own < 2).any())


def mean_area_interval(parts: list[tuple[Array, NDArray[np.bool_]]]) -> Interval:
    """Return the interval of the mean area of several rankings of the same n rows: scores (n,), and who is to be first.

    Below one half it is that of the reversed rankings, turned. Two rankings that are each other's reverse, as those of
    two classes are, say the same twice.
    """
    own, all_rows = np.array([part[1].sum() for part in parts]), len(parts[0][1])
    if too_few(own, all_rows):
        return TOO_FEW
    areas, influence, out = zip(*(_placed(*part) for part in parts), strict=True)
    K, value = len(parts), float(np.mean(areas))
    if value < 0.5 - _MIDDLE:
        found = mean_area_interval([(-score, which) for score, which in parts])
        return (1 - found[1], 1 - found[0]) if isinstance(found, tuple) else found
    together = 1 + 1 / (K - 1) if K > 1 else 1.0

    def normal(area: float) -> Array:
        return _normal_variance(area, own, all_rows - own) / K**2

    seen = float((np.sum(influence, axis=0) ** 2).sum()) / K**2
    usual = normal(min(max(value, 0.5), 1 - 1e-9))
    rows = float(usual.sum() ** 2 / (usual**2 / np.clip(out, 0.5, own - 1)).sum())
    scale = (rows * seen / usual.sum() + _PRIOR * together) / (rows + _PRIOR)
    return _solved(value, lambda area: float(scale * normal(area).sum()) ** 0.5, rows)


def _placed(score: Array, own: NDArray[np.bool_]) -> tuple[float, Array, int]:
    """Return the area, each row's part in its error, (n,), and how many of its own rows are not above all others."""
    from scipy.stats import rankdata

    m, n = int(own.sum()), int((~own).sum())
    ranks = rankdata(score)
    place = np.empty(len(score))
    place[own] = (ranks[own] - rankdata(score[own])) / n
    place[~own] = 1 - (ranks[~own] - rankdata(score[~own])) / m
    area = float(place[own].mean())
    influence = (place - area) / np.where(own, (m * (m - 1)) ** 0.5, (n * (n - 1)) ** 0.5)
    return area, influence, int((score[own] <= score[~own].max()).sum())


def _normal_variance(area: float, m: NDArray[np.int64], n: NDArray[np.int64]) -> Array:
    from scipy.special import ndtri, owens_t

    pair = area * (1 - area)
    shared = max(pair - 2 * float(owens_t(ndtri(area), 3**-0.5)), 0.0)
    variance: Array = (pair + (m + n - 2) * shared) / (m * n)
    return variance


def _solved(value: float, error: Callable[[float], float], rows: float) -> Bounds:
    """Return the areas from which the value is z errors away; upwards more where few rows are out of order, whose
    number is skewed, and downwards less where hardly any are.

    The first term of Cornish and Fisher, of a skewness of 1.5 / √(rows + 1), and downwards 1.5 / (rows + 1).
    """
    skew: float = (Z**2 - 1) / 6 * 1.5 / (rows + 1) ** 0.5
    down: float = Z - skew / (rows + 1) ** 0.5
    up = Z + skew
    below, above = max(value - 1e-9, _EDGE), min(value + 1e-9, 1 - _EDGE)

    def lower(area: float) -> float:
        return value - area - down * error(area)

    def upper(area: float) -> float:
        return area - value - up * error(area)

    return _root(lower, _EDGE, below, 0.0), _root(upper, 1 - _EDGE, above, 1.0)


def _root(excess: Callable[[float], float], far: float, near: float, end: float) -> float:
    """Return where an excess that is above 0 far from the value falls to 0: the end or ``near`` where it never does."""
    from scipy.optimize import brentq

    if near == far or excess(far) <= 0:
        return end
    return near if excess(near) >= 0 else float(brentq(excess, *sorted((far, near))))
