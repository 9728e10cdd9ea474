"""Mistakes: between which classes, and which samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.pipeline.report.html.formatting import share
from frostline.pipeline.report.html.predictions import Answers
from frostline.pipeline.report.html.thumbnails import Picture, Thumbnails
from frostline.stages.errors import counted

WIDEST = 20
PAIRS, PER_PAIR, WORST = 6, 2, 12


@dataclass(frozen=True)
class Mistake:
    """A test sample, its label, what it was called, and how sure the head was of that."""

    picture: Picture
    truth: str
    prediction: str
    sure: str


class Album:
    """What a head said of each test sample, beside its picture."""

    def __init__(self, answers: Answers, thumbnails: Thumbnails) -> None:
        self._answers, self._thumbnails = answers, thumbnails

    def mistake(self, row: int) -> Mistake:
        """Return what was said of one row of the answers."""
        answers = self._answers
        value = float(answers.confidence[row, 0])
        sure = f"{100 * value:.0f} % sure" if answers.probabilistic else f"ahead by {answers.margins[row]:.2g}"
        truth, prediction = answers.classes[answers.y[row]], answers.classes[answers.labels[row]]
        picture = self._thumbnails.of(answers.ids[row], f"A test sample: {truth} called {prediction}")
        return Mistake(picture, truth, prediction, sure)


def confusion_table(counts: NDArray[np.int64], classes: tuple[str, ...]) -> dict[str, Any] | None:
    """Return the rows of a confusion matrix (classes, classes), or None if it is too wide to be read.

    Each cell: its count, its tint in per cent (three times its share of the row), and whether it is on the diagonal.
    """
    if len(classes) > WIDEST:
        return None
    totals = counts.sum(1)
    rows = [
        {
            "name": name,
            "total": int(totals[i]),
            "cells": [
                {"count": int(n), "tint": min(75, round(300 * int(n) / max(1, int(totals[i])))), "right": i == j}
                for j, n in enumerate(counts[i])
            ],
        }
        for i, name in enumerate(classes)
    ]
    return {"names": classes, "rows": rows}


def pairs(
    counts: NDArray[np.int64], classes: tuple[str, ...], answers: Answers | None, album: Album | None
) -> dict[str, Any]:
    """Return the most frequent confusions of one class with another, with their surest mistakes as pictures."""
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:PAIRS]
    places = [(int(i), int(j)) for i, j in zip(*np.unravel_index(order, wrong.shape), strict=True) if wrong[i, j]]
    shown = [
        {
            "truth": classes[i],
            "prediction": classes[j],
            "count": counted(int(wrong[i, j]), "time"),
            "share": share(int(wrong[i, j]), int(counts[i].sum())),
            "pictures": _surest(answers, album, i, j),
        }
        for i, j in places
    ]
    return {"shown": shown, "left_out": int((wrong > 0).sum()) - len(shown)}


def worst(answers: Answers | None, album: Album | None) -> list[Mistake]:
    """Return the mistakes that the head was surest of."""
    return [album.mistake(int(row)) for row in answers.mistakes()[:WORST]] if answers and album else []


def _surest(answers: Answers | None, album: Album | None, truth: int, prediction: int) -> list[Picture]:
    if answers is None or album is None:
        return []
    rows = answers.mistakes()
    own = rows[(answers.y[rows] == truth) & (answers.labels[rows] == prediction)]
    return [album.mistake(int(row)).picture for row in own[:PER_PAIR]]
