"""The mean of a score over heads fitted on draws of the training rows, with both sources of its spread.

Another draw of training rows gives another head, and other test rows give it another score. Draws of n from a pool of N
rows share n / N of them, so that they differ by less than independent ones. With s the deviation of D draws, the
variance that the draws add to the mean is

    s² / (1 - n / N) (1 / D + n / N),

to which the variance over test rows of the mean over draws is added. Of a single draw, or of all rows of the pool, the
first is not known: the interval is that of the test rows alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from frostline.stages.metrics.clusters import cluster_interval, clusters
from frostline.stages.metrics.compare import main_statistic
from frostline.stages.metrics.predictions import SINGLE_LABEL, Predictions
from frostline.stages.metrics.score import SHARE, Bounds, Spread, spread, wilson
from frostline.stages.metrics.statistic import Statistic, bootstrap, resampled

_RESAMPLES = 200
_ROUNDING = 1e-20  # of a variance


@dataclass(frozen=True, eq=False)
class Judged:
    """One draw's head on the test rows.

    Attributes:
        statistic: its first score is the main one, ``value``.
        right: bool (n,), of single labels whose rows stand for themselves; else None.
        rows: how many test rows there are.
        groups: int64 (rows,), where these come in groups.
    """

    statistic: Statistic
    value: float
    right: NDArray[np.bool_] | None
    rows: int
    groups: NDArray[np.int64] | None


def judged(predicted: Predictions) -> Judged:
    """Return what is to be kept of a draw's predictions."""
    statistic, n = main_statistic(predicted), len(predicted)
    groups = predicted.groups if predicted.groups is not None and len(np.unique(predicted.groups)) > 1 else None
    plain = predicted.kind == SINGLE_LABEL and groups is None
    value = float(statistic.of(np.ones((n, 1)))[0, 0])
    return Judged(statistic, value, predicted.right if plain else None, n, groups)


def over_draws(draws: Sequence[Judged], share: float, seed: int = 0) -> Spread:
    """Return mean and deviation of the main score over draws of a ``share`` of the pool; the interval is the mean's.

    It has none where test rows are too few for one. Raises ValueError if there is no draw.
    """
    alone = spread([one.value for one in draws])
    of_rows = _over_rows(draws, alone.mean, seed)
    if of_rows is None:
        return replace(alone, low=None, high=None)
    if alone.std is None or share >= 1:
        return replace(alone, low=of_rows[0], high=of_rows[1])
    from scipy.special import stdtrit

    variance = alone.std**2 / (1 - share) * (1 / alone.draws + share)
    margin = float(stdtrit(alone.draws - 1, 0.975)) * variance**0.5
    bounds = draws[0].statistic.bounds[:1] or (SHARE,)
    below, above = (float(np.hypot(margin, end - alone.mean)) for end in of_rows)
    return replace(alone, low=max(alone.mean - below, bounds[0][0]), high=min(alone.mean + above, bounds[0][1]))


def _over_rows(draws: Sequence[Judged], mean: float, seed: int) -> Bounds | None:
    """Return the interval of the mean over draws if the heads are what they are, and test rows may be others.

    None where test rows are too few to say: a score that no rule has an interval for, or that no resample defines.
    """
    if len(draws) == 1 and draws[0].groups is None:
        return bootstrap([draws[0].statistic], draws[0].rows, seed)[0][0].interval
    hits = [one.right for one in draws if one.right is not None]
    if len(hits) == len(draws):
        return _of_hits(np.mean(hits, axis=0), mean, len(hits))
    own = None if draws[0].groups is None else clusters(draws[0].groups)
    scores = resampled([one.statistic for one in draws], draws[0].rows, seed, _RESAMPLES, own)
    drawn = np.mean([one[0] for one in scores], axis=0)
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn):
        return None
    if own is not None:
        trials = draws[0].statistic.trials[0]
        if mean in SHARE and trials is not None:
            return wilson(mean, trials * own.share)
        bounds = draws[0].statistic.bounds[:1] or (SHARE,)
        return cluster_interval(mean, drawn, own.count, bounds[0], 0.0)
    low, high = np.quantile(drawn, (0.025, 0.975)).tolist()
    return min(low, mean), max(high, mean)


def _of_hits(hits: NDArray[np.float64], mean: float, draws: int) -> Bounds:
    """Return Wilson's interval of the mean of each row's share of draws that get it right, (n,).

    For as many trials as give a proportion this variance: never fewer than there are rows, nor more than a row for
    each draw would be.
    """
    n, variance = len(hits), float(hits.var()) / len(hits)
    trials = mean * (1 - mean) / variance if variance > _ROUNDING else n
    return wilson(mean, min(max(trials, n), n * draws))
