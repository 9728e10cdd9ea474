"""Which of several heads a run speaks of first: picked by training samples, so that the test score is nobody's luck."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from frostline.pipeline.records.run import Probe, called
from frostline.pipeline.records.run_record import HeadRecord, RunRecord
from frostline.stages.evaluate import Evaluation
from frostline.stages.fit.selection import LEAST_IS_BEST, Selection
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
    """The head that is spoken of first, and by what it was picked.

    ``by``: ``training``, held-out training samples; ``test``, its test score, for want of held-out ones; ``order``, it
    was named first, since the held-out scores can't be compared. ``criterion``: the score on training samples.
    """

    name: str
    by: Literal["training", "test", "order"] = "training"
    criterion: str = ""


def headline(heads: Sequence[Candidate]) -> Headline:
    """Return the best of one or more heads on the training samples that each was held out from; of equals, the first.

    They are compared by one score, on the same rows: the main score where every head has it, else the first by which
    each could have been chosen. Where there is none, or the rows are not the same, none is picked. Where one of the
    heads has no held-out score at all, nothing else being chosen than what was named, the best on the test samples is.
    """
    kind = heads[0].evaluation.kind
    if len(heads) == 1:
        return Headline(heads[0].name)
    held_out = [_held_out(one.selection) for one in heads]
    if not all(held_out):
        tested = [main_score(one.evaluation.scores, kind).value for one in heads]
        return Headline(heads[tested.index(max(tested))].name, "test")
    criterion = next((name for name in _criteria(kind) if all(name in own for own in held_out)), None)
    if criterion is None or len({_rows(one.selection) for one in heads}) > 1:
        return Headline(heads[0].name, "order")
    sign = -1 if criterion in LEAST_IS_BEST else 1
    scores = [sign * own[criterion] for own in held_out]
    return Headline(heads[scores.index(max(scores))].name, "training", criterion)


def candidates(probes: Iterable[Probe]) -> dict[str, list[Candidate]]:
    """Return the heads of each backbone that were fitted on all training samples and scored."""
    found: dict[str, list[Candidate]] = {}
    for one in probes:
        if one.fitted and one.evaluation:
            found.setdefault(one.backbone, []).append(Candidate(one.name, one.fitted.selection, one.evaluation))
    return found


def recorded_candidates(record: RunRecord) -> dict[str, list[Candidate]]:
    """Return the same of a record, the run's own backbone first."""
    found: dict[str, list[Candidate]] = {}
    for one in record.probes:
        if one.head and one.evaluation:
            name = called(one.name, one.backbone)
            found.setdefault(one.backbone, []).append(Candidate(name, one.head.selection, one.evaluation))
    return found


def recommended_head(record: RunRecord) -> HeadRecord | None:
    """Return the head that a run speaks of first; None where none was fitted on all training samples."""
    own = recorded_candidates(record).get(record.probes[0].backbone)
    first = headline(own).name if own else None
    return next((one.head for one in record.probes if called(one.name, one.backbone) == first and one.head), None)


def _criteria(kind: str) -> list[str]:
    """Return the scores by which heads can be compared, the main one first."""
    target = TARGETS.load(kind)
    return list(dict.fromkeys((target.main, *target.criteria)))


def _held_out(selection: Selection) -> dict[str, float]:
    """Return every score of the chosen value on held-out training samples; none where nothing was chosen."""
    scores = {"accuracy": selection.accuracy, **selection.scores}
    place = selection.grid.index(selection.value)
    return {name: own[place] for name, own in scores.items() if own}


def _rows(selection: Selection) -> tuple[int, int | None]:
    """Return what tells held-out rows from others: how many, and of a share of all rows by which draw.

    Folds, dealt once or again, and leave-one-out hold out every row.
    """
    return selection.held_out_rows, selection.seed if selection.by == "hold-out" else None


def of_the_best(found: Evaluation, among: int) -> Score:
    """Return the main score of the best of several on these test samples, its interval allowing for that choice."""
    counts = found.kind == DEFAULT and not found.groups
    floor = 0.0 if TARGETS.load(found.kind).as_shares else -math.inf
    return best_of(main_score(found.scores, found.kind), among, found.rows if counts else None, floor)
