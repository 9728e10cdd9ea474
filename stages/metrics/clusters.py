"""Rows that come in groups: the resampling of whole groups, and an interval that holds with few of them.

Rows of one patient, video or author resemble each other: groups are drawn, and a row counts as often as its group. The
percentiles of few groups' resamples are too narrow (with six groups they hold the truth in about 85 of 100), so the
interval is Student's with as many degrees of freedom as there are groups, less one, around the value:

    g(value) ± t(0.975, G - 1) s g'(value),   s = sqrt(G / (G - 1)) times the deviation of the resamples

(Cameron, Gelbach and Miller, "Bootstrap-based improvements for inference with clustered errors", Review of Economics
and Statistics 90, 2008, on t(G - 1); Hesterberg, "What teachers should know about the bootstrap", The American
Statistician 69, 2015, section 3.2, on the factor). g maps a score's bounds to infinity, so that no interval leaves
them: the logit for shares (Agresti, Categorical Data Analysis, 2013, section 1.4), the logarithm of errors, Fisher's z
of correlations. ``benchmarks/selection/groups.py`` counts how often it holds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostline.stages.errors import DataError
from frostline.stages.metrics.score import Bounds


@dataclass(frozen=True, eq=False)
class Clusters:
    """The groups of n rows: ``of`` int64 (n,), each row's, from 0 to ``count`` - 1."""

    of: NDArray[np.int64]
    count: int

    @property
    def share(self) -> float:
        """Groups a row: what a row's evidence is worth where all rows of a group are alike."""
        return self.count / len(self.of)


def clusters(groups: NDArray[np.int64]) -> Clusters:
    """Return the groups of rows by their ids, int64 (n,). Raises DataError if these are fewer than two."""
    found, of = np.unique(groups, return_inverse=True)
    if len(found) < 2:
        raise DataError(
            f"all {len(groups):,} rows belong to one group, so the variation between groups is unknown; expected "
            "rows of two or more groups"
        )
    return Clusters(of.ravel(), len(found))


def cluster_interval(value: float, drawn: NDArray[np.float64], count: int, bounds: Bounds, min_error: float) -> Bounds:
    """Return the 95 % interval of a value within its bounds, from resamples (b,) of ``count`` groups.

    ``min_error``: what its standard error is at least, such as that of independent rows.
    """
    from scipy.special import stdtrit

    error = max(min_error, _deviation(drawn) * (count / (count - 1)) ** 0.5)
    low, high = bounds
    if not (low < value < high and error > 0):
        return value, value
    margin = float(stdtrit(count - 1, 0.975)) * error
    below, above = (math.inf if math.isinf(edge) else abs(value - edge) for edge in bounds)
    return value - _moved(margin, below, above), value + _moved(margin, above, below)


def _deviation(drawn: NDArray[np.float64]) -> float:
    """Return the deviation of resamples; by their middle half where a few, of hardly more than one group, rule it."""
    low, high = np.quantile(drawn, (0.25, 0.75))
    usual, whole = float(high - low) / 1.349, float(drawn.std())
    return usual if 0 < 2 * usual < whole else whole


def _moved(margin: float, ahead: float, behind: float) -> float:
    """Return how far a value moves towards a bound ``ahead``, by a margin on the scale on which bounds are infinite.

    On that scale the value moves by m = margin (1 / ahead + 1 / behind); between two bounds the odds ahead / behind
    shrink by exp(m), and before a single one the distance to it.
    """
    if math.isinf(ahead):
        return margin if math.isinf(behind) else behind * math.expm1(min(margin / behind, 700))
    if math.isinf(behind):
        return -ahead * math.expm1(-margin / ahead)
    left = math.exp(-min(margin * (1 / ahead + 1 / behind), 700)) * ahead / behind
    return ahead - (ahead + behind) * left / (1 + left)
