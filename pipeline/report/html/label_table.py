"""Labels as a table that can be sorted without a script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

from frostline.pipeline.report.html import formatting
from frostline.pipeline.report.html.orders import Orders, places, titles
from frostline.stages.metrics import Score
from frostline.stages.metrics.multi_label import LabelScore

LISTED = 200
ORDERS: Orders[LabelScore] = MappingProxyType(
    {
        "ap": ("average precision", lambda one: (_value(one.average_precision), one.name)),
        "auroc": ("AUROC", lambda one: (_value(one.auroc), one.name)),
        "f1": ("F1", lambda one: (_value(one.f1), one.name)),
        "count": ("samples with the label", lambda one: (-one.positives, one.name)),
        "name": ("name", lambda one: (0, one.name)),
    }
)


@dataclass(frozen=True)
class LabelRow:
    """One label as text; ``places``: in each of ``ORDERS``, from 0, as a style."""

    name: str
    precision: tuple[str, str]
    auroc: tuple[str, str]
    f1: tuple[str, str]
    threshold: str
    f1_at_threshold: tuple[str, str]
    having: str
    share: str
    places: str


@dataclass(frozen=True)
class LabelTable:
    """The labels, those found worst first; ``tuned``: whether they have thresholds of their own."""

    rows: tuple[LabelRow, ...]
    left_out: int
    tuned: bool
    orders: tuple[tuple[str, str], ...]


def label_table(labels: Sequence[LabelScore]) -> LabelTable:
    """Return a table of the labels, at most ``LISTED`` of them."""
    shown = worst_first(labels)[:LISTED]
    styles = places(shown, ORDERS)
    return LabelTable(
        rows=tuple(_row(one, style) for one, style in zip(shown, styles, strict=True)),
        left_out=len(labels) - len(shown),
        tuned=any(one.threshold is not None for one in labels),
        orders=titles(ORDERS),
    )


def worst_first(labels: Sequence[LabelScore]) -> list[LabelScore]:
    """Return labels by average precision, those without any last."""
    return sorted(labels, key=ORDERS["ap"][1])


def _value(score: Score | None) -> float:
    return score.value if score else 2.0


def _row(one: LabelScore, style: str) -> LabelRow:
    return LabelRow(
        name=one.name,
        precision=_shown("average_precision", one.average_precision),
        auroc=_shown("macro_auroc", one.auroc),
        f1=_shown("f1", one.f1),
        threshold="–" if one.threshold is None else formatting.minus(f"{one.threshold:.3f}"),
        f1_at_threshold=_shown("f1", one.f1_at_threshold),
        having=f"{one.positives:,} of {one.rows:,}",
        share=formatting.share(one.positives, one.rows),
        places=style,
    )


def _shown(name: str, score: Score | None) -> tuple[str, str]:
    return formatting.valued(name, score) if score else ("–", "")
