"""Which of two predictions of the same rows scores better, by any score: both on the same resamples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from frostline.stages.errors import DataError
from frostline.stages.metrics.clusters import Clusters, cluster_interval, clusters
from frostline.stages.metrics.statistic import Statistic, resampled

_TAIL = 10  # resamples


@dataclass(frozen=True)
class Difference:
    """The first score less the second, with its 95 % interval, and the p-value of there being none."""

    value: float
    low: float
    high: float
    p: float

    @property
    def turned(self) -> Difference:
        """The second score less the first."""
        return replace(self, value=-self.value, low=-self.high, high=-self.low)


def paired(
    first: Statistic, second: Statistic, n: int, seed: int, groups: NDArray[np.int64] | None = None
) -> Difference:
    """Return how the first scores of two statistics of the same n rows differ, over the same resamples.

    p is two-sided: twice the share of resamples, and of the sample itself, on the rarer side of 0 (Davison and
    Hinkley, Bootstrap Methods and their Application, 1997, section 4.4). Where these are fewer than ten it is that of a
    normal distribution with their mean and deviation, since no share of 1,000 is small enough for many pairs.
    ``groups``: int64 (n,); groups are resampled then, and interval and p are Student's (see
    ``frostline.stages.metrics.clusters``). A difference in which no resample differs has an interval of no width and
    p = 1 if it is 0. Raises DataError where no resample defines both scores.
    """
    (found,) = paired_each([first, second], n, seed, groups).values()
    return found


def paired_each(
    statistics: Sequence[Statistic], n: int, seed: int, groups: NDArray[np.int64] | None = None
) -> dict[tuple[int, int], Difference]:
    """Return what ``paired`` says of every two of several statistics, by their places, over the same resamples."""
    own = None if groups is None else clusters(groups)
    values = [float(statistic.of(np.ones((n, 1)))[0, 0]) for statistic in statistics]
    drawn = [scores[0] for scores in resampled(statistics, n, seed, groups=own)]
    return {
        (i, j): _difference(values[i] - values[j], _less(drawn[i], drawn[j]), own)
        for i, j in combinations(range(len(values)), 2)
    }


def _less(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the differences of two scores in the resamples in which both are defined."""
    length = min(len(first), len(second))
    differences = first[:length] - second[:length]
    defined = differences[~np.isnan(differences)]
    if not len(defined):
        raise DataError(
            f"the scores of two heads are undefined in all {length:,} resamples of the test rows, so their "
            "difference is unknown; expected more test rows of the rarest classes"
        )
    return defined


def _difference(value: float, drawn: NDArray[np.float64], groups: Clusters | None) -> Difference:
    if groups is None:
        low, high = np.quantile(drawn, (0.025, 0.975)).tolist()
        return Difference(value, low, high, _share_beyond(drawn))
    low, high = cluster_interval(value, drawn, groups.count, (-np.inf, np.inf), 0.0)
    return Difference(value, low, high, _of_students(value, drawn, groups.count))


def _share_beyond(differences: NDArray[np.float64]) -> float:
    """Return twice the share of resamples beyond 0; of hardly any, which can't be told from none, the normal tail."""
    from scipy.special import ndtr

    beyond = min(np.count_nonzero(differences <= 0), np.count_nonzero(differences >= 0))
    share = min(1.0, 2 * (1 + beyond) / (1 + len(differences)))
    deviation = float(differences.std())
    if beyond >= _TAIL or deviation == 0:
        return share
    return min(share, float(2 * ndtr(-abs(float(differences.mean())) / deviation)))


def _of_students(value: float, differences: NDArray[np.float64], groups: int) -> float:
    from scipy.special import stdtr

    error = float(differences.std()) * (groups / (groups - 1)) ** 0.5
    if error == 0:
        return 1.0 if value == 0 else 0.0
    return float(2 * stdtr(groups - 1, -abs(value) / error))
