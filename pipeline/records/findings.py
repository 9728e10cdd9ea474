"""What is wrong with a dataset, by the samples' names, and the memory of it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from frostline.pipeline.records.validated import validated
from frostline.stages.diagnostics import Copies, NearDuplicates, Shift
from frostline.stages.errors import StoreError
from frostline.stages.metrics import Score
from frostline.stages.records.safe_read import read_sealed
from frostline.stages.records.sealed import digest, sealed
from frostline.stages.store import Bad, make_folder, write_atomic
from frostline.stages.targets.base import DEFAULT

log = logging.getLogger("frostline")


@dataclass(frozen=True)
class Outlier:
    """A sample whose features are of an outlying length: ``z`` deviations from the median."""

    id: str
    z: float


@dataclass(frozen=True)
class Issue:
    """A training label that is worth a second look: ``chance`` is its calibrated probability, out of fold.

    Of several labels ``given`` and ``suggested`` are such as ``smiling: yes`` and ``smiling: no``.
    """

    id: str
    given: str
    suggested: str
    chance: float


@dataclass(frozen=True)
class OddValue:
    """A training value that is worth a second look: ``z`` robust deviations from what was ``expected`` out of fold."""

    id: str
    output: str
    given: float
    expected: float
    z: float


@dataclass(frozen=True)
class Leak:
    """Test samples that are in train, as copies or near duplicates, and the accuracy with and without them.

    ``rows``: their names. The head is a logistic regression with one C, fitted on all of train, or for numbers a ridge;
    ``accuracy``: of other kinds than single labels the main score. ``without`` is None where no test sample is left.
    """

    rows: tuple[str, ...]
    accuracy: Score
    without: Score | None


@dataclass(frozen=True)
class Findings:
    """All that is found. ``rows``: of finite features, by split; ``width``: features of each.

    ``rows_by_class``: training samples of each class, or with each label; ``kind``: of target. ``issues_expected``: how
    many ``label_issues`` there would be if every label were right, and ``agreement``: the share of labels that the head
    which judges would have given, too; None of numbers. ``odd_values``: of numbers, those beyond ``limit`` robust
    deviations.
    """

    dataset: str
    backbone: str
    rows: dict[str, int]
    width: int
    quarantined: dict[str, tuple[Bad, ...]]
    not_finite: dict[str, tuple[str, ...]]
    dead_dimensions: tuple[int, ...]
    constant_dimensions: tuple[int, ...]
    outlying_lengths: dict[str, tuple[Outlier, ...]]
    copies: tuple[Copies, ...]
    near_duplicates: NearDuplicates
    rows_by_class: dict[str, int]
    label_issues: tuple[Issue, ...]
    issues_expected: float | None
    agreement: float | None
    shift: Shift | None
    leak: Leak
    kind: str = DEFAULT
    odd_values: tuple[OddValue, ...] = ()
    limit: float | None = None


def memory(root: Path, known: Sequence[str], seed: int) -> Path:
    """Return the file of a workspace that remembers the findings on features and targets of these digests."""
    return root / "health" / f"{digest([*known, seed, version('frostline')])[:16]}.json"


def read_findings(path: Path) -> Findings | None:
    """Return the findings that a file remembers; None if it is not there or not sound."""
    try:
        return validated(Findings, read_sealed(path))
    except (OSError, ValueError):
        return None


def write_findings(path: Path, found: Findings) -> None:
    """Keep findings in a file; where that can't be, it is said."""
    try:
        make_folder(path.parent)
        write_atomic(path, sealed(asdict(found)))
    except StoreError as error:
        log.warning("the findings are not remembered: %s", error)
