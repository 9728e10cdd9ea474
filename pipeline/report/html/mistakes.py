"""Mistakes: between which classes, and which samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from frostline.pipeline.report.html import plots
from frostline.pipeline.report.html.artifacts import RunArtifacts
from frostline.pipeline.report.html.class_table import ClassTable, class_table
from frostline.pipeline.report.html.formatting import share
from frostline.pipeline.report.html.matrix import Matrix, matrix
from frostline.pipeline.report.html.predictions import StoredPredictions
from frostline.pipeline.report.html.record import Scored
from frostline.pipeline.report.html.thumbnails import Picture, Thumbnails
from frostline.stages.errors import counted
from frostline.stages.metrics import ClassScore

WIDEST, BARS = 20, 30
PAIRS, PER_PAIR, WORST = 6, 2, 12


@dataclass(frozen=True)
class Mistake:
    """A test sample, its label, what it was called, and how sure the head was of that."""

    picture: Picture
    truth: str
    prediction: str
    sure: str


@dataclass(frozen=True)
class Confusion:
    """One class predicted for another, how often, and its surest mistakes."""

    truth: str
    prediction: str
    count: str
    share: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Confusions:
    """The most frequent confusions, and how many more pairs of classes are confused."""

    shown: tuple[Confusion, ...]
    left_out: int


@dataclass(frozen=True)
class Bars:
    """The chart of the classes that are found worst, and the names of those without test samples."""

    figure: Markup | None
    shown: int
    left_out: int
    absent: tuple[str, ...]
    more_absent: int


@dataclass(frozen=True)
class Mistakes:
    """All of them: how many, by class, by pair of classes, and one by one.

    ``pairs``: none where ``worst`` are all of them. ``problem``: why there are no single mistakes; ``no_pictures``:
    why they have none.
    """

    wrong: str
    table: Matrix | None
    classes: Bars
    each: ClassTable
    pairs: Confusions
    worst: tuple[Mistake, ...]
    problem: str
    no_pictures: str
    probabilistic: bool


class MistakeGallery:
    """What a head said of each test sample, beside its picture."""

    def __init__(self, answers: StoredPredictions, thumbnails: Thumbnails) -> None:
        self._answers, self._thumbnails = answers, thumbnails

    def mistake(self, row: int) -> Mistake:
        """Return what was said of one row of the answers."""
        answers = self._answers
        value = float(answers.decision_values[row, 0])
        sure = f"{100 * value:.0f} % sure" if answers.probabilistic else f"margin {answers.margins[row]:.2g}"
        truth, prediction = answers.classes[answers.y[row]], answers.classes[answers.labels[row]]
        picture = self._thumbnails.of(answers.ids[row], f"A test sample of class {truth}, predicted as {prediction}")
        return Mistake(picture, truth, prediction, sure)


def mistakes(leader: Scored, classes: tuple[str, ...], artifacts: RunArtifacts) -> Mistakes:
    """Return what a head named wrong, with pictures where the samples are there."""
    counts = np.array(leader.evaluation.confusion, np.int64)
    answers = leader.answers if isinstance(leader.answers, StoredPredictions) else None
    gallery = MistakeGallery(answers, Thumbnails(artifacts.test, artifacts.page)) if answers else None
    wrong = int(counts.sum() - np.trace(counts))
    few = answers is not None and wrong <= WORST
    return Mistakes(
        wrong=_number_wrong(wrong),
        table=_table(counts, classes),
        classes=_bars(leader.evaluation.classes),
        each=class_table(leader.evaluation.classes, counts),
        pairs=Confusions((), 0) if few else _pairs(counts, classes, answers, gallery),
        worst=_worst(answers, gallery),
        problem=leader.problem,
        no_pictures=artifacts.no_samples,
        probabilistic=answers is not None and answers.probabilistic,
    )


def _number_wrong(n: int) -> str:
    return f"{counted(n, 'test sample')} {'is' if n == 1 else 'are'}" if n else "No test sample is"


def _table(counts: NDArray[np.int64], classes: tuple[str, ...]) -> Matrix | None:
    """Return a confusion matrix, counts (classes, classes), or None if it is too wide to be read."""
    return matrix(counts, classes) if len(classes) <= WIDEST else None


def _bars(classes: Sequence[ClassScore]) -> Bars:
    """Return the chart of the worst classes, of those that have test samples."""
    tested = sorted((one for one in classes if one.support), key=lambda one: one.recall.value)
    absent = tuple(one.name for one in classes if not one.support)
    shown = tested[:BARS]
    return Bars(
        figure=plots.class_recalls(shown) if shown else None,
        shown=len(shown),
        left_out=len(tested) - len(shown),
        absent=absent[:BARS],
        more_absent=max(0, len(absent) - BARS),
    )


def _pairs(
    counts: NDArray[np.int64],
    classes: tuple[str, ...],
    answers: StoredPredictions | None,
    gallery: MistakeGallery | None,
) -> Confusions:
    """Return the most frequent confusions of one class with another, with their surest mistakes as pictures."""
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:PAIRS]
    places = [(int(i), int(j)) for i, j in zip(*np.unravel_index(order, wrong.shape), strict=True) if wrong[i, j]]
    shown = tuple(
        Confusion(
            truth=classes[i],
            prediction=classes[j],
            count=counted(int(wrong[i, j]), "time"),
            share=share(int(wrong[i, j]), int(counts[i].sum())),
            pictures=_surest(answers, gallery, i, j),
        )
        for i, j in places
    )
    return Confusions(shown, int((wrong > 0).sum()) - len(shown))


def _worst(answers: StoredPredictions | None, gallery: MistakeGallery | None) -> tuple[Mistake, ...]:
    """Return the mistakes that the head was surest of."""
    return tuple(gallery.mistake(int(row)) for row in answers.mistakes()[:WORST]) if answers and gallery else ()


def _surest(
    answers: StoredPredictions | None, gallery: MistakeGallery | None, truth: int, prediction: int
) -> tuple[Picture, ...]:
    if answers is None or gallery is None:
        return ()
    rows = answers.mistakes()
    own = rows[(answers.y[rows] == truth) & (answers.labels[rows] == prediction)]
    return tuple(gallery.mistake(int(row)).picture for row in own[:PER_PAIR])
