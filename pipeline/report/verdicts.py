"""What comparisons of heads say, in words: differences with their intervals, and what was picked by what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from frostline.pipeline.records.headline import Candidate, Headline, headline, of_the_best
from frostline.pipeline.report.wording import heading, listed, p_value, with_interval
from frostline.stages.targets.registry import TARGETS

if TYPE_CHECKING:
    from frostline.pipeline.records.curve import Curve
    from frostline.stages.metrics.compare import Comparison, HeadPair

_PICKED_ON = {"training": "held-out training samples", "test": "these test samples"}
TOLD_APART = "=: {} and the heads that are not distinguishable from it with these samples."
_ONE_DRAW = "intervals of one draw cover no other training samples"
HOPELESS = 0.5  # a difference of shares: only a head that is useless would be so far behind
_UNCOVERED = (
    "other training samples (--train-sizes N --draws 10 measures that)",
    "another split (try another --seed)",
    "samples that belong together (--group)",
)


def uncovered(*, grouped: bool, drawn: bool = False) -> str:
    """Return in a sentence what no interval covers, and which flag measures it.

    ``grouped``: intervals are of groups; ``drawn``: they are over draws of the training samples.
    """
    *first, last = [words for words, covered in zip(_UNCOVERED, (drawn, False, grouped), strict=True) if not covered]
    return f"No interval covers {', '.join(first)}{' or ' if first else ''}{last}"


def uncovered_over_draws(curves: Iterable[Curve]) -> str:
    """Return the same of learning curves, whose intervals are over draws where there are several."""
    found = tuple(curves)
    said = uncovered(grouped=all(one.groups for one in found), drawn=all(_over_draws(one) for one in found))
    return said if all(one.drawn for one in found) or not all(map(_over_draws, found)) else f"{said}; {_ONE_DRAW}"


def _over_draws(curve: Curve) -> bool:
    """Return whether the training samples are drawn several times, at one size at least."""
    return any(len(point.accuracy) > 1 for point in curve.points)


def picked(heads: Sequence[Candidate]) -> str:
    """Return by what a head was picked to be spoken of first, and what its interval is then."""
    found = headline(heads)
    if found.by != "test":
        return f"{found.name} {how_picked(found, heads[0].evaluation.kind, len(heads))}"
    (own,) = (one.evaluation for one in heads if one.name == found.name)
    interval = with_interval(of_the_best(own, len(heads)), shares=TARGETS.load(own.kind).as_shares)
    return f"{found.name} is the best of {len(heads)} heads on these test samples: {interval}, allowing for that choice"


def how_picked(found: Headline, kind: str, count: int) -> str:
    """Return how the head was picked that is spoken of first, of so many, by training samples or not at all."""
    if found.by == "order":
        return (
            f"is the first of {count} heads as they were named; none was picked, since their scores on held-out "
            "training samples are not of the same samples, or not the same score"
        )
    by = "" if found.criterion == TARGETS.load(kind).main else f", by {heading(found.criterion)}"
    return f"is the best of {count} heads on held-out training samples{by}; nothing was chosen on test samples"


def verdicts(found: Comparison, *, shares: bool) -> dict[frozenset[str], str]:
    """Return in words how far two heads are apart, and whether beyond chance, by their names."""
    return {frozenset((pair.first, pair.second)): _verdict(pair, found.rows, shares=shares) for pair in found.pairs}


def _verdict(pair: HeadPair, rows: int, *, shares: bool) -> str:
    pair = pair.turned if pair.difference < 0 else pair
    ends = f"[{_end(pair.low, shares=shares)}, {_end(pair.high, shares=shares)}]"
    apart = f"{_apart(pair.difference, shares=shares)} {ends}"
    if pair.significant:
        return f"{pair.first} is better than {pair.second} by {apart}, beyond chance (p {p_value(pair)})"
    return (
        f"{pair.first} is not distinguishable from {pair.second} with these {rows:,} samples: {apart}, "
        f"p {p_value(pair)}; {_seen(pair, shares=shares)}"
    )


def _seen(pair: HeadPair, *, shares: bool) -> str:
    """Return which difference these samples would have shown."""
    if shares and pair.detectable >= HOPELESS:
        return "no difference can be shown with so few"
    return f"a difference of {_apart(pair.detectable, shares=shares)} would have been seen with 80 % probability"


def ahead(pair: HeadPair, first: str, *, shares: bool) -> str:
    """Return by how much the first of a pair is ahead, with its interval: ``1.4 [-1.1, 3.9]``, in points of shares."""
    pair = pair.turned if pair.second == first else pair
    value, low, high = (_end(end, shares=shares) for end in (pair.difference, pair.low, pair.high))
    return f"{value} [{low}, {high}]"


def advice(found: Comparison, heads: Sequence[Candidate]) -> str:
    """Return in one sentence which head to take, and whether others are as good as far as these samples tell."""
    name, by = found.reference, headline(heads).by
    if by == "order":
        return f"No head was picked: held-out scores can't be compared. The first one is {name}; {_others(found)}."
    how = f" (picked on {_PICKED_ON[by]})" if len(heads) > 1 else ""
    return f"Take {name}{how}{' with care' if _ahead(found) else ''}; {_others(found)}."


def _others(found: Comparison) -> str:
    better, rows = _ahead(found), f"{found.rows:,} test samples"
    if better:
        return f"{listed(better)} did better on the {rows}, beyond chance"
    (tied,) = (run.tied for run in found.ranks if run.name == found.reference)
    if tied:
        return f"{listed(tied)} {'is' if len(tied) == 1 else 'are'} tied with it: no difference beyond chance on {rows}"
    others = [run.name for run in found.ranks if run.name != found.reference]
    return f"it is better than {others[0] if len(others) == 1 else 'all others'}, beyond chance"


def _ahead(found: Comparison) -> list[str]:
    return [_other(one, found.reference) for one in found.pairs if _beats(one, found.reference)]


def standing(found: Comparison) -> str:
    """Return which heads the reference can't be told from, which are worse and which better, and by what correction."""
    told = {True: "better than it", False: "worse"}
    (tied,) = (run.tied for run in found.ranks if run.name == found.reference)
    parts = [f"not distinguishable from it: {listed(tied)}"] if tied else []
    for better, word in told.items():
        names = [_other(one, found.reference) for one in found.pairs if _beats(one, found.reference) is better]
        parts += [f"{word} beyond chance: {listed(names)}"] if names else []
    return f"{found.reference}; {'; '.join(parts)} ({corrected(found)})"


def corrected(found: Comparison) -> str:
    """Return what intervals of differences and p-values are corrected for."""
    if found.comparisons == 1:
        return "one comparison"
    return f"intervals and p corrected for {found.comparisons:,} comparisons"


def _other(pair: HeadPair, reference: str) -> str:
    return pair.second if pair.first == reference else pair.first


def _beats(pair: HeadPair, reference: str) -> bool | None:
    """Return whether the other of a pair is better than the reference; None if neither is, or it is of other heads."""
    if not pair.significant or reference not in (pair.first, pair.second):
        return None
    return (pair.difference < 0) is (pair.first == reference)


def _apart(difference: float, *, shares: bool) -> str:
    return f"{100 * difference:.1f} points" if shares else f"{difference:.3f}"


def _end(difference: float, *, shares: bool) -> str:
    return f"{100 * difference:.1f}" if shares else f"{difference:.3f}"
