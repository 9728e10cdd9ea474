"""The leaderboard in words: a sentence for each dataset, tables of text, and how to read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple

from frostline.pipeline.bench.leaderboard import (
    NAMES,
    CurveEntry,
    DatasetComparison,
    Failure,
    Leaderboard,
    LeaderboardEntry,
    MeanRank,
)
from frostline.pipeline.bench.matrix import DEFAULT_LAYER, Name
from frostline.pipeline.records.run import called
from frostline.pipeline.report.table import Table
from frostline.pipeline.report.verdicts import TOLD_APART, ahead, uncovered, uncovered_over_draws
from frostline.pipeline.report.wording import (
    draws_note,
    intervals_of,
    listed,
    p_value,
    percent,
    place,
    plus_minus,
    size,
    span_of,
    unit_of,
    value_of,
    with_interval,
)
from frostline.stages.diagnostics.transferability import FEW
from frostline.stages.errors import counted
from frostline.stages.metrics import Score
from frostline.stages.targets.base import DEFAULT, Target
from frostline.stages.targets.registry import TARGETS

BEHIND = "behind the best"


def answers(board: Leaderboard) -> list[str]:
    """Return a sentence per dataset: which entry is best, its interval, and what it can't be told from."""
    datasets = dict.fromkeys(entry.name.dataset for entry in board.entries)
    compared = {one.dataset: one for one in board.comparisons}
    return [_answer([e for e in board.entries if e.name.dataset == name], compared.get(name)) for name in datasets]


def _answer(entries: Sequence[LeaderboardEntry], found: DatasetComparison | None) -> str:
    best = max(entries, key=lambda entry: entry.main.value)
    if found is None:
        return f"{_reached(best, best.main)}, the best so far, or of the cells that could be scored."
    first = next(entry for entry in entries if " ".join(entry.name.within) == found.best)
    ties = [_called(entry.name) for entry in entries if " ".join(entry.name.within) in first.tied]
    said = f"{_reached(first, found.score)}; the interval accounts for choosing the best of {len(entries)}"
    if ties:
        return f"{said}. With these {found.rows:,} samples it is not distinguishable from {listed(ties)}."
    return f"{said}. It is better than all others beyond chance."


def _reached(entry: LeaderboardEntry, score: Score) -> str:
    whose = f"{entry.name.dataset}: {_called(entry.name)}"
    if entry.kind == DEFAULT:
        return f"{whose} is right for {percent(score)} of the test samples"
    return f"{whose} reaches {_heading(entry.target)} {with_interval(score, shares=entry.target.as_shares)}"


def _heading(target: Target) -> str:
    return target.table[target.main]


def _called(name: Name) -> str:
    layer = "" if name.layer == DEFAULT_LAYER else f", layer {name.layer}"
    return called(name.head, name.backbone) + layer


def tables(board: Leaderboard) -> list[Table]:
    """Return the leaderboard's tables, those without rows left out."""
    names, compared = dict.fromkeys(e.name.dataset for e in board.entries), {c.dataset: c for c in board.comparisons}
    datasets = {name: [entry for entry in board.entries if entry.name.dataset == name] for name in names}
    found = [
        *(_scores(name, own, compared.get(name)) for name, own in datasets.items()),
        *(_pairs(one, datasets[one.dataset]) for one in board.comparisons),
        _mean_ranks(board),
        *(_curves(kind, [c for c in board.curves if c.curve.kind == kind]) for kind in _kinds(board)),
        _predicted(board),
        _failures(board.failures),
        Table("Not run yet", NAMES, "<<<<", tuple(astuple(name) for name in board.pending)),
    ]
    return [table for table in found if table.rows]


def _kinds(board: Leaderboard) -> Iterable[str]:
    return dict.fromkeys(one.curve.kind for one in board.curves)


def _scores(dataset: str, entries: Sequence[LeaderboardEntry], found: DatasetComparison | None) -> Table:
    main, *others = (entries[0].target.table[name] for name in entries[0].scores)
    columns = ("rank", "backbone", "layer", "head", main, BEHIND, "chosen", *others, "width", "parameters")
    costs = ("samples/s", "extraction", "fit", "disk")
    rows = tuple(_score(entry, found) for entry in entries)
    align = "><<<>><" + ">" * (len(others) + 6)
    note = (
        TOLD_APART.format(_called_within(found.best, entries)) if any("=" in row[0] for row in rows) and found else ""
    )
    return Table(dataset, columns + costs, align, rows, note)


