"""The first lines of a page: the answer, and what to know before it is believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from frostline.pipeline.records.headline import of_the_best
from frostline.pipeline.report.html import formatting
from frostline.pipeline.report.html.claims import claim, references
from frostline.pipeline.report.html.curves import span_of_mean
from frostline.pipeline.report.html.record import Run, Scored
from frostline.pipeline.report.verdicts import how_picked
from frostline.pipeline.report.wording import NOUNS, selection_lines
from frostline.stages.errors import counted
from frostline.stages.metrics import Spread
from frostline.stages.targets.base import DEFAULT
from frostline.stages.targets.registry import TARGETS


@dataclass(frozen=True)
class Opening:
    """``value`` is the answer, ``claim`` of what, ``interval`` how sure, ``by`` what it comes from."""

    value: str
    claim: str
    interval: str
    by: str = ""
    context: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def opening(run: Run, leader: Scored, verdicts: Mapping[frozenset[str], str]) -> Opening:
    """Return the main score, its interval, what it may be held against, and warnings."""
    value, interval = formatting.main_valued(leader.evaluation)
    if run.picked.by == "test":
        best = of_the_best(leader.evaluation, len(run.own))
        interval = f"{formatting.valued(TARGETS.load(leader.evaluation.kind).main, best)[1]}, allowing for the choice"
    return Opening(
        value=value,
        claim=claim(leader.evaluation),
        interval=formatting.claimed(interval),
        by=_by(leader.head, leader.backbone),
        context=(*references(leader), *_baselines(run, leader, verdicts), *_picked(run)),
        warnings=tuple(f"{one.name}: {line}" for one in run.scored for line in _warnings(one)),
    )


def opening_of_curves(run: Run) -> Opening:
    """Return the first lines of a run whose heads are all fitted on draws of the training rows."""
    curves = [(probe, probe.curve) for probe in run.record.probes if probe.curve]
    probe, curve = max(curves, key=lambda one: one[1].points[-1].spread.mean)
    last = curve.points[-1]
    kind, target = run.record.kind, TARGETS.load(run.record.kind)
    each = f" of each {NOUNS.get(kind, 'name')}" if curve.per_class else ""
    what = "of the test samples are named right" if kind == DEFAULT else target.table[target.main]
    return Opening(
        value=formatting.main_share(last.spread.mean, shares=target.as_shares),
        claim=f"{what} after {last.size:,} training samples{each}",
        interval=_interval(last.spread, shares=target.as_shares),
        context=_of_draws(last.spread),
        by=_by(probe.name, probe.backbone),
    )


def _by(head: str, backbone: str) -> str:
    return f"The head is {head}, on frozen features of {backbone}."


def _interval(spread: Spread, *, shares: bool) -> str:
    drawn, interval = counted(spread.draws, "draw"), span_of_mean(spread, shares=shares)
    return f"95 % interval {interval}, mean of {drawn}" if interval else f"mean of {drawn}"


def _of_draws(spread: Spread) -> tuple[str, ...]:
    """Return what an interval of draws holds."""
    if spread.draws == 1:
        return ("The interval is over test samples alone: one draw doesn’t show what other training samples would do.",)
    return (
        "The interval is for other draws from as many labelled samples, and other test samples; draws of much of the "
        "training set overlap, which is counted.",
    )


def _baselines(run: Run, leader: Scored, verdicts: Mapping[frozenset[str], str]) -> list[str]:
    lines = []
    for one in run.baselines:
        verdict = verdicts.get(frozenset((leader.name, one.name)))
        ending = f": {verdict}." if verdict else "."
        lines.append(f"{one.name} alone reaches {formatting.main_valued(one.evaluation)[0]}{ending}")
    return lines


def _picked(run: Run) -> list[str]:
    count = len(run.own)
    if count < 2:
        return []
    if run.picked.by == "test":
        return [f"It is the best of {count} heads on these very test samples, which the interval allows for."]
    return [f"It {how_picked(run.picked, run.record.kind, count)}."]


def _warnings(one: Scored) -> list[str]:
    lines = [
        message.text for message in selection_lines(one.selection, one.head, one.backbone) if message.level == "warning"
    ]
    return [line[0].lower() + line[1:] for line in lines]
