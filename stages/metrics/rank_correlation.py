"""Correlations of ranks, of any resample of the rows: those of the rows as often as they are drawn.

Where row i counts c_i times, equal values share the mean of their ranks, (sum of c below) + (t + 1) / 2 for
t of them; Spearman's rho is Pearson's correlation of these ranks. Kendall's tau-b is

    (P - Q) / sqrt((N - X)(N - Y)),   P - Q = N - X - Y + B - 2 Q,

with N all pairs, X, Y and B those equal in x, in y and in both, and Q the pairs in opposite order (Knight, "A computer
method for calculating Kendall's tau with ungrouped data", JASA 61, 1966), which a merge sort counts: the sort is the
same for every resample, so that one pass of sums over its log n levels serves many.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from frostline.stages.metrics.statistic import Array, membership, ratio

Scored = Callable[[Array], Array]
Level = tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64]]


def spearman(x: Array, y: Array) -> Scored:
    """Return what gives rho of x and y, finite (n,), for counts (n, b): float64 (b,), NaN where one is constant.

    That of ``scipy.stats.spearmanr`` on the rows as often as they count.
    """
    first, second = _places(x), _places(y)

    def of(counts: Array) -> Array:
        ranks, spread = _ranks(first, counts)
        others, other = _ranks(second, counts)
        together = np.einsum("nb,nb,nb->b", counts, ranks[first], others[second])
        return np.clip(ratio(together, np.sqrt(spread * other)), -1, 1)

    return of


def kendall(x: Array, y: Array) -> Scored:
    """Return what gives tau-b of x and y, finite (n,), for whole counts (n, b), as :func:`spearman` does.

    That of ``scipy.stats.kendalltau``, in O(n log n) a resample.
    """
    first, second = _places(x), _places(y)
    both = _places(first * len(x) + second)
    order = np.lexsort((second, first))
    levels = _levels(second[order])

    def of(counts: Array) -> Array:
        rows = counts.sum(0)
        pairs = rows * (rows - 1) / 2
        in_x, in_y, in_both = (_tied(place, counts) for place in (first, second, both))
        agreeing = pairs - in_x - in_y + in_both - 2 * _inversions(levels, counts[order])
        return np.clip(ratio(agreeing, np.sqrt((pairs - in_x) * (pairs - in_y))), -1, 1)

    return of


def _places(values: NDArray[np.generic]) -> NDArray[np.int64]:
    """Return each value's place among the different ones, from 0."""
    place: NDArray[np.int64] = np.unique(values, return_inverse=True)[1].ravel()
    return place


def _ranks(place: NDArray[np.int64], counts: Array) -> tuple[Array, Array]:
    """Return the ranks of the different values less their mean, (v, b), and their sum of squares over rows, (b,)."""
    equal = membership(place, int(place.max()) + 1) @ counts
    ranks = np.cumsum(equal, axis=0) - equal / 2 - equal.sum(0) / 2
    return ranks, np.einsum("vb,vb,vb->b", equal, ranks, ranks)


def _tied(place: NDArray[np.int64], counts: Array) -> Array:
    equal = membership(place, int(place.max()) + 1) @ counts
    pairs: Array = (equal * (equal - 1) / 2).sum(0)
    return pairs


def _levels(values: NDArray[np.int64]) -> list[Level]:
    """Return each merge of a sort: the order of rows after it, which are of a left half, and where their block ends."""
    rows, size, levels = np.arange(len(values)), 1, []
    while size < len(values):
        block = rows // (2 * size)
        order = np.lexsort((rows, values, block))
        ends = np.minimum((block + 1) * 2 * size, len(values)) - 1
        levels.append((order, order // size % 2 == 0, ends))
        size *= 2
    return levels


def _inversions(levels: list[Level], counts: Array) -> Array:
    """Return how many pairs, times their counts, the sort turns round, (b,)."""
    found = np.zeros(counts.shape[1])
    for order, left, ends in levels:
        sorted_counts = counts[order]
        below = np.cumsum(sorted_counts * left[:, None], axis=0)
        right = np.flatnonzero(~left)
        found += np.einsum("rb,rb->b", sorted_counts[right], below[ends[right]] - below[right])
    return found
