"""Scores as functions of how often each row counts, and the bootstrap over such counts (Efron, 1979).

A resample of n rows is n counts that sum to n. Every score here is a few weighted sums over
rows and a formula for them; the sums of many resamples are one matrix product with their counts. Where rows come in
groups, groups are drawn instead, and counts sum to what these hold: a score divides by the sum of counts, not by n.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from frostline.stages.metrics.clusters import Clusters, cluster_interval, clusters
from frostline.stages.metrics.score import RESAMPLED, RESAMPLES, SHARE, TOO_FEW, Bounds, Interval, Score, wilson
from frostline.stages.progress import tell

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Array = NDArray[np.float64]
_BLOCK = 2**20


@dataclass(frozen=True, eq=False)
class Statistic:
    """s scores of the same rows.

    Attributes:
        of: takes counts, float64 (n, b), each column of sum n (of any sum where groups are drawn), and returns
            float64 (s, b), NaN where a score is undefined.
        trials: one per score: of how many trials it is a proportion, or None if it is none.
        resamples: at most so many resamples are taken.
        biased: whether a finite sample shifts the scores (macro-F1 of small classes is too low,
            calibration error too high). Resamples show that bias once more, so their percentiles
            are moved back by twice of it: once onto the value, once for the value's own
            (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 10), and
            widened to hold the value. The bias is that of their median, at most one standard
            deviation of theirs: a few rows that lose a class can double a mean, and where bias
            outweighs spread, the interval would end at the value.
        noise: a score up to this may be chance alone; its interval begins at 0.
        bounds: between which values each score can be, the shares' 0 and 1 where it is empty; what an undefined score
            may be, and what no interval over groups leaves.
        closed: gives each score's interval over rows in closed form, ``RESAMPLED`` where it has none, or ``TOO_FEW``
            where no rule gives an interval. Without it all are resampled.
        too_few: whether each score is one of the latter, over groups neither; empty where none is.
    """

    of: Callable[[Array], Array]
    trials: tuple[float | None, ...]
    resamples: int = RESAMPLES
    biased: bool = False
    noise: float | None = None
    bounds: tuple[Bounds, ...] = ()
    closed: Callable[[], Sequence[Interval]] | None = None
    too_few: tuple[bool, ...] = ()


def bootstrap(
    statistics: Sequence[Statistic],
    n: int,
    seed: int,
    resamples: int = RESAMPLES,
    groups: NDArray[np.int64] | None = None,
) -> list[list[Score]]:
    """Return each statistic's scores of n rows, with 95 % intervals in closed form, or over the same resamples of rows.

    A resampled proportion of 0 or 1 has Wilson's interval. A score that is undefined counts as 0, and its
    interval is [0, 1], or what its bounds say; resamples where it is undefined are left out, and where all are, it has
    no interval.

    ``groups``: int64 (n,), which rows belong together. Groups are drawn then, and the intervals are those of
    ``frostline.stages.metrics.clusters``. Raises DataError if there is only one.
    """
    own = None if groups is None else clusters(groups)
    closed = [_closed(one) if own is None else _of_no_rule(one) for one in statistics]
    open_ones = [one for one, known in zip(statistics, closed, strict=True) if own or RESAMPLED in known]
    drawn = dict(zip(map(id, open_ones), resampled(open_ones, n, seed, resamples, own), strict=True))
    return [_scores(one, n, drawn.get(id(one)), known, own) for one, known in zip(statistics, closed, strict=True)]


def resampled(
    statistics: Sequence[Statistic], n: int, seed: int, resamples: int = RESAMPLES, groups: Clusters | None = None
) -> list[Array]:
    """Return each statistic's scores in the same resamples of n rows, float64 (s, b) each."""
    if not statistics:
        return []
    drawn: list[list[Array]] = [[] for _ in statistics]
    done = 0
    for counts in _resamples(n, seed, resamples) if groups is None else _of_groups(groups, seed, resamples):
        for statistic, values in zip(statistics, drawn, strict=True):
            if done < statistic.resamples:
                values.append(statistic.of(counts[:, : statistic.resamples - done]))
        done += counts.shape[1]
        tell("bootstrap", "resamples", done, resamples)
    return [np.concatenate(values, axis=1) for values in drawn]


def means(rows: Sequence[NDArray[Any]]) -> Statistic:
    """Return the means of s values per row, each (n,); those of bools are proportions, whose interval is Wilson's."""
    values, n = np.array(rows, np.float64), len(rows[0])
    bounds = tuple(SHARE if row.dtype == bool else (0.0 if (row >= 0).all() else -np.inf, np.inf) for row in rows)
    trials = tuple(n if row.dtype == bool else None for row in rows)

    def closed() -> list[Interval]:
        return [wilson(float(row.mean()), n) if row.dtype == bool else RESAMPLED for row in rows]

    return Statistic(lambda counts: values @ counts / counts.sum(0), trials, bounds=bounds, closed=closed)


