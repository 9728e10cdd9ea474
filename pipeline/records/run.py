"""The Report: what a run did and found, as records and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

from frostline.pipeline.records.curve import Curve
from frostline.pipeline.records.run_record import FeaturesRecord, HeadRecord, ProbeRecord, RunRecord, SplitRows
from frostline.stages.buckets.cache import named
from frostline.stages.datasets import Duplicates
from frostline.stages.errors import MissingResult, counted
from frostline.stages.evaluate import Evaluation
from frostline.stages.fit.selection import Selection
from frostline.stages.heads import Head
from frostline.stages.metrics import Predictions, Score
from frostline.stages.metrics.compare import Comparison
from frostline.stages.records.sealed import sealed
from frostline.stages.store import Bad, plain
from frostline.stages.store.key import FeatureKey
from frostline.stages.targets.base import DEFAULT
from frostline.stages.targets.registry import TARGETS, main_score

PAGE = "report.html"


def predictions_name(backbone: str, head: str) -> str:
    """Return the name of the file that holds what a head says of every test sample."""
    return f"predictions-{plain(backbone)}-{plain(head)}.csv"


def called(head: str, backbone: str) -> str:
    """Return ``logreg on resnet50``."""
    return f"{head} on {backbone}"


@dataclass(frozen=True, repr=False)
class Extracted:
    """One feature set. ``computed``: rows that went through the backbone, now, in ``seconds``.

    ``pace``: how rows were computed when that was last done, as JSON values. ``licence``: of the backbone's weights,
    where its family says it.
    """

    split: str
    key: FeatureKey
    folder: Path
    rows: int
    width: int
    quarantined: tuple[Bad, ...]
    computed: int
    seconds: float
    pace: Mapping[str, Any]
    licence: str = ""

    def __repr__(self) -> str:
        computed = f", {self.computed:,} computed" if self.computed else ""
        return (
            f"<Extracted {self.split}: {self.rows:,} × {self.width:,} of {self.key.backbone.name}{computed}, in "
            f"{named(self.folder)}>"
        )


@dataclass(frozen=True, eq=False, repr=False)
class Fitted:
    """A head, where it lies, and the record of its selection.

    ``quarantined``: how many training samples were left out. ``cached``: it was there already.
    """

    head: Head
    folder: Path
    selection: Selection
    quarantined: int
    seconds: float
    cached: bool

    def __repr__(self) -> str:
        chosen = f"{self.selection.parameter}={self.selection.value:g}, " if self.selection.parameter else ""
        what = f"{self.head.width:,} features, {counted(len(self.head.classes), 'name')}"
        return f"<Fitted {chosen}{what}, in {named(self.folder)}>"


@dataclass(frozen=True, eq=False, repr=False)
class Probe:
    """One head on one backbone's features: fitted on all training rows and scored, or its curve over draws of them.

    ``accuracy``, ``main_score`` and ``scores`` are on the test samples, each with its 95 % interval; they raise
    MissingResult, a ConfigError, where there are none.
    """

    features: tuple[Extracted, ...]
    head: str
    fitted: Fitted | None = None
    evaluation: Evaluation | None = None
    predictions: Predictions | None = None
    curve: Curve | None = None

    @property
    def backbone(self) -> str:
        return self.features[0].key.backbone.name

    @property
    def name(self) -> str:
        return called(self.head, self.backbone)

    @property
    def scores(self) -> Mapping[str, Score]:
        """Every score by its name."""
        if self.evaluation is None:
            raise MissingResult(f"no scores of {self.name}, a learning curve; expected its curve")
        return self.evaluation.scores

    @property
    def accuracy(self) -> Score:
        """The accuracy, of a single label."""
        if "accuracy" not in self.scores:
            raise MissingResult(f"no accuracy of {self.name}; expected main_score, or one of {', '.join(self.scores)}")
        return self.scores["accuracy"]

    @property
    def main_score(self) -> Score:
        """The score by which heads of this kind of target are ordered: accuracy, mAP or R²."""
        return main_score(self.scores, self.evaluation.kind if self.evaluation else DEFAULT)

    def __repr__(self) -> str:
        found = counted(len(self.curve.points), "size") if self.curve else "not scored"
        return f"<Probe {self.name}: {self._main if self.evaluation else found}>"

    @property
    def _main(self) -> str:
        target = TARGETS.load(self.evaluation.kind if self.evaluation else DEFAULT)
        return f"{target.table[target.main]} {self.main_score}"

    @property
    def quarantined(self) -> int:
        """How many samples were left out, in any view."""
        return len({(e.split, bad.row) for e in self.features for bad in e.quarantined})


@dataclass(frozen=True, eq=False)
class Report:
    """A whole run. ``probes``: one per head of the backbone, then the baseline's if there is one.

    ``comparison``: of the scored ones, by ``Probe.name``; None if there are fewer than two, or their test samples
    differ. ``files``: the SHA-256 of what lies beside ``path``, by name. ``unwritten``: why the files are not there.
    ``targets``: the digest of each split's; ``kind``: of them.
    """

    dataset: str
    classes: tuple[str, ...]
    rows: SplitRows
    notes: tuple[str, ...]
    duplicates: Duplicates
    probes: tuple[Probe, ...]
    comparison: Comparison | None
    settings: dict[str, Any]
    versions: dict[str, str]
    made: str
    path: Path
    files: dict[str, str]
    targets: dict[str, str]
    kind: str
    unwritten: str | None = None

    @property
    def quarantined(self) -> int:
        """How many samples were left out."""
        return self.probes[0].quarantined


def to_json(report: Report) -> str:
    """Return the report as one JSON document."""
    return json.dumps(run_record(report), indent=2, sort_keys=True, default=_plain)


def _plain(value: object) -> object:
    """Return a record's fields by name. They are not copied: the matrix of a thousand classes has a million numbers."""
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return str(value)


