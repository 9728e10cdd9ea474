"""Classes as a table that can be sorted without a script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from frostline.pipeline.report.html import formatting
from frostline.pipeline.report.html.orders import Orders, places, titles
from frostline.stages.metrics import ClassScore

LISTED = 200
ORDERS: Orders[ClassScore] = MappingProxyType(
    {
        "recall": ("recall", lambda one: (one.recall.value, one.name)),
        "precision": ("precision", lambda one: (one.precision.value, one.name)),
        "f1": ("F1", lambda one: (one.f1.value, one.name)),
        "count": ("test samples", lambda one: (-one.support, one.name)),
        "name": ("name", lambda one: one.name),
    }
)


@dataclass(frozen=True)
class ClassRow:
    """One class as text; ``taken_for``: the class that most of its mistakes are called, and how many."""

    name: str
    recall: tuple[str, str]
    precision: tuple[str, str]
    f1: tuple[str, str]
    support: int
    taken_for: tuple[str, str]
    places: str


@dataclass(frozen=True)
class ClassTable:
    """The classes with test samples, the lowest recall first."""

    rows: tuple[ClassRow, ...]
    left_out: int
    orders: tuple[tuple[str, str], ...]


def class_table(classes: Sequence[ClassScore], counts: NDArray[np.int64]) -> ClassTable:
    """Return at most ``LISTED`` classes; ``counts`` (classes, classes): the confusion matrix."""
    tested = [i for i, one in enumerate(classes) if one.support]
    shown = sorted(tested, key=lambda i: (classes[i].recall.value, classes[i].name))[:LISTED]
    styles = places([classes[i] for i in shown], ORDERS)
    rows = (_row(classes[i], _taken_for(classes, counts, i), style) for i, style in zip(shown, styles, strict=True))
    return ClassTable(tuple(rows), len(tested) - len(shown), titles(ORDERS))


def _taken_for(classes: Sequence[ClassScore], counts: NDArray[np.int64], own: int) -> tuple[str, str]:
    wrong = counts[own].copy()
    wrong[own] = 0
    most = int(wrong.argmax())
    return (classes[most].name, f"{int(wrong[most]):,}") if wrong[most] else ("", "")


def _row(one: ClassScore, taken_for: tuple[str, str], style: str) -> ClassRow:
    return ClassRow(
        name=one.name,
        recall=formatting.valued("accuracy", one.recall),
        precision=formatting.valued("accuracy", one.precision),
        f1=formatting.valued("f1", one.f1),
        support=one.support,
        taken_for=taken_for,
        places=style,
    )