def _called_within(name: str, entries: Sequence[LeaderboardEntry]) -> str:
    return next(_called(entry.name) for entry in entries if " ".join(entry.name.within) == name)


def _score(entry: LeaderboardEntry, found: DatasetComparison | None) -> tuple[str, ...]:
    own, best = " ".join(entry.name.within), found.best if found else ""
    tied = bool(entry.tied) if own == best else best in entry.tied
    rank = "" if entry.rank is None else place(entry.rank, tied=tied)
    main, *others = (with_interval(score, shares=entry.target.as_shares) for score in entry.scores.values())
    speed, seconds = _number(entry.costs.images_per_second), _number(entry.costs.extract_seconds, " s")
    costs = (_number(entry.costs.parameters), speed, seconds, f"{entry.fit_seconds:,.1f} s", size(entry.costs.bytes))
    behind = _behind(own, found, shares=entry.target.as_shares)
    return (rank, *entry.name.within, main, behind, entry.value, *others, f"{entry.width:,}", *costs)


def _behind(name: str, found: DatasetComparison | None, *, shares: bool) -> str:
    """Return how far the best is ahead of an entry, with its interval."""
    pairs = [one for one in found.pairs if {one.first, one.second} == {name, found.best}] if found else []
    return ahead(pairs[0], found.best, shares=shares) if pairs and found else ""


def _pairs(found: DatasetComparison, entries: Sequence[LeaderboardEntry]) -> Table:
    """Return every two entries, where all pairs were compared."""
    columns = ("first", "second", "difference", "p", "beyond chance", "seen with 80 %")
    shares = entries[0].target.as_shares
    rows = tuple(
        (
            *(_called_within(name, entries) for name in (one.first, one.second)),
            ahead(one, one.first, shares=shares),
            p_value(one).removeprefix("= "),
            "yes" if one.significant else "not distinguishable",
            f"{100 * one.detectable:.1f}" if shares else f"{one.detectable:.3f}",
        )
        for one in found.pairs
    )
    note = (
        f"Intervals and p are corrected for {found.comparisons:,} comparisons. Seen with 80 %: a difference as large "
        "as that would have been found in 80 of 100 such tests."
    )
    return Table(f"All pairs on {found.dataset}", columns, "<<>><>", rows if len(rows) >= len(entries) else (), note)


def _number(value: float | None, unit: str = "") -> str:
    return "" if value is None else f"{value:,.0f}{unit}"


def _mean_ranks(board: Leaderboard) -> Table:
    targets = {entry.kind: entry.target for entry in board.entries}
    score = _heading(next(iter(targets.values()))) if len(targets) == 1 else "score"
    shares = all(target.as_shares for target in targets.values())
    columns = ("mean", "backbone", "layer", "head", f"mean {score}", "ranks")
    rows = [
        (f"{m.mean:.1f}", m.backbone, m.layer, m.head, _mean_score(m, shares=shares), ", ".join(map(str, m.ranks)))
        for m in board.mean_ranks
    ]
    return Table("Mean rank across datasets", columns, "><<<><", tuple(rows))


def _mean_score(found: MeanRank, *, shares: bool) -> str:
    return "" if found.accuracy is None else value_of(found.accuracy, shares=shares)


def _curves(kind: str, found: Iterable[CurveEntry]) -> Table:
    target = TARGETS.load(kind)
    columns = ("dataset", "backbone", "layer", "head", "training data", "draws", _heading(target), "[ ]")
    curves = tuple(found)
    rows = [
        (*astuple(one.name), f"{point.size:,} {unit_of(one.curve)}", str(len(point.accuracy)), *shown)
        for one in curves
        for point in one.curve.points
        for shown in ([as_text(point.spread, shares=target.as_shares) for as_text in (plus_minus, span_of)],)
    ]
    title = "Small training sets" if kind == DEFAULT else f"Small training sets, {kind}"
    return Table(title, columns, "<<<<>>>>", tuple(rows), f"{uncovered_over_draws(one.curve for one in curves)}.")