def to_file(report: Report) -> bytes:
    """Return the content of ``run.json``: the same document, sealed."""
    return sealed(json.loads(to_json(report)), indent=2)


def run_record(report: Report) -> RunRecord:
    """Return what run.json says of a run."""
    return RunRecord(
        dataset=report.dataset,
        classes=report.classes,
        rows=report.rows,
        duplicates=report.duplicates,
        probes=tuple(map(probe_record, report.probes)),
        made=report.made,
        files=report.files,
        notes=report.notes,
        quarantined=report.quarantined,
        settings=report.settings,
        versions=report.versions,
        path=str(named(report.path)),
        targets=report.targets,
        kind=report.kind,
    )


def probe_record(probe: Probe) -> ProbeRecord:
    """Return what run.json says of one probe."""
    features = tuple(map(features_record, probe.features))
    head = head_record(probe.fitted) if probe.fitted else None
    return ProbeRecord(probe.backbone, features, probe.head, head, probe.evaluation, probe.curve)


def features_record(done: Extracted) -> FeaturesRecord:
    """Return what run.json says of one feature set."""
    return FeaturesRecord(
        split=done.split,
        view=done.key.view,
        rows=done.rows,
        width=done.width,
        folder=str(done.folder),
        digest=done.key.digest,
        key=done.key.fields(),
        pace=dict(done.pace),
        computed=done.computed,
        seconds=round(done.seconds, 3),
        quarantined=done.quarantined,
        licence=done.licence,
    )


def head_record(fitted: Fitted) -> HeadRecord:
    """Return what run.json says of a fitted head."""
    return HeadRecord(str(named(fitted.folder)), fitted.selection, fitted.seconds, fitted.cached)


def extracted_json(done: Extracted) -> dict[str, Any]:
    """Return one feature set as JSON values."""
    return asdict(features_record(done))


def fitted_json(fitted: Fitted) -> dict[str, Any]:
    """Return a head's record as JSON values."""
    return asdict(head_record(fitted))


def probe_json(probe: Probe) -> dict[str, Any]:
    """Return one probe as JSON values."""
    return asdict(probe_record(probe))
