"""Heads beside each other: scores, and how far each is from the one that all are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from frostline.pipeline.records.headline import of_the_best
from frostline.pipeline.report import wording
from frostline.pipeline.report.html import formatting, plots
from frostline.pipeline.report.html.record import Scored
from frostline.pipeline.report.html.score_names import score_names, side_by_side
from frostline.pipeline.report.verdicts import TOLD_APART, ahead, corrected
from frostline.stages.metrics.compare import Comparison, HeadPair, RankedHead, compare
from frostline.stages.targets.base import DEFAULT
from frostline.stages.targets.registry import TARGETS


@dataclass(frozen=True)
class Compared:
    """What heads are compared with: by default the best on the test samples, else a head that was picked before.

    ``chosen_here``: it was picked by test samples, too; ``all_pairs``: every two are compared.
    """

    reference: str | None = None
    chosen_here: bool = False
    all_pairs: bool = False


@dataclass(frozen=True)
class RankingRow:
    """One head: its rank, None without one, those it can't be told from, and each score with its interval.

    ``first``: the others are compared with it.
    """

    rank: str | None
    tied: tuple[str, ...]
    name: str
    value: str
    cells: tuple[tuple[str, str], ...]
    first: bool


@dataclass(frozen=True)
class Duel:
    """Two heads: how their main scores differ, and the numbers of samples that ``only`` one gets right.

    ``better``: the one that is significantly better, if one is. ``seen``: the difference that would have been seen with
    80 % probability.
    """

    first: str
    second: str
    difference: str
    interval: str
    only: tuple[int, int]
    p: str
    better: str
    seen: str

    @property
    def significant(self) -> bool:
        """Whether one is better."""
        return bool(self.better)

    def other(self, name: str) -> str:
        """Return the head that one of the two is compared with."""
        return self.second if name == self.first else self.first

    def told(self, name: str) -> str:
        """Return whether the other is significantly ``better`` or ``worse`` than one of the two; empty for neither."""
        if not self.better:
            return ""
        return "worse" if name == self.better else "better"


@dataclass(frozen=True)
class Ranking:
    """The heads by score. ``problem``: why they are not compared.

    ``tied``: how to read the mark of those that can't be told from the ``reference``, where one can't.
    ``among``: how many heads the band in the figure allows for a choice of. ``compared``: samples.
    ``each``: pairs are of the reference with each other head. ``test``: whose p is corrected, which ``counts`` samples
    that only one head gets right, or not; ``corrected``: for what; ``difference``: what a pair's difference is in,
    ``in_points`` of per cent or not.
    """

    columns: tuple[str, ...]
    rows: tuple[RankingRow, ...]
    tied: str
    figure: Markup
    among: int
    problem: str
    pairs: tuple[Duel, ...]
    compared: int
    reference: str
    each: bool
    corrected: str
    test: str
    counts: bool
    difference: str
    in_points: bool


def ranking(
    scored: Sequence[Scored],
    names: Sequence[str] = (),
    how: Compared | None = None,
    found: Comparison | None = None,
    among: int = 1,
) -> Ranking:
    """Return a table and a chart of the heads, by score; comparing them needs every head's answers.

    ``found``: their comparison under the same names, if it was made already. ``among``: how many heads the first is
    the best of on the test samples; 1 if it was picked without them.
    Raises DataError if the answers are those of other samples.
    """
    names = names or [one.name for one in scored]
    answers = [one.answers for one in scored]
    if found is None and None not in answers:
        found = compare([one for one in answers if one is not None], names, **vars(how or Compared()))
    by_name = dict(zip(names, scored, strict=True))
    order = [place.name for place in found.ranks] if found else sorted(names, key=lambda n: -by_name[n].main)
    places = {place.name: place for place in found.ranks} if found else {}
    kind, titles = scored[0].evaluation.kind, score_names(scored[0].evaluation.kind)
    columns = [name for name in side_by_side(kind) if any(name in one.evaluation.scores for one in scored)]
    counts = kind == DEFAULT and not any(one.evaluation.groups for one in scored)
    target = TARGETS.load(kind)
    return Ranking(
        columns=tuple(titles[name][0] for name in columns),
        rows=tuple(_row(name, by_name[name], places.get(name), found, columns) for name in order),
        tied=TOLD_APART.format(found.reference) if found and places[found.reference].tied else "",
        figure=_figure([by_name[name] for name in order], order, found, among),
        among=among,
        problem="" if found else next(one.problem for one in scored if one.problem),
        pairs=_duels(found, order, shares=target.as_shares) if found else (),
        compared=found.rows if found else 0,
        reference=found.reference if found else "",
        each=found is not None and all(found.reference in (pair.first, pair.second) for pair in found.pairs),
        corrected=corrected(found) if found else "",
        test="McNemar’s mid-p value" if counts else "the p-value of a paired bootstrap",
        counts=counts,
        difference=f"Difference in {target.table[target.main]}{', points' if target.as_shares else ''}",
        in_points=target.as_shares,
    )


def _figure(scored: Sequence[Scored], names: Sequence[str], found: Comparison | None, among: int) -> Markup:
    target = TARGETS.load(scored[0].evaluation.kind)
    scores = [one.evaluation.scores[target.main] for one in scored]
    marks = [_mark(name, found) if found else "" for name in names]
    first = marks.index("first") if "first" in marks else 0
    band = of_the_best(scored[first].evaluation, among) if among > 1 else scores[first]
    return plots.main_scores(names, scores, target.table[target.main], marks, band, shares=target.as_shares)


def _mark(name: str, found: Comparison) -> str:
    """Return whether a head is the ``first``, which all are compared with, or ``apart`` from it."""
    if name == found.reference:
        return "first"
    both = {name, found.reference}
    return "apart" if any(pair.significant and {pair.first, pair.second} == both for pair in found.pairs) else ""


def _row(
    name: str, one: Scored, place: RankedHead | None, found: Comparison | None, columns: Sequence[str]
) -> RankingRow:
    scores = one.evaluation.scores
    first = found.reference if found else ""
    tied = place is not None and (bool(place.tied) if name == first else first in place.tied)
    return RankingRow(
        rank=wording.place(place.rank, tied=tied) if place else None,
        tied=place.tied if place else (),
        name=name,
        value=wording.chosen(one.selection),
        cells=tuple(formatting.valued(n, scores[n]) if n in scores else ("–", "") for n in columns),
        first=name == first,
    )


def _duels(found: Comparison, order: Sequence[str], *, shares: bool) -> tuple[Duel, ...]:
    """Return the pairs by rank, each with the reference or its better-ranked member first."""
    place = {name: -1 if name == found.reference else i for i, name in enumerate(order)}
    pairs = [pair.turned if place[pair.first] > place[pair.second] else pair for pair in found.pairs]
    pairs.sort(key=lambda pair: (place[pair.first], place[pair.second]))
    return tuple(_duel(pair, shares=shares) for pair in pairs)


def _duel(pair: HeadPair, *, shares: bool) -> Duel:
    difference, interval = ahead(pair, pair.first, shares=shares).split(" ", 1)
    return Duel(
        first=pair.first,
        second=pair.second,
        difference=formatting.minus(difference if float(difference) else difference.lstrip("-")),
        interval=formatting.minus(interval),
        only=(pair.first_only, pair.second_only),
        p=wording.p_value(pair).removeprefix("= "),
        better=(pair.first if pair.difference > 0 else pair.second) if pair.significant else "",
        seen=f"{100 * pair.detectable:.1f}" if shares else f"{pair.detectable:.3f}",
    )
