"""The first lines of a page: the answer, and what to know before it is used."""

from __future__ import annotations

from dataclasses import dataclass

from frostline.pipeline.records.headline import of_the_best
from frostline.pipeline.report.concerns import Concern
from frostline.pipeline.report.html import formatting
from frostline.pipeline.report.html.claims import claim, of_groups, references
from frostline.pipeline.report.html.curves import span_of_mean
from frostline.pipeline.report.html.ranking import Ranking
from frostline.pipeline.report.html.record import Run, Scored
from frostline.pipeline.report.verdicts import HOPELESS, how_picked
from frostline.pipeline.report.wording import NOUNS, chosen, listed
from frostline.stages.errors import counted
from frostline.stages.metrics import Spread
from frostline.stages.targets.base import DEFAULT
from frostline.stages.targets.registry import TARGETS

Fact = tuple[str, tuple[str, ...]]
"""A term, and sentences about it."""


@dataclass(frozen=True)
class Opening:
    """``value`` is the answer, ``claim`` of what, ``interval`` how sure; ``facts``: terms with their sentences."""

    value: str
    claim: str
    interval: str
    facts: tuple[Fact, ...]
    concerns: tuple[Concern, ...] = ()


def opening(run: Run, leader: Scored, ranked: Ranking | None, found: tuple[Concern, ...]) -> Opening:
    """Return the main score, its interval, which head has it, and what it can be compared with."""
    value, interval = formatting.main_valued(leader.evaluation)
    if run.picked.by == "test":
        best = of_the_best(leader.evaluation, len(run.own))
        interval = f"{formatting.valued(TARGETS.load(leader.evaluation.kind).main, best)[1]}, allowing for the choice"
    facts = (
        ("Head to use", (used(leader.head, leader.backbone, chosen(leader.selection)), *_picked(run))),
        ("Others", (standing_of(ranked),) if ranked and not ranked.problem else ()),
        ("Baselines", (*references(leader), *_baselines(run))),
        ("Groups", tuple(of_groups(leader.evaluation))),
    )
    return Opening(
        value=value,
        claim=claim(leader.evaluation),
        interval=formatting.claimed(interval),
        facts=tuple(fact for fact in facts if fact[1]),
        concerns=found,
    )


def opening_of_curves(run: Run, found: tuple[Concern, ...]) -> Opening:
    """Return the first lines of a run whose heads are all fitted on random subsets of the training rows."""
    curves = [(probe, probe.curve) for probe in run.record.probes if probe.curve]
    probe, curve = max(curves, key=lambda one: one[1].points[-1].spread.mean)
    last = curve.points[-1]
    kind, target = run.record.kind, TARGETS.load(run.record.kind)
    each = f" of each {NOUNS.get(kind, 'name')}" if curve.per_class else ""
    what = "of the test samples are classified correctly" if kind == DEFAULT else target.table[target.main]
    return Opening(
        value=formatting.main_share(last.spread.mean, shares=target.as_shares),
        claim=f"{what} with {last.size:,} training samples{each}",
        interval=_interval(last.spread, shares=target.as_shares),
        facts=(("Head to use", (used(probe.name, probe.backbone, ""),)), ("Interval", (_of_draws(last.spread),))),
        concerns=found,
    )


def used(head: str, backbone: str, value: str) -> str:
    """Return which head is meant, in a sentence."""
    return f"{head}{f' with {value}' if value else ''} on frozen features of {backbone}."


def standing_of(ranked: Ranking) -> str:
    """Return which heads are tied with the first, in one or two sentences."""
    pairs = [pair for pair in ranked.pairs if ranked.reference in (pair.first, pair.second)]
    told = {
        which: [pair for pair in pairs if pair.told(ranked.reference) == which] for which in ("better", "worse", "")
    }
    better, worse, tied = (tuple(pair.other(ranked.reference) for pair in own) for own in told.values())
    said = [f"Significantly better than it on these test samples: {listed(better)}."] if better else []
    said += [f"{listed(tied)} {'is' if len(tied) == 1 else 'are'} not distinguishable from it."] if tied else []
    if not better and not tied:
        return "It is significantly better than " + ("the other head." if len(worse) == 1 else "all other heads.")
    if tied:
        said.append(_detectable(min((pair.seen for pair in told[""]), key=float), ranked))
    return " ".join(said)


def _detectable(seen: str, ranked: Ranking) -> str:
    """Return which differences the test samples can show, if any."""
    samples = counted(ranked.compared, "test sample")
    if ranked.in_points and float(seen) >= 100 * HOPELESS:
        return f"{samples} are too few to show differences between heads reliably."
    return f"Only differences above about {seen}{' points' if ranked.in_points else ''} show reliably with {samples}."


def _interval(spread: Spread, *, shares: bool) -> str:
    drawn, interval = counted(spread.draws, "random subset"), span_of_mean(spread, shares=shares)
    return f"95 % interval {interval}, mean of {drawn}" if interval else f"mean of {drawn}"


def _of_draws(spread: Spread) -> str:
    """Return what an interval of random subsets covers."""
    if spread.draws == 1:
        return (
            "It covers other test samples only: one random subset does not show what other training samples would do."
        )
    return (
        "It covers other random subsets of the same size and other test samples. "
        "Overlap of the subsets is accounted for."
    )


def _baselines(run: Run) -> list[str]:
    return [f"{one.name}: {formatting.main_valued(one.evaluation)[0]}." for one in run.baselines]


def _picked(run: Run) -> list[str]:
    count = len(run.own)
    if count < 2:
        return []
    if run.picked.by == "test":
        return [f"It is the best of {count} heads on these same test samples. The interval allows for this choice."]
    return [f"It {how_picked(run.picked, run.record.kind, count)}."]
