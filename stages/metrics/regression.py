"""Scores of predicted numbers: of each output, and their mean over outputs, as scikit-learn's ``uniform_average``.

A value that is not known, NaN, is left out of its output's scores. An output whose known values are all equal has no R²
and no correlation; it is left out of that mean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from frostline.stages.metrics.rank_correlation import Scored, kendall, spearman
from frostline.stages.metrics.score import RESAMPLES, Score
from frostline.stages.metrics.statistic import Array, Statistic, bootstrap, ratio

BOUNDS = MappingProxyType(
    {
        "r2": (-np.inf, 1.0),
        "mae": (0.0, np.inf),
        "rmse": (0.0, np.inf),
        "pearson": (-1.0, 1.0),
        "spearman": (-1.0, 1.0),
        "kendall": (-1.0, 1.0),
    }
)
MOMENTS, RANKS = ("r2", "mae", "rmse", "pearson"), ("spearman", "kendall")
COST = 3 * 10**7  # counts
FEWEST = 100
_ROUNDING = 1e-12


@dataclass(frozen=True)
class OutputScore:
    """One output: its scores, and how many test rows have a known value of it."""

    name: str
    r2: Score
    mae: Score
    rmse: Score
    pearson: Score
    spearman: Score
    kendall: Score
    rows: int


def regression_scores(
    y: Array, predicted: Array, names: Sequence[str], seed: int = 0, groups: NDArray[np.int64] | None = None
) -> tuple[dict[str, Score], tuple[OutputScore, ...]]:
    """Return the mean over outputs of each score of ``BOUNDS``, and every output's, over the same resamples of rows.

    ``y``: float64 (n, k), NaN where not known. ``predicted``: float64 (n, k), finite. ``names``: of the k outputs.
    ``groups``: see ``frostline.stages.metrics.statistic.bootstrap``.
    """
    parts = [by_output(moments(y, predicted), MOMENTS, len(names)), *(ranks(y, predicted, name) for name in RANKS)]
    found = [score for scores in bootstrap(parts, len(y), seed, groups=groups) for score in scores]
    each = {name: found[i * (1 + len(names)) :][: 1 + len(names)] for i, name in enumerate(BOUNDS)}
    known = np.count_nonzero(~np.isnan(y), axis=0).tolist()
    outputs = (
        OutputScore(name, **{score: values[1 + k] for score, values in each.items()}, rows=known[k])
        for k, name in enumerate(names)
    )
    return {score: values[0] for score, values in each.items()}, tuple(outputs)


def statistic(name: str, y: Array, predicted: Array) -> Statistic:
    """Return one score of ``BOUNDS`` by name: first the mean over outputs, then each output's."""
    if name not in MOMENTS:
        return ranks(y, predicted, name)
    every, place = moments(y, predicted), MOMENTS.index(name)
    return by_output(lambda counts: every(counts)[[place]], (name,), y.shape[1])


def moments(y: Array, predicted: Array) -> Callable[[Array], Array]:
    """Return what gives the scores ``MOMENTS`` of every output for counts (n, b): float64 (4, k, b), NaN if undefined.

    They are sums over rows, of values less their means: one matrix product for all.
    """
    sums = moment_sums(_centred(y, ~np.isnan(y)), _centred(predicted, ~np.isnan(y)), predicted - y)
    flat, outputs = sums.reshape(-1, len(y)), y.shape[1]
    return lambda counts: moment_scores(*(flat @ counts).reshape(8, outputs, -1))


def moment_sums(y: Array, predicted: Array, error: Array | None = None) -> Array:
    """Return what is summed over rows for ``moment_scores``, float64 (8, k, n), 0 where a value is not known.

    ``error``: predicted less known, where the two are not of one origin.
    """
    known = ~np.isnan(y)
    off = predicted - y if error is None else error
    each = (known, y, predicted, y**2, predicted**2, y * predicted, np.abs(off), off**2)
    return np.where(known, np.stack([one.astype(np.float64) for one in each]), 0).transpose(0, 2, 1)


def _centred(values: Array, known: NDArray[np.bool_]) -> Array:
    total, rows = np.where(known, values, 0).sum(0), np.maximum(known.sum(0), 1)
    centred: Array = values - total / rows
    return centred


def moment_scores(
    rows: Array, t: Array, p: Array, tt: Array, pp: Array, tp: Array, absolute: Array, squared: Array
) -> Array:
    """Return the scores ``MOMENTS``, (4, …), of the eight sums; NaN where one is undefined."""
    own, theirs = _spread(tt, t, rows), _spread(pp, p, rows)
    r2 = 1 - ratio(squared, own)
    pearson = ratio(tp - ratio(t * p, rows), np.sqrt(own * theirs))
    return np.stack([r2, ratio(absolute, rows), np.sqrt(ratio(squared, rows)), np.clip(pearson, -1, 1)])


def _spread(squares: Array, total: Array, rows: Array) -> Array:
    """Return the sum of squares about the mean; 0 where that is rounding."""
    found = squares - ratio(total**2, rows)
    return np.where(found > _ROUNDING * squares, found, 0)


def ranks(y: Array, predicted: Array, name: str) -> Statistic:
    """Return ``spearman`` or ``kendall``; resampled as often as some seconds allow, but 100 times at least."""
    make = spearman if name == "spearman" else kendall
    outputs = [_of_known(make, y[:, k], predicted[:, k]) for k in range(y.shape[1])]
    resamples = min(RESAMPLES, max(FEWEST, COST // y.size))
    return by_output(lambda counts: np.stack([of(counts) for of in outputs])[None], (name,), y.shape[1], resamples)


def _of_known(make: Callable[[Array, Array], Scored], y: Array, predicted: Array) -> Scored:
    known = np.flatnonzero(~np.isnan(y))
    if not len(known):
        return lambda counts: np.full(counts.shape[1], np.nan)
    of = make(y[known], predicted[known])
    return of if len(known) == len(y) else lambda counts: of(counts[known])


def by_output(
    scores: Callable[[Array], Array], names: Sequence[str], outputs: int, resamples: int = RESAMPLES
) -> Statistic:
    """Return the statistic of scores (s, k, b) of k outputs: by name, first their mean over outputs, then each."""

    def of(counts: Array) -> Array:
        each = scores(counts)
        mean = ratio(np.nansum(each, axis=1), np.count_nonzero(~np.isnan(each), axis=1).astype(np.float64))
        return np.concatenate([mean[:, None], each], axis=1).reshape(-1, counts.shape[1])

    bounds = tuple(BOUNDS[name] for name in names for _ in range(1 + outputs))
    return Statistic(of, (None,) * len(bounds), resamples, bounds=bounds)
