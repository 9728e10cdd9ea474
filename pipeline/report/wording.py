"""What the terminal and the pages say in the same words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from frostline.stages.fit.selection import LEAST_IS_BEST
from frostline.stages.heads.protocols import PROTOCOLS
from frostline.stages.metrics.score import RESAMPLES, TOO_FEW
from frostline.stages.targets.base import DEFAULT

if TYPE_CHECKING:
    from frostline.pipeline.records.curve import Curve
    from frostline.stages.fit.selection import Selection
    from frostline.stages.metrics import Score, Spread
    from frostline.stages.metrics.compare import HeadPair

TRANSFERABILITY = {
    "logme": "LogME",
    "h_score": "H-score",
    "h_score_shrunk": "H-score, shrunk",
    "gbc": "GBC",
    "leep": "LEEP",
    "nce": "NCE",
}
NOUNS = {"single-label": "class", "multi-label": "label", "regression": "output"}
HEADINGS = {
    "balanced_accuracy": "balanced accuracy",
    "map": "mAP",
    "macro_log_loss": "log-loss",
    "r2": "R²",
    "mae": "MAE",
    "rmse": "RMSE",
}
NO_INTERVAL = "–"
Level = Literal["note", "warning"]
PERCENT = ("accuracy", "balanced_accuracy")
_FREE = 0.99e6  # a C that leaves weights of words, vectors of length 1, free
_LONG = 10.0  # seconds: of what is done sooner nobody asks what took so long
_LIMIT = 0.2  # of the time without images: decoding is the limit
_TORN = re.compile(r"(?<=\d) (?=[%±–] ?\d?|(?:s|[a-z]+s/s|[kMGT]?B)\b)|(?<=[±–]) (?=\d)|(?<=\d,) (?=\d[\d.]*\])")


def listed(names: Sequence[str], limit: int = 3) -> str:
    """Return ``a, b, c and 2 more``."""
    shown = [*names[:limit], *([f"{len(names) - limit} more"] if len(names) > limit else [])]
    return ", ".join(shown[:-1]) + (" and " if len(shown) > 1 else "") + shown[-1]


def heading(score: str) -> str:
    """Return what a score is called in tables."""
    return HEADINGS.get(score, score)


def place(rank: int, *, tied: bool) -> str:
    """Return a rank as ``4``, or ``4=`` of the head that all are compared with, if heads tie with it, and of these."""
    return f"{rank}{'=' if tied else ''}"


def unbroken(text: str) -> str:
    """Return text in which no line ends within ``98 %``, ``9 images/s``, ``1.5 MB``, ``± 0.3`` or ``[96.4, 99.4]``."""
    return _TORN.sub("\u00a0", text)


@dataclass(frozen=True)
class Message:
    """A sentence, and whether it is a warning; as text for a terminal, a warning says so.

    >>> str(Message("warning", "the final fit did not converge"))
    'WARNING the final fit did not converge'
    """

    level: Level
    text: str

    def __str__(self) -> str:
        return f"WARNING {self.text}" if self.level == "warning" else self.text

    def under(self, name: str) -> Message:
        """Return the message with what it is about before it."""
        return Message(self.level, f"{name}: {self.text}")


def chosen(selection: Selection) -> str:
    """Return ``C = 0.316``; nothing for a head without a parameter."""
    return f"{selection.parameter} = {number(selection.value)}" if selection.parameter else ""


def number(value: float) -> str:
    """Return a value of a grid as ``0.316`` or ``1,000``."""
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}"


def p_value(pair: HeadPair) -> str:
    """Return ``= 0.307`` or ``< 0.001``, after the correction for all comparisons."""
    return f"= {pair.corrected_p:.3f}" if pair.corrected_p >= 0.001 else "< 0.001"


def plus_minus(found: Spread, *, shares: bool = True) -> str:
    """Return mean and standard deviation as ``72.1 ± 0.8 %``, or ``0.688 ± 0.012`` if it is no share of one."""
    if not shares:
        return f"{found.mean:.3f}" + (f" ± {found.std:.3f}" if found.std is not None else "")
    deviation = f" ± {100 * found.std:.1f}" if found.std is not None else ""
    return f"{100 * found.mean:.1f}{deviation} %"


def with_interval(score: Score, *, shares: bool) -> str:
    """Return a score and its interval: ``97.2 % [95.3, 98.6]``, or ``0.688 [0.61, 0.752]`` if it is no share of one.

    Where there is none, the reason stands in its place.
    """
    if shares:
        return percent(score)
    ends = score.interval
    return f"{score.value:.3g} " + (f"[{ends[0]:.3g}, {ends[1]:.3g}]" if ends else f"({TOO_FEW})")


def in_cell(score: Score, *, shares: bool) -> str:
    """Return a score and its interval for a table, a dash where there is none."""
    return with_interval(score, shares=shares).replace(f"({TOO_FEW})", NO_INTERVAL)


def value_of(score: float, *, shares: bool) -> str:
    """Return a score alone: ``97.2 %``, or ``0.688`` if it is no share of one."""
    return f"{100 * score:.1f} %" if shares else f"{score:.3f}"


def percent(score: Score) -> str:
    """Return ``97.2 % [95.3, 98.6]``."""
    ends = score.interval
    return f"{100 * score.value:.1f} % " + (f"[{100 * ends[0]:.1f}, {100 * ends[1]:.1f}]" if ends else f"({TOO_FEW})")


def span_of(found: Spread, *, shares: bool) -> str:
    """Return the interval of a mean over draws as ``[70.1, 74.0]``; nothing where there is none."""
    if found.interval is None:
        return ""
    low, high = found.interval
    return f"[{100 * low:.1f}, {100 * high:.1f}]" if shares else f"[{low:.3g}, {high:.3g}]"


def intervals_of(groups: int, kind: str) -> str:
    """Return what intervals in brackets are, of test samples in so many groups, 0 where they stand for themselves."""
    if groups:
        return f"[ ]: 95 % interval, {RESAMPLES:,} resamples of the {groups:,} groups of test samples, Student's t"
    if kind == DEFAULT:
        return "[ ]: 95 % interval over the test samples (Wilson's for proportions)"
    return f"[ ]: 95 % interval, {RESAMPLES:,} bootstrap resamples of the test samples"


def draws_note() -> str:
    """Return what ± and the interval in a table of draws are."""
    return (
        "±: standard deviation over the draws; [ ]: 95 % interval of the mean over draws and test samples, of one draw "
        "over test samples alone; smaller sets lie within the larger ones of a draw"
    )


def unit_of(curve: Curve, whole: str = "samples") -> str:
    """Return what a curve's sizes count: ``per class``, else ``whole``."""
    return f"per {NOUNS.get(curve.kind, 'name')}" if curve.per_class else whole