def _predicted(board: Leaderboard) -> Table:
    rows = [
        (p.dataset, p.score, p.head, _few(p.agreement.n), f"{p.agreement.kendall:.2f}", f"{p.agreement.spearman:.2f}")
        for p in board.predicted
    ]
    score = "accuracy" if {entry.kind for entry in board.entries} == {DEFAULT} else "score"
    columns = ("dataset", "score", f"{score} of", "backbones", "Kendall's τ", "Spearman's ρ")
    return Table(f"Transferability scores compared with measured {score}", columns, "<<<>>>", tuple(rows))


def _few(n: int) -> str:
    return f"{n} only" if n < FEW else str(n)


def _failures(found: Iterable[Failure]) -> Table:
    """Return a row for all cells that fail for one reason, as far as they are every combination of some names."""
    rows = [(*astuple(one.name), one.reason) for one in found]
    for column in reversed(range(len(NAMES))):
        rows = _joined(rows, column)
    return Table("Failed", (*NAMES, "reason"), "<<<<<", tuple(rows))


def _joined(rows: Iterable[tuple[str, ...]], column: int) -> list[tuple[str, ...]]:
    """Return the rows, those that differ in one column alone made one."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        alike.setdefault(row[:column] + row[column + 1 :], []).append(row[column])
    return [(*row[:column], ", ".join(dict.fromkeys(names)), *row[column:]) for row, names in alike.items()]


def notes(board: Leaderboard) -> list[str]:
    """Return how to read the tables, and what this run did."""
    lines = []
    if board.pending:
        lines.append(
            f"INCOMPLETE: {counted(len(board.pending), 'cell')} not run yet; run `frostline bench` with the same file "
            "to continue. Ranks are shown when all cells are done"
        )
    if board.entries:
        lines += [
            *(
                f"{intervals_of(0, kind)}, for each entry separately{_or_groups(own)}"
                for kind, own in _by_kind(board.entries)
            ),
            "rank: order of the scores; =: the best and the heads not distinguishable from it "
            f"({_test(board.entries)}, 0.05 after Holm's correction); behind the best: difference and interval; both "
            "are corrected for all pairs, because the best was picked on these samples",
            _uncovered(board),
            *_cuts(board.entries),
            "parameters: of the part of the network that makes the features; extraction: time for all splits and "
            "views when last computed; fit: including the choice of the hyperparameter; disk: size of the features, "
            "shared by a layer's heads",
        ]
    if board.curves:
        lines.append(draws_note())
    if board.predicted:
        lines.append("transferability scores: on up to 2,000 training samples; one entry per backbone and layer")
        if any(p.agreement.n < FEW for p in board.predicted):
            lines.append(f"with fewer than {FEW} entries, even a perfect order can be chance")
    if board.quarantined:
        lines.append(f"{counted(board.quarantined, 'sample')} quarantined and left out")
    did = f"{board.computed:,} features computed, {counted(board.fitted, 'head')} fitted"
    return [*lines, f"this time: {did}, {board.seconds:,.0f} s in total; the rest came from the cache"]


def _uncovered(board: Leaderboard) -> str:
    """Return what the intervals of entries don't cover; those of curves are of other things, as their table says."""
    said = uncovered(grouped=any(entry.groups for entry in board.entries))
    return f"scores of heads fitted on all training samples: {said[0].lower()}{said[1:]}" if board.curves else said


def _by_kind(entries: Sequence[LeaderboardEntry]) -> Iterable[tuple[str, list[LeaderboardEntry]]]:
    return [(kind, [one for one in entries if one.kind == kind]) for kind in dict.fromkeys(e.kind for e in entries)]


def _or_groups(entries: Iterable[LeaderboardEntry]) -> str:
    return ", resampling groups if there are any" if any(entry.groups for entry in entries) else ""


def _test(entries: Iterable[LeaderboardEntry]) -> str:
    """Return by which tests entries are ranked."""
    plain = {entry.kind == DEFAULT and not entry.groups for entry in entries}
    tests = {True: "McNemar's mid-p test on the same test samples", False: "the paired bootstrap on the same resamples"}
    if len(plain) == 1:
        return tests[plain.pop()]
    return f"{tests[True]} for single labels without groups, else {tests[False]}"


def _cuts(entries: Iterable[LeaderboardEntry]) -> list[str]:
    """Return which layer of each network is the default one."""
    cuts = dict.fromkeys(f"{e.cut} of {e.name.backbone}" for e in entries if e.name.layer == DEFAULT_LAYER)
    return [f"layer default: {', '.join(cuts)}"] if cuts else []