def membership(group: NDArray[np.int64], groups: int, values: NDArray[Any] | None = None) -> csr_array:
    """Return the float64 (groups, n) matrix whose product with counts sums ``values``, by default 1, by group."""
    from scipy.sparse import csr_array

    ones = np.ones(len(group)) if values is None else values.astype(np.float64)
    return csr_array((ones, (group, np.arange(len(group)))), shape=(groups, len(group)))


def ratio(above: Array, below: Array) -> Array:
    """Return the quotient, NaN where the denominator is 0."""
    quotient: Array = np.divide(above, below, out=np.full(below.shape, np.nan), where=below != 0)
    return quotient


def _resamples(n: int, seed: int, resamples: int) -> Iterator[Array]:
    """Yield the counts of n rows drawn with replacement, float64 (n, b), a block of resamples at a time."""
    rng = np.random.default_rng(seed)
    block = max(1, _BLOCK // n)
    for start in range(0, resamples, block):
        counts = np.empty((min(block, resamples - start), n))
        for resample in counts:
            resample[:] = np.bincount(rng.integers(0, n, n), minlength=n)
        yield np.ascontiguousarray(counts.T)


def _of_groups(groups: Clusters, seed: int, resamples: int) -> Iterator[Array]:
    """Yield the same where as many groups are drawn as there are, each with all of its rows."""
    rng = np.random.default_rng(seed)
    block = max(1, _BLOCK // len(groups.of))
    for start in range(0, resamples, block):
        drawn = rng.integers(0, groups.count, (min(block, resamples - start), groups.count))
        each = np.stack([np.bincount(one, minlength=groups.count) for one in drawn], axis=1).astype(np.float64)
        yield each[groups.of]


def _closed(statistic: Statistic) -> Sequence[Interval]:
    none: list[Interval] = [RESAMPLED] * len(statistic.trials)
    return statistic.closed() if statistic.closed else none


def _of_no_rule(statistic: Statistic) -> Sequence[Interval]:
    """Return which scores have no interval, without making those that have: over groups these are resampled."""
    few = statistic.too_few or (False,) * len(statistic.trials)
    return [TOO_FEW if one else RESAMPLED for one in few]


def _scores(
    statistic: Statistic, n: int, drawn: Array | None, closed: Sequence[Interval], groups: Clusters | None
) -> list[Score]:
    values = statistic.of(np.ones((n, 1)))[:, 0].tolist()
    if drawn is None:
        drawn = np.empty((len(values), 0))
    bounds = statistic.bounds or (SHARE,) * len(values)
    each = zip(values, drawn, statistic.trials, bounds, closed, strict=True)
    return [_score(statistic, *one, groups) for one in each]


def _score(
    statistic: Statistic,
    value: float,
    drawn: Array,
    trials: float | None,
    bounds: Bounds,
    closed: Interval,
    groups: Clusters | None,
) -> Score:
    if np.isnan(value):
        low, high = (edge if np.isfinite(edge) else other for edge, other in zip(bounds, SHARE, strict=True))
        return Score(0.0, low, high, 0)
    if closed == TOO_FEW:
        return Score(value, None, None, 0)
    if groups is None and closed != RESAMPLED:
        return Score(value, min(closed[0], value), max(closed[1], value), 0)
    if trials is not None and value in (0, 1):
        return Score(value, *wilson(value, trials if groups is None else trials * groups.share), 0)
    return _resampled_score(statistic, value, drawn, trials, bounds, groups)


def _resampled_score(
    statistic: Statistic, value: float, drawn: Array, trials: float | None, bounds: Bounds, groups: Clusters | None
) -> Score:
    defined = drawn[~np.isnan(drawn)]
    if not len(defined):
        return Score(value, None, None, len(drawn))
    if groups is None:
        low, high = _of_rows(statistic, value, defined)
    else:
        low, high = _over_groups(statistic, value, defined, trials, bounds, groups)
    by_chance = statistic.noise is not None and value <= statistic.noise
    return Score(value, 0.0 if by_chance else low, high, len(drawn))


def _of_rows(statistic: Statistic, value: float, drawn: Array) -> Bounds:
    low, high = np.quantile(drawn, (0.025, 0.975)).tolist()
    if not statistic.biased:
        return (min(low, value), max(high, value)) if statistic.bounds else (low, high)
    shift = 2 * _bias(value, drawn)
    return max(0.0, min(low - shift, value)), min(1.0, max(high - shift, value))


def _over_groups(
    statistic: Statistic, value: float, drawn: Array, trials: float | None, bounds: Bounds, groups: Clusters
) -> Bounds:
    """Return the interval over groups; a proportion's is no narrower than that of as many rows on their own."""
    min_error = 0.0 if trials is None else float(np.sqrt(value * (1 - value) / max(trials, 1)))
    low, high = cluster_interval(value, drawn, groups.count, bounds, min_error)
    shift = _bias(value, drawn) if statistic.biased else 0.0
    return max(bounds[0], min(low - shift, value)), min(bounds[1], max(high - shift, value))


def _bias(value: float, drawn: Array) -> float:
    """Return how far the median of resamples is from the value, at most one standard deviation of theirs."""
    spread = float(drawn.std())
    return min(max(float(np.median(drawn)) - value, -spread), spread)