def selection_lines(selection: Selection, head: str = "", backbone: str = "") -> list[Message]:
    """Return how a head's parameter was chosen, and every warning about it; ``head``: its name or protocol.

    At the edge of a grid that no flag can widen, a note stands in place of the warning.
    """
    said = [_choice(selection), *_indecision(selection)] if selection.by else []
    at_edge = selection.at_edge and not _as_good_within(selection)
    edge = f"the chosen {selection.parameter} lies at the edge of its grid"
    known = f"which the protocol {head} fixes" if head in PROTOCOLS else ""
    if backbone.startswith("tfidf:") and selection.parameter == "C" and selection.value == selection.grid[-1] >= _FREE:
        known = known or "where hardly any penalty is left: a larger C makes nearly the same head"
    said += [f"{edge}, {known}"] if at_edge and known else []
    doubts = [f"{edge}; see --grid"] if at_edge and not known else []
    doubts += _doubts(selection)
    return [*(Message("note", text) for text in said), *(Message("warning", text) for text in doubts)]


def _choice(selection: Selection) -> str:
    grid = selection.grid
    given = selection.given
    among = f"{len(given)} values from {number(given[0])} to {number(given[-1])}"
    among += f" ({len(grid)} of them tried)" if selection.untried else ""
    also = f", mAP {selection.scores['map'][grid.index(selection.value)]:.3g}" if _by_another(selection) else ""
    scored = f"{_score_of(selection)}{also}"
    return (
        f"{selection.parameter} chosen among {among} {_rows_of(selection)} ({scored}); then fitted on all training rows"
    )


