"""The section on many labels: each of them, which go together, and the samples that are most wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from frostline.pipeline.report.html import formatting
from frostline.pipeline.report.html.artifacts import RunArtifacts
from frostline.pipeline.report.html.decided import Decided, decided
from frostline.pipeline.report.html.label_plots import label_bars
from frostline.pipeline.report.html.label_samples import LabelledSample, worst_labelled
from frostline.pipeline.report.html.label_table import LabelTable, label_table, worst_first
from frostline.pipeline.report.html.matrix import Matrix, matrix
from frostline.pipeline.report.html.record import Scored
from frostline.pipeline.report.html.thumbnails import Thumbnails
from frostline.stages.metrics import Predictions, Score
from frostline.stages.metrics.multi_label import LabelScore, unscored

BARS, COMMONEST, _NAMED = 30, 20, 30
_USUAL = {True: "a probability of 0.5", False: "a score of 0"}


@dataclass(frozen=True)
class CoOccurrence:
    """Of the samples that have one label (rows), how many have another, and how many are called it (columns)."""

    true: Matrix
    predicted: Matrix
    left_out: int


@dataclass(frozen=True)
class Labels:
    """``bars``: of the labels found worst, ``shown`` of all that test samples have, but for ``left_out``.

    ``absent``: the first names of labels that no test sample has. ``together``, ``worst``: from the answers, without
    which ``problem`` says why. ``rule``: from when on a label is predicted. ``ranked``: samples are ordered by rank.
    """

    bars: Markup | None
    shown: int
    left_out: int
    absent: tuple[str, ...]
    more_absent: int
    table: LabelTable
    rule: str
    together: CoOccurrence | None
    worst: tuple[LabelledSample, ...]
    ranked: bool
    problem: str
    no_pictures: str


def labels_section(leader: Scored, artifacts: RunArtifacts) -> Labels:
    """Return how a head does on each label, and where it goes wrong."""
    labels, answers = leader.evaluation.labels, leader.answers
    tested, absent = worst_first([one for one in labels if one.average_precision]), unscored(labels)
    found = decided(answers, labels) if answers else None
    return Labels(
        bars=label_bars(tested[:BARS]) if tested else None,
        shown=len(tested[:BARS]),
        left_out=len(tested[BARS:]),
        absent=absent[:_NAMED],
        more_absent=len(absent[_NAMED:]),
        table=label_table(labels),
        rule=_rule(leader.evaluation.scores, labels, answers),
        together=co_occurrence(found) if found else None,
        worst=worst_labelled(found, Thumbnails(artifacts.test, artifacts.page)) if found else (),
        ranked=answers is not None and not answers.probabilistic,
        problem=leader.problem,
        no_pictures=artifacts.no_samples,
    )


def co_occurrence(found: Decided) -> CoOccurrence | None:
    """Return which labels go together, of the ``COMMONEST`` ones; None where fewer than two are there."""
    having = found.having.sum(0)
    order = [int(label) for label in np.argsort(-having, kind="stable") if having[label]]
    shown = order[:COMMONEST]
    if len(shown) < 2:
        return None
    names, rows = [found.answers.classes[label] for label in shown], found.having[:, shown].astype(np.int64)
    return CoOccurrence(
        true=_matrix(rows, found.having[:, shown], names),
        predicted=_matrix(rows, found.named[:, shown], names),
        left_out=len(order) - len(shown),
    )


def _matrix(rows: NDArray[np.int64], columns: NDArray[np.bool_], names: Sequence[str]) -> Matrix:
    return matrix(rows.T @ columns, names, rows.sum(0), strength=75)


def _rule(scores: Mapping[str, Score], labels: Sequence[LabelScore], answers: Predictions | None) -> str:
    """Return from when on a label counts as predicted, and what thresholds of its own do for it."""
    usual = "the default threshold" if answers is None else _USUAL[answers.probabilistic]
    if not any(one.threshold is not None for one in labels):
        return f"A label is predicted above {usual}."
    before, after = (formatting.valued("f1", scores[f"macro_f1{end}"])[0] for end in ("", "_at_thresholds"))
    return (
        "A label is predicted above its own threshold, which was chosen on held-out training samples for the highest "
        f"F1. Macro-F1 is {after} with these thresholds and {before} with {usual} for all labels."
    )
