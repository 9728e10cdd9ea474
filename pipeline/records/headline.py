"""Which of several heads a run speaks of first: picked by training samples, so that the test score is nobody's luck."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from frostline.pipeline.records.run import Probe
from frostline.stages.evaluate import Evaluation
from frostline.stages.fit.selection import Selection
from frostline.stages.metrics import Score
from frostline.stages.metrics.multiplicity import best_of
from frostline.stages.targets.base import DEFAULT
from frostline.stages.targets.registry import TARGETS, main_score


class Candidate(NamedTuple):
    """A head that was fitted on all training samples."""

    name: str
    selection: Selection
    evaluation: Evaluation


class Headline(NamedTuple):
    """The head that is spoken of first; ``by_test``: it was picked by its test score, for want of held-out ones."""

    name: str
    by_test: bool


def headline(heads: Sequence[Candidate]) -> Headline:
    """Return the best of one or more heads on the training samples that each was held out from; of equals, the first.

    Where one of them has no such score, nothing else being chosen than what was named, the best on the test samples.
    """
    held_out = [_held_out(one.selection, one.evaluation.kind) for one in heads]
    by_test = len(heads) > 1 and None in held_out
    tested = [main_score(one.evaluation.scores, one.evaluation.kind).value for one in heads]
    scores = [own if own is not None and not by_test else test for own, test in zip(held_out, tested, strict=True)]
    return Headline(heads[scores.index(max(scores))].name, by_test)


def candidates(probes: Iterable[Probe]) -> dict[str, list[Candidate]]:
    """Return the heads of each backbone that were fitted on all training samples and scored."""
    found: dict[str, list[Candidate]] = {}
    for one in probes:
        if one.fitted and one.evaluation:
            found.setdefault(one.backbone, []).append(Candidate(one.name, one.fitted.selection, one.evaluation))
    return found


def _held_out(selection: Selection, kind: str) -> float | None:
    """Return the main score of the chosen value on held-out training samples; None if it is not known."""
    scores = selection.accuracy if kind == DEFAULT else selection.scores.get(TARGETS.load(kind).main, ())
    return scores[selection.grid.index(selection.value)] if scores else None


def of_the_best(found: Evaluation, among: int) -> Score:
    """Return the main score of the best of several on these test samples, its interval allowing for that choice."""
    counts = found.kind == DEFAULT and not found.groups
    floor = 0.0 if TARGETS.load(found.kind).as_shares else -math.inf
    return best_of(main_score(found.scores, found.kind), among, found.rows if counts else None, floor)
