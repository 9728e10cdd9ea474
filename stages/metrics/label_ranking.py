"""How well scores rank the rows that have a label before those that haven't, in any resample of the rows.

With rows in descending score, let T_g and F_g be how many with and without the label score as high as the g-th
different score or higher, P and N how many there are of each. Sums over the scores of rows with the label, p_g of them:

    average precision   sum_g p_g / P  T_g / (T_g + F_g)                           (scikit-learn's)
    AUROC               1 - sum_g p_g (F_g - E_g / 2) / (P N),  E_g of F_g score the same as g
    11-point precision  mean over t = 0, 0.1 … 1 of max_{g: T_g / P >= t} T_g / (T_g + F_g)   (Everingham et al. 2010,
                        "The Pascal Visual Object Classes (VOC) Challenge", IJCV 88, section 4.2)

Rows without the label between two of these scores can be summed first. A row counts as often as a resample says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from frostline.stages.metrics.statistic import Array, ratio

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Labels = NDArray[np.int8]
Curve = tuple[Array, Array, Array, Array]
_ROUNDING = 1e-12


class Ranking:
    """One label's rows in the order of their scores.

    Args:
        score: (m,) floats.
        own: (m,) bool, which of them have the label.
        rows: (m,) int64, the places of what is ranked among the n rows that counts are of.
        n: how many these are.
    """

    def __init__(self, score: Array, own: NDArray[np.bool_], rows: NDArray[np.int64], n: int) -> None:
        self.sums = _sums(score, own, rows, n)

    @property
    def cost(self) -> int:
        """How many additions a resample takes, about."""
        return int(self.sums.nnz + 2 * self.sums.shape[0])

    def curve(self, counts: Array) -> Curve:
        """Return p, T, F, and E, as above, float64 (g, b) each, for counts (n, b); and N, (1, b), at F's end."""
        sums = self.sums @ counts
        own, before, equal, rest = sums[:-1:3], sums[1:-1:3], sums[2:-1:3], sums[-1:]
        return own, np.cumsum(own, axis=0), np.cumsum(np.concatenate([before + equal, rest]), axis=0), equal


def average_precision(curve: Curve) -> Array:
    """Return (b,), NaN without a row that has the label."""
    own, having, others, _ = curve
    found = np.einsum("gb,gb->b", own, _precision(having, others[:-1]))
    return ratio(found, own.sum(0))


def auroc(curve: Curve) -> Array:
    """Return (b,), NaN without a row that has the label, or one that hasn't."""
    own, _, others, equal = curve
    pairs = own.sum(0) * others[-1]
    return 1 - ratio(np.einsum("gb,gb->b", own, others[:-1] - equal / 2), pairs)


def eleven_point_precision(curve: Curve) -> Array:
    """Return (b,), NaN without a row that has the label."""
    own, having, others, _ = curve
    if not len(own):
        return np.full(own.shape[1], np.nan)
    best = np.maximum.accumulate(_precision(having, others[:-1])[::-1], axis=0)[::-1]
    total = having[-1]
    first = [(10 * having >= (tenth - _ROUNDING) * total).argmax(0) for tenth in range(11)]
    mean = np.take_along_axis(best, np.stack(first), 0).mean(0)
    return np.where(total > 0, mean, np.nan)


SCORES: dict[str, Callable[[Curve], Array]] = {
    "average_precision": average_precision,
    "average_precision_11_point": eleven_point_precision,
    "auroc": auroc,
}


def weighted_average_precision(y: Labels, score: NDArray[Any], weights: Array) -> float:
    """Return the average precision of one label's rows, y (n,), that weigh ``weights``; NaN without one that has it."""
    order = np.argsort(-score, kind="stable")
    own, known = (np.cumsum(weights[order] * part) for part in ((y == 1)[order], (y >= 0)[order]))
    if not len(own) or not own[-1] > 0:
        return float("nan")
    last = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))  # of each different score
    having, all_known = own[last], known[last]
    return float(np.diff(having, prepend=0) @ _precision(having, all_known - having) / own[-1])


def ranking(y: Labels, score: Array) -> Ranking:
    """Return the ranking of one label's known rows, y (n,) of 1, 0 and -1 for unknown."""
    known = np.flatnonzero(y >= 0)
    return Ranking(score[known], y[known] == 1, known, len(y))


def micro_ranking(y: Labels, scores: Array) -> Ranking:
    """Return the ranking of all known pairs of a row and a label, y (n, labels), together."""
    rows, labels = np.nonzero(y >= 0)
    return Ranking(scores[rows, labels], y[rows, labels] == 1, rows, len(y))


def _precision(having: Array, others: Array) -> Array:
    return np.divide(having, having + others, out=np.zeros(having.shape), where=having > 0)


def _sums(score: Array, own: NDArray[np.bool_], rows: NDArray[np.int64], n: int) -> csr_array:
    """Return the (3 g + 1, n) matrix that sums counts: for each different score of rows that have the label these rows,
    the others since the last such score, and the others of the same score; at the end, the others below all.
    """
    from scipy.sparse import csr_array

    levels = np.unique(score[own])
    below = np.searchsorted(levels, score, side="left")  # how many levels lie strictly below
    equal = (below < len(levels)) & (levels[np.minimum(below, len(levels) - 1)] == score) if len(levels) else own
    group = np.where(equal, len(levels) - 1 - below, len(levels) - below)
    place = 3 * group + np.where(own, 0, np.where(equal, 2, 1))
    place = np.where(group == len(levels), 3 * len(levels), place)
    return csr_array((np.ones(len(rows)), (place, rows)), shape=(3 * len(levels) + 1, n))
