"""The leaderboard: what a matrix found, as records, and as tables of text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from pipeline.matrix import Name
from pipeline.report import Curve, percent, plus_minus, size
from stages.errors import counted
from stages.metrics import RESAMPLES, Score
from stages.transferability import Agreement

NAMES = tuple(field.name for field in fields(Name))


@dataclass(frozen=True)
class Costs:
    """What features cost.

    ``parameters``: of the network up to the layer, None if that can't be told. ``images_per_second`` and
    ``extract_seconds``: of all splits and views, as when they were last computed; None if that is lost. ``bytes``: on
    disk.
    """

    parameters: int | None
    images_per_second: float | None
    extract_seconds: float | None
    bytes: int


@dataclass(frozen=True)
class Entry:
    """One scored cell.

    ``cut``: the layer by its name in the network. ``value``: the parameter chosen, as ``C = 0.1``. ``costs``: of its
    features; ``fit_seconds``: choosing the parameter included. ``rank``: one more than the entries of the
    dataset that are significantly better; None if there is nothing to compare with. ``tied``: with these.
    """

    name: Name
    cut: str
    value: str
    accuracy: Score
    macro_f1: Score
    width: int
    costs: Costs
    fit_seconds: float
    rank: int | None = None
    tied: tuple[str, ...] = ()


@dataclass(frozen=True)
class CurveEntry:
    """One cell over draws of the training rows."""

    name: Name
    curve: Curve


@dataclass(frozen=True)
class Failure:
    """A cell that failed, and why; ``exit_code`` is its error's."""

    name: Name
    reason: str
    exit_code: int


@dataclass(frozen=True)
class MeanRank:
    """A backbone's layer and head over the datasets: its rank in each, and their mean."""

    backbone: str
    layer: str
    head: str
    ranks: tuple[int, ...]
    mean: float


@dataclass(frozen=True)
class Predicted:
    """How well a score without a fit orders a dataset's backbones: with one head's accuracies."""

    dataset: str
    score: str
    head: str
    agreement: Agreement


@dataclass(frozen=True)
class Leaderboard:
    """All that a bench found.

    ``pending``: the cells still to run; with any, there are no ranks yet. ``computed``: rows that went through a
    backbone this time, in ``seconds`` all in all.
    """

    name: str
    folder: Path
    entries: tuple[Entry, ...]
    curves: tuple[CurveEntry, ...]
    failures: tuple[Failure, ...]
    pending: tuple[Name, ...]
    mean_ranks: tuple[MeanRank, ...]
    predicted: tuple[Predicted, ...]
    quarantined: int
    computed: int
    fitted: int
    seconds: float
    made: str


@dataclass(frozen=True)
class Table:
    """Rows of text under a heading; ``align`` has < or > for each column."""

    title: str
    columns: tuple[str, ...]
    align: str
    rows: tuple[tuple[str, ...], ...]


def mean_ranks(entries: Sequence[Entry]) -> tuple[MeanRank, ...]:
    """Return the mean rank over datasets, the best first, of what has a rank on every one of two or more."""
    datasets = dict.fromkeys(entry.name.dataset for entry in entries)
    ranks: dict[tuple[str, str, str], list[int]] = {}
    for entry in entries:
        if entry.rank is not None:
            ranks.setdefault(entry.name.within, []).append(entry.rank)
    whole = {names: r for names, r in ranks.items() if len(r) == len(datasets) > 1}
    found = [MeanRank(*names, tuple(r), sum(r) / len(r)) for names, r in whole.items()]
    return tuple(sorted(found, key=lambda one: one.mean))


def tables(board: Leaderboard) -> list[Table]:
    """Return the leaderboard's tables, those without rows left out."""
    datasets = dict.fromkeys(entry.name.dataset for entry in board.entries)
    found = [
        *(_scores(name, [entry for entry in board.entries if entry.name.dataset == name]) for name in datasets),
        _mean_ranks(board.mean_ranks),
        _curves(board.curves),
        _predicted(board.predicted),
        _failures(board.failures),
        Table("Still to run", NAMES, "<<<<", tuple(astuple(name) for name in board.pending)),
    ]
    return [table for table in found if table.rows]


