"""Scores as functions of how often each row counts, and the bootstrap over such counts (Efron, 1979).

A resample of n rows is n counts that sum to n. Every score here is a few weighted sums over
rows and a formula for them; the sums of many resamples are one matrix product with their counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from frostline.stages.metrics.score import RESAMPLES, Score, wilson

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Array = NDArray[np.float64]
_BLOCK = 2**20


@dataclass(frozen=True, eq=False)
class Statistic:
    """s scores of the same rows.

    Attributes:
        of: takes counts, float64 (n, b), each column of sum n, and returns float64 (s, b), NaN where
            a score is undefined.
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
    """

    of: Callable[[Array], Array]
    trials: tuple[float | None, ...]
    resamples: int = RESAMPLES
    biased: bool = False
    noise: float | None = None


def bootstrap(statistics: Sequence[Statistic], n: int, seed: int, resamples: int = RESAMPLES) -> list[list[Score]]:
    """Return each statistic's scores of n rows, with 95 % intervals over the same resamples of rows.

    A proportion of 0 or 1 has Wilson's interval. A score that is undefined counts as 0, and its
    interval is [0, 1]; resamples where it is undefined are left out.
    """
    drawn: list[list[Array]] = [[] for _ in statistics]
    done = 0
    for counts in _resamples(n, seed, resamples):
        for statistic, values in zip(statistics, drawn, strict=True):
            if done < statistic.resamples:
                values.append(statistic.of(counts[:, : statistic.resamples - done]))
        done += counts.shape[1]
    return [_scores(one, n, np.concatenate(values, axis=1)) for one, values in zip(statistics, drawn, strict=True)]


def means(rows: Sequence[NDArray[Any]]) -> Statistic:
    """Return the means of s values per row, each (n,); those of bools are proportions."""
    values, n = np.array(rows, np.float64), len(rows[0])
    return Statistic(lambda counts: values @ counts / n, tuple(n if row.dtype == bool else None for row in rows))


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


def _scores(statistic: Statistic, n: int, drawn: Array) -> list[Score]:
    values = statistic.of(np.ones((n, 1)))[:, 0].tolist()
    return [_score(statistic, *each) for each in zip(values, drawn, statistic.trials, strict=True)]


def _score(statistic: Statistic, value: float, drawn: Array, trials: float | None) -> Score:
    if np.isnan(value):
        return wilson(0.0, 0)
    if trials is not None and value in (0, 1):
        return wilson(value, trials)
    defined = drawn[~np.isnan(drawn)]
    low, high = np.quantile(defined, (0.025, 0.975)).tolist()
    if statistic.biased:
        spread = float(defined.std())
        shift = 2 * min(max(float(np.median(defined)) - value, -spread), spread)
        low, high = max(0.0, min(low - shift, value)), min(1.0, max(high - shift, value))
    by_chance = statistic.noise is not None and value <= statistic.noise
    return Score(value, 0.0 if by_chance else low, high, len(drawn))
