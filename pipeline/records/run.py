"""The Report: what a run did and found, as records and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from frostline.stages.datasets import Duplicates
from frostline.stages.evaluate import Evaluation
from frostline.stages.heads import Head
from frostline.stages.metrics import Predictions, Spread
from frostline.stages.metrics.compare import Comparison
from frostline.stages.metrics.learning_curve import Forecast
from frostline.stages.records.sealed import sealed
from frostline.stages.store import Bad, plain
from frostline.stages.store.key import FeatureKey

PAGE = "report.html"


def predictions_name(backbone: str, head: str) -> str:
    """Return the name of the file that holds what a head says of every test sample."""
    return f"predictions-{plain(backbone)}-{plain(head)}.csv"


def called(head: str, backbone: str) -> str:
    """Return ``logreg on resnet50``."""
    return f"{head} on {backbone}"


@dataclass(frozen=True)
class Extracted:
    """One feature set. ``computed``: rows that went through the backbone, now, in ``seconds``.

    ``pace``: how rows were computed when that was last done, as JSON values.
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


@dataclass(frozen=True, eq=False)
class Fitted:
    """A head, where it lies, and the record of its selection.

    ``quarantined``: how many training samples were left out. ``cached``: it was there already.
    """

    head: Head
    folder: Path
    selection: dict[str, Any]
    quarantined: int
    seconds: float
    cached: bool


@dataclass(frozen=True)
class Point:
    """Heads fitted on draws of one size: test accuracy of each, the value chosen for each, and what by.

    ``size``: samples per class, or in all; ``rows``: training rows, at most; ``by``: as in a selection, or
    "default" where so few rows leave nothing to choose by; ``seconds``: of all draws.
    """

    size: int
    rows: int
    accuracy: tuple[float, ...]
    spread: Spread
    values: tuple[int | float, ...]
    by: str
    seconds: float


@dataclass(frozen=True)
class Curve:
    """Accuracy by the amount of training data: ``unit`` is "shots" (samples per class) or "samples".

    ``forecast``: for twice the largest size; ``sentence``: the same in words, or why there is none.
    """

    unit: str
    points: tuple[Point, ...]
    forecast: Forecast | None
    sentence: str


@dataclass(frozen=True, eq=False)
class Probe:
    """One head on one backbone's features: fitted on all training rows and scored, or its curve over draws of them."""

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
    def quarantined(self) -> int:
        """How many samples were left out, in any view."""
        return len({(e.split, bad.row) for e in self.features for bad in e.quarantined})


@dataclass(frozen=True, eq=False)
class Report:
    """A whole run. ``probes``: one per head of the backbone, then the baseline's if there is one.

    ``comparison``: of the scored ones, by ``Probe.name``; None if there are fewer than two, or their test samples
    differ. ``files``: the SHA-256 of what lies beside ``path``, by name. ``unwritten``: why the files are not there.
    """

    dataset: str
    classes: tuple[str, ...]
    rows: dict[str, int]
    notes: tuple[str, ...]
    duplicates: Duplicates
    probes: tuple[Probe, ...]
    comparison: Comparison | None
    settings: dict[str, Any]
    versions: dict[str, str]
    made: str
    path: Path
    files: dict[str, str]
    unwritten: str | None = None

    @property
    def quarantined(self) -> int:
        """How many samples were left out."""
        return self.probes[0].quarantined


def to_json(report: Report) -> str:
    """Return the report as one JSON document."""
    probes = [probe_json(probe) for probe in report.probes]
    own = ("dataset", "classes", "rows", "notes", "settings", "versions", "made", "files")
    whole = {n: getattr(report, n) for n in own}
    whole |= {"duplicates": asdict(report.duplicates), "quarantined": report.quarantined, "probes": probes}
    return json.dumps({**whole, "path": str(report.path)}, indent=2, sort_keys=True, default=str)


def to_file(report: Report) -> bytes:
    """Return the content of ``run.json``: the same document, sealed."""
    return sealed(json.loads(to_json(report)), indent=2)


def extracted_json(done: Extracted) -> dict[str, Any]:
    """Return one feature set as JSON values."""
    return {
        **{n: getattr(done, n) for n in ("split", "rows", "width", "computed")},
        "view": done.key.view,
        "folder": str(done.folder),
        "digest": done.key.digest,
        "key": done.key.fields(),
        "seconds": round(done.seconds, 3),
        "pace": done.pace,
        "quarantined": [asdict(bad) for bad in done.quarantined],
    }


def fitted_json(fitted: Fitted) -> dict[str, Any]:
    """Return a head's record as JSON values."""
    selection = fitted.selection
    return {"folder": str(fitted.folder), "selection": selection, "seconds": fitted.seconds, "cached": fitted.cached}


def probe_json(probe: Probe) -> dict[str, Any]:
    """Return one probe as JSON values."""
    return {
        "backbone": probe.backbone,
        "features": [extracted_json(done) for done in probe.features],
        "name": probe.head,
        "head": fitted_json(probe.fitted) if probe.fitted else None,
        "evaluation": asdict(probe.evaluation) if probe.evaluation else None,
        "curve": asdict(probe.curve) if probe.curve else None,
    }