def _scores(dataset: str, entries: Sequence[Entry]) -> Table:
    columns = ("rank", "backbone", "layer", "head", "chosen", "accuracy", "macro-F1", "width", "parameters")
    costs = ("images/s", "extraction", "fit", "disk")
    shared = Counter(entry.rank for entry in entries)
    return Table(dataset, columns + costs, "><<<<>>>>>>>>", tuple(_score(entry, shared) for entry in entries))


def _score(entry: Entry, shared: Counter[int | None]) -> tuple[str, ...]:
    rank = "" if entry.rank is None else f"{entry.rank}{'=' if shared[entry.rank] > 1 else ''}"
    scores = percent(entry.accuracy), percent(entry.macro_f1)
    speed, seconds = _number(entry.costs.images_per_second), _number(entry.costs.extract_seconds, " s")
    costs = (_number(entry.costs.parameters), speed, seconds, f"{entry.fit_seconds:,.1f} s", size(entry.costs.bytes))
    return (rank, entry.name.backbone, entry.cut, entry.name.head, entry.value, *scores, f"{entry.width:,}", *costs)


def _number(value: float | None, unit: str = "") -> str:
    return "" if value is None else f"{value:,.0f}{unit}"


def _mean_ranks(found: Iterable[MeanRank]) -> Table:
    rows = [(f"{m.mean:.1f}", m.backbone, m.layer, m.head, ", ".join(map(str, m.ranks))) for m in found]
    return Table("Mean rank over the datasets", ("mean", "backbone", "layer", "head", "ranks"), "><<<<", tuple(rows))


def _curves(found: Iterable[CurveEntry]) -> Table:
    columns = ("dataset", "backbone", "layer", "head", "training data", "draws", "accuracy")
    rows = [
        (*astuple(one.name), f"{point.size:,} {unit_of(one.curve)}", str(len(point.accuracy)), plus_minus(point.spread))
        for one in found
        for point in one.curve.points
    ]
    return Table("Little training data", columns, "<<<<>>>", tuple(rows))


def unit_of(curve: Curve) -> str:
    """Return what a curve's sizes count."""
    return "per class" if curve.unit == "shots" else "samples"


def _predicted(found: Iterable[Predicted]) -> Table:
    rows = [
        (p.dataset, p.score, p.head, str(p.agreement.n), f"{p.agreement.kendall:.2f}", f"{p.agreement.spearman:.2f}")
        for p in found
    ]
    columns = ("dataset", "score", "accuracy of", "backbones", "Kendall's τ", "Spearman's ρ")
    return Table("Scores without a fit against measured accuracy", columns, "<<<>>>", tuple(rows))


def _failures(found: Iterable[Failure]) -> Table:
    return Table("Failed", (*NAMES, "reason"), "<<<<<", tuple((*astuple(one.name), one.reason) for one in found))


def notes(board: Leaderboard) -> list[str]:
    """Return how to read the tables, and what this run did."""
    lines = []
    if board.pending:
        lines.append(
            f"INCOMPLETE: {counted(len(board.pending), 'cell')} still to run; `frostline bench` with the same file "
            "goes on from here, and ranks come with the last cell"
        )
    if board.entries:
        lines += [
            f"[ ]: 95 % interval, {RESAMPLES:,} bootstrap resamples of the test samples",
            "rank: one more than the number of entries of the dataset that are significantly better (McNemar's mid-p "
            "test on the same test samples, 0.05 after Holm's correction for all pairs); =: shared",
            "parameters: those that the features depend on; extraction: of all splits and views, when last computed; "
            "fit: the choice of the parameter included; disk: of the features, which a layer's heads share",
        ]
    if board.curves:
        lines.append("±: standard deviation over the draws; smaller sets lie within the larger ones of a draw")
    if board.predicted:
        lines.append("scores without a fit: of up to 2,000 training samples; an entry per backbone and layer")
    if board.quarantined:
        lines.append(f"{counted(board.quarantined, 'sample')} quarantined and left out")
    did = f"{board.computed:,} features computed, {counted(board.fitted, 'head')} fitted"
    return [*lines, f"this time: {did}, {board.seconds:,.0f} s in all; the rest came from the cache"]
