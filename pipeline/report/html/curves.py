"""The section on learning curves, in the main score of the kind of target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from frostline.pipeline.records.curve import Curve, Point
from frostline.pipeline.records.run import called
from frostline.pipeline.report.html import formatting, plots
from frostline.pipeline.report.html.record import Run
from frostline.pipeline.report.html.score_names import score_names
from frostline.pipeline.report.wording import unit_of
from frostline.stages.metrics import Spread
from frostline.stages.targets.base import DEFAULT
from frostline.stages.targets.registry import TARGETS


@dataclass(frozen=True)
class CurveRow:
    """One size of one head's learning curve, as text but for the numbers that count."""

    name: str
    size: int
    unit: str
    draws: int
    mean: str
    std: str
    interval: str
    range: str


@dataclass(frozen=True)
class Curves:
    """The learning curves, drawn, unless each is one point, and as a table; ``title``: of the score."""

    figure: Markup | None
    rows: tuple[CurveRow, ...]
    title: str


def curves_section(run: Run) -> Curves | None:
    """Return the learning curves of a run, None without any."""
    found, kind = [(called(p.name, p.backbone), p.curve) for p in run.record.probes if p.curve], run.record.kind
    if not found:
        return None
    rows = tuple(curve_row(name, curve, point, kind) for name, curve in found for point in curve.points)
    return Curves(figure_of(found, kind), rows, score_names(kind)[TARGETS.load(kind).main][0])


def figure_of(curves: Sequence[tuple[str, Curve]], kind: str) -> Markup | None:
    """Return curves by name, of one kind of target, as a figure; None if each of them is one point."""
    if all(len(curve.points) == 1 for _, curve in curves):
        return None
    target = TARGETS.load(kind)
    title = "correct" if kind == DEFAULT else target.table[target.main]
    return plots.learning_curves(curves, title, shares=target.as_shares)


def span_of_mean(spread: Spread, *, shares: bool) -> str:
    """Return the interval of a mean over draws; nothing where there is none."""
    return formatting.span(*spread.interval, shares=shares) if spread.interval else ""


def curve_row(name: str, curve: Curve, point: Point, kind: str) -> CurveRow:
    """Return one size of a curve as text."""
    spread, shares = point.spread, TARGETS.load(kind).as_shares
    low, high = min(point.accuracy), max(point.accuracy)
    return CurveRow(
        name=name,
        size=point.size,
        unit=unit_of(curve, "in all"),
        draws=spread.draws,
        mean=formatting.main_share(spread.mean, shares=shares),
        std="–" if spread.std is None else f"{100 * spread.std:.1f}" if shares else f"{spread.std:.3f}",
        interval=span_of_mean(spread, shares=shares) or "–",
        range=formatting.span(low, high, shares=shares),
    )
