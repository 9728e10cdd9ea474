"""What lies behind a run's numbers, as far as it is still there: samples, features, and findings on them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostline.pipeline.records.findings import Findings, memory, read_findings
from frostline.pipeline.report.html.record import Run
from frostline.pipeline.report.html.stored_targets import stored_targets
from frostline.pipeline.settings import DatasetSettings
from frostline.pipeline.workspace import Workspace
from frostline.stages.datasets import Dataset, Request, Samples, find_source
from frostline.stages.errors import DataError, FrostlineError
from frostline.stages.store import OK, FeatureSet, open_set
from frostline.stages.targets.base import TargetValues
from frostline.stages.targets.values import Targets

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RunArtifacts:
    """``X`` (n, d), ``y`` (n, …): of some test samples. Without test samples or features, ``no_…`` says why.

    ``page``: the folder of the page.
    """

    train: Samples | None
    test: Samples | None
    no_samples: str
    X: Array | None
    y: TargetValues | None
    no_features: str
    findings: Findings | None
    page: Path


def artifacts_of(run: Run, dataset: Dataset | None, max_rows: int, page: Path) -> RunArtifacts:
    """Return what is there of a run's evidence: its dataset if it is given, and at most ``max_rows`` rows' features.

    ``page``: the folder of the page. Nothing is downloaded and nothing computed.
    """
    no_samples = no_features = ""
    train, test, X, y = None, None, None, None
    try:
        dataset = dataset or _reopened(run)
        train = dataset.train if _is_same(run, dataset.train) else None
        test = dataset.test
    except _DatasetUnavailable as error:
        no_samples = f"The dataset can’t be opened from here: {error}"
    except (FrostlineError, OSError, ValueError):
        # What was said may quote a file, and a record may name any; the page is made to be passed on.
        no_samples = "The dataset can’t be opened from here, or has changed."
    try:
        X, y = _some(run, open_set(run.at.data_dir / "features" / _folder_name(run)), max_rows)
    except (FrostlineError, OSError, ValueError) as error:
        no_features = f"The test features are no longer in {run.at.data_dir.name}/features: {error}"
    return RunArtifacts(train, test, no_samples, X, y, no_features, _findings(run), page)


def _findings(run: Run) -> Findings | None:
    """Return what is remembered of the health of the run's data, as its first backbone sees it."""
    train, test = ([one.digest for one in run.features(n) if one.view == "plain"] for n in ("train", "test"))
    if not train or not test:
        return None
    known = [train[0], test[0], *(run.record.targets.get(split, "") for split in ("train", "test"))]
    return read_findings(memory(run.at.data_dir, known, run.record.settings.get("seed", 0)))


class _DatasetUnavailable(DataError):
    """The dataset that was run is not at hand, or has changed."""


def _folder_name(run: Run) -> str:
    return run.features("test")[0].folder.rpartition("/")[2]


def _is_same(run: Run, samples: Samples) -> bool:
    """Whether a split is as it was when the run used it."""
    known = {one.how.dataset for one in run.features(samples.split)}
    return samples.content in known or samples.labelled_content in known


def _reopened(run: Run) -> Dataset:
    """Return the run's dataset. Raises DataError if its test samples have changed, or it would be downloaded."""
    s = DatasetSettings(**{n: v for n, v in run.record.settings.items() if n in DatasetSettings.model_fields})
    workspace = Workspace(run.at.data_dir)
    source, place = find_source(s.dataset)
    folder = Request(place, s.root, downloads=workspace.downloads).folder
    if not source.at_hand and not folder.is_dir():
        raise _DatasetUnavailable(f"{s.dataset} is not in {folder}")
    dataset = s.open_dataset(workspace)
    if not _is_same(run, dataset.test):
        raise _DatasetUnavailable("its test samples have changed since the run")
    return dataset


def _some(run: Run, features: FeatureSet, max_rows: int) -> tuple[Array, TargetValues]:
    """Return features and targets of rows drawn at random (seed 0), at most ``max_rows``, quarantined ones left out."""
    rng = np.random.default_rng(0)
    rows = np.sort(rng.permutation(features.layout.rows)[:max_rows])
    parts, kept = [], []
    for shard in features.shards:
        span = features.span(shard)
        own = rows[(rows >= span.start) & (rows < span.stop)] - span.start
        if len(own):
            content = features.read(shard)
            own = own[content.status[own] == OK]
            parts.append(content.features[own].astype(np.float64))
            kept.append(span.start + own)
    return np.concatenate(parts), _targets(run, features).values[np.concatenate(kept)]


def _targets(run: Run, features: FeatureSet) -> Targets:
    """Return the targets of a set's rows: those of the run, or, for runs that don't say, those that it was made with.

    Raises StoreError if they are not there.
    """
    found = stored_targets(run.at, "test")
    return found.targets if found and len(found.ids) == features.layout.rows else features.targets()
