"""The leaderboard: what a matrix found, as records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import fmean

from frostline.pipeline.bench.matrix import Name
from frostline.pipeline.records.curve import Curve
from frostline.stages.diagnostics.transferability import RankAgreement
from frostline.stages.metrics import Score
from frostline.stages.metrics.compare import HeadPair
from frostline.stages.targets.base import DEFAULT, Target
from frostline.stages.targets.registry import TARGETS

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
class LeaderboardEntry:
    """One scored cell.

    ``cut``: the layer by its name in the network. ``value``: the parameter chosen, as ``C = 0.1``. ``scores``: those
    that tables show of its ``kind`` of target, the main one first. ``costs``: of its
    features; ``fit_seconds``: choosing the parameter included. ``rank``: its place among the entries of the
    dataset by the main score; None if there is nothing to compare with. ``tied``: those compared with it that it can't
    be told from.
    ``groups``: how many the test samples are of; 0 where they stand for themselves.
    """

    name: Name
    cut: str
    value: str
    scores: dict[str, Score]
    width: int
    costs: Costs
    fit_seconds: float
    rank: int | None = None
    tied: tuple[str, ...] = ()
    kind: str = DEFAULT
    groups: int = 0

    @property
    def main(self) -> Score:
        """The score by which entries are ordered."""
        return next(iter(self.scores.values()))

    @property
    def target(self) -> Target:
        """The kind of target."""
        return TARGETS.load(self.kind)


@dataclass(frozen=True)
class DatasetComparison:
    """How the entries of a dataset were compared, by their names within it, on ``rows`` test samples.

    ``best``: which was compared with each other one; ``score``: its own, the interval allowing for the choice among
    all. ``comparisons``: how many p-values and intervals of ``pairs`` are corrected for.
    """

    dataset: str
    best: str
    rows: int
    comparisons: int
    score: Score
    pairs: tuple[HeadPair, ...]


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
    """A backbone's layer and head over the datasets: its rank in each, their mean, and that of its main scores.

    ``accuracy``: that mean; None where the datasets' kinds of targets, and with them their scores, differ.
    """

    backbone: str
    layer: str
    head: str
    ranks: tuple[int, ...]
    mean: float
    accuracy: float | None


@dataclass(frozen=True)
class ScoreAgreement:
    """How well a score without a fit orders a dataset's backbones: with one head's accuracies."""

    dataset: str
    score: str
    head: str
    agreement: RankAgreement


@dataclass(frozen=True)
class Leaderboard:
    """All that a bench found; ``comparisons``: of each dataset with two entries or more.

    ``pending``: the cells still to run; with any, there are no ranks yet. ``computed``: rows that went through a
    backbone this time, in ``seconds`` all in all.
    """

    name: str
    folder: Path
    entries: tuple[LeaderboardEntry, ...]
    curves: tuple[CurveEntry, ...]
    failures: tuple[Failure, ...]
    pending: tuple[Name, ...]
    mean_ranks: tuple[MeanRank, ...]
    predicted: tuple[ScoreAgreement, ...]
    quarantined: int
    computed: int
    fitted: int
    seconds: float
    made: str
    comparisons: tuple[DatasetComparison, ...] = ()


def mean_ranks(entries: Sequence[LeaderboardEntry]) -> tuple[MeanRank, ...]:
    """Return the mean rank over datasets, the best first, of what has a rank on every one of two or more."""
    datasets = dict.fromkeys(entry.name.dataset for entry in entries)
    alike = len({entry.kind for entry in entries}) == 1
    found: dict[tuple[str, str, str], list[tuple[int, float]]] = {}
    for entry in entries:
        if entry.rank is not None:
            found.setdefault(entry.name.within, []).append((entry.rank, entry.main.value))
    whole = {names: tuple(zip(*r, strict=True)) for names, r in found.items() if len(r) == len(datasets) > 1}
    means = [
        MeanRank(*names, ranks, fmean(ranks), fmean(scores) if alike else None)
        for names, (ranks, scores) in whole.items()
    ]
    return tuple(sorted(means, key=lambda one: (one.mean, -(one.accuracy or 0))))
