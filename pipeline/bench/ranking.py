"""The entries of a leaderboard in order, and how far each is from the best of its dataset."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from frostline.pipeline.bench.leaderboard import DatasetComparison, LeaderboardEntry
from frostline.stages.errors import DataError
from frostline.stages.metrics import Predictions
from frostline.stages.metrics.compare import compare
from frostline.stages.metrics.multiplicity import best_of
from frostline.stages.targets.base import DEFAULT

log = logging.getLogger("frostline")


class Ranked(NamedTuple):
    """The entries of a dataset, the best first, and how they were compared; None if they could not be."""

    entries: Sequence[LeaderboardEntry]
    comparison: DatasetComparison | None = None


def ranked_by_dataset(
    entries: Sequence[LeaderboardEntry], answers: Sequence[Predictions], *, all_pairs: bool
) -> Iterator[Ranked]:
    """Yield the entries of each dataset with their ranks, by what each said of the test samples.

    ``all_pairs``: every two are compared, not only the best with each other one.
    """
    for dataset in dict.fromkeys(entry.name.dataset for entry in entries):
        own = [i for i, entry in enumerate(entries) if entry.name.dataset == dataset]
        yield _ranked([entries[i] for i in own], [answers[i] for i in own], all_pairs=all_pairs)


def _ranked(entries: list[LeaderboardEntry], answers: list[Predictions], *, all_pairs: bool) -> Ranked:
    if len(entries) < 2:
        return Ranked(entries)
    by = {" ".join(entry.name.within): entry for entry in entries}
    try:
        made = compare(answers, list(by), all_pairs=all_pairs)
    except DataError as error:  # samples quarantined in some features and not in others
        log.warning("no ranking: %s", error)
        return Ranked(entries)
    best = by[made.reference]
    score = best_of(best.main, len(entries), made.rows if best.kind == DEFAULT and not best.groups else None)
    comparison = DatasetComparison(best.name.dataset, made.reference, made.rows, made.comparisons, score, made.pairs)
    return Ranked([replace(by[r.name], rank=r.rank, tied=r.tied) for r in made.ranks], comparison)
