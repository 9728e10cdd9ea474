"""Compare by any score: which of several predictions of the same rows or groups is better, and which are tied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostline.stages.errors import DataError
from frostline.stages.metrics.compare import LEVEL, holm, standing
from frostline.stages.metrics.paired import paired_each
from frostline.stages.metrics.statistic import Statistic


@dataclass(frozen=True)
class ScorePair:
    """Two runs on the same rows.

    Attributes:
        first, second: their names.
        difference: score of the first less that of the second, with its 95 % interval ``low``, ``high``.
        p: of there being none, see ``frostline.stages.metrics.paired``.
        corrected_p: ``p`` after Holm's correction for all pairs compared.
    """

    first: str
    second: str
    difference: float
    low: float
    high: float
    p: float
    corrected_p: float

    @property
    def significant(self) -> bool:
        """Whether the two differ at the level of 0.05, all pairs considered."""
        return self.corrected_p < LEVEL


@dataclass(frozen=True)
class RankedScore:
    """A run's place: one more than the runs that are significantly better; those it is tied with by name."""

    name: str
    score: float
    rank: int
    tied: tuple[str, ...]


@dataclass(frozen=True)
class ScoreComparison:
    """Every run by rank, then by score, and every pair of them on ``rows`` test rows of ``groups`` groups, if any."""

    rows: int
    groups: int | None
    ranks: tuple[RankedScore, ...]
    pairs: tuple[ScorePair, ...]


def compare_scores(
    statistics: Sequence[Statistic],
    names: Sequence[str],
    n: int,
    *,
    larger_is_better: bool = True,
    seed: int = 0,
    groups: NDArray[np.int64] | None = None,
) -> ScoreComparison:
    """Return how the first scores of several statistics of the same n rows differ, over the same resamples.

    ``groups``: int64 (n,); whole groups are resampled then. Raises DataError if these are fewer than two runs, if names
    repeat, or if all rows are of one group.
    """
    if len(statistics) < 2 or len(set(names)) != len(statistics):
        raise DataError(
            f"{len(statistics)} runs with {len(set(names))} names; wanted two or more, each of its own name"
        )
    found = paired_each(statistics, n, seed, groups)
    corrected = holm([difference.p for difference in found.values()])
    pairs = tuple(
        ScorePair(names[i], names[j], one.value, one.low, one.high, one.p, p)
        for ((i, j), one), p in zip(found.items(), corrected, strict=True)
    )
    sign = 1 if larger_is_better else -1
    places = standing(names, [(p.first, p.second, sign * p.difference, p.significant) for p in pairs])
    values = [float(statistic.of(np.ones((n, 1)))[0, 0]) for statistic in statistics]
    ranked = [RankedScore(name, value, *places[name]) for name, value in zip(names, values, strict=True)]
    ranks = tuple(sorted(ranked, key=lambda run: (run.rank, -sign * run.score)))
    return ScoreComparison(n, None if groups is None else len(np.unique(groups)), ranks, pairs)