def _by_another(selection: Selection) -> bool:
    """Return whether heads are picked by another score, mAP, than the one by which this value was chosen."""
    return "map" in selection.scores and selection.by_score != "map"


def _indecision(selection: Selection) -> Iterator[str]:
    """Yield the least and the largest value that the rows can't tell from the best, and whether the grid ends there.

    What lies between the two is not said to be alike, nor are the two: each was held against the best alone.
    """
    low, high = (selection.alike or (selection.value,))[0], (selection.alike or (selection.value,))[-1]
    if low == high:
        return
    edges = (low == selection.given[0], high == selection.given[-1])
    first = f"{number(low)} (an edge of the grid)" if edges == (True, False) else number(low)
    last = {(True, True): " (both edges of the grid)", (False, True): " (an edge of the grid)"}.get(edges, "")
    both = f"{selection.parameter} = {first} and {number(high)}{last}"
    yield f"{both} scored about as well as the best; {chosen(selection)} was used"


def _score_of(selection: Selection) -> str:
    """Return what the chosen value scored on the held-out rows."""
    own, called = selection.shown[selection.grid.index(selection.value)], HEADINGS.get(selection.by_score, "")
    if selection.by_score in PERCENT:
        return f"{called} {100 * own:.1f} %".lstrip()
    return f"{called or selection.by_score} {own:.3g}"


def _doubts(selection: Selection) -> Iterator[str]:
    failed = selection.unconverged
    if failed:
        yield f"{failed} of the {len(selection.grid)} values it was chosen among did not converge"
    if not selection.final_converged:
        yield "the final fit did not converge"


def _as_good_within(selection: Selection) -> bool:
    """Return whether a value that is not at the grid's edge was as good as the best: no wider grid is needed.

    Of a choice by losses that is never so: a value at the edge was chosen for its loss, or as the calmest.
    """
    if selection.alike:
        return False
    best = min if selection.by_score in LEAST_IS_BEST else max
    within = selection.shown[1:-1]
    return bool(within) and best(within) == best(selection.shown)


def _rows_of(selection: Selection) -> str:
    """Return by which held-out rows a value was chosen."""
    if selection.by == "folds":
        again = f", repeated {selection.repeats} times" if selection.repeats > 1 else ""
        return f"by {selection.folds}-fold cross-validation{again}"
    if selection.by == "leave-one-out":
        return f"by leaving out each of {selection.held_out_rows:,} training rows"
    return f"on {selection.held_out_rows:,} held-out training rows"


def size(n: int) -> str:
    """Return a number of bytes as ``1.5 MB``."""
    value, units = float(n), ["B", "kB", "MB", "GB", "TB"]
    while value >= 1000 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.0f} {units[0]}" if units[0] == "B" else f"{value:.1f} {units[0]}"


class Paced(Protocol):
    """How rows go through the backbone: see ``PaceRecord``."""

    @property
    def device(self) -> str: ...

    @property
    def rows_per_second(self) -> float | None: ...

    @property
    def waiting(self) -> float | None: ...


def decoding_limit(pace: Paced, seconds: float, noun: str) -> str:
    """Say so if decoding was the limit of an extraction at this pace that took so long; else nothing.

    ``noun``: what was decoded.
    """
    speed, waiting = pace.rows_per_second, pace.waiting
    if not speed or not waiting or waiting <= _LIMIT or seconds <= _LONG:
        return ""
    if pace.device != "cpu":  # batches are on their way while it waits: nobody knows what more it could take
        return f"decoding is the limit: {speed:,.0f} {noun}s/s decoded"
    possible = f"{speed / (1 - waiting):,.0f}" if waiting < 1 else "any number of"
    decoded = f"{speed / waiting:,.0f}"  # by turns with the backbone
    return f"decoding is the limit: {decoded} {noun}s/s decoded, {possible} {noun}s/s the backbone could take"
