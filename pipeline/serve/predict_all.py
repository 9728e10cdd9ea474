"""Predictions for all samples of a source as one file: by the million, shard by shard, and resumed where they ended."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from frostline.pipeline.engines.fill import fill
from frostline.pipeline.engines.registry import check_engine
from frostline.pipeline.plan.inputs import check_bad
from frostline.pipeline.plan.lookup import FeatureRequest, required_sets
from frostline.pipeline.plan.of_head import plan_of_head
from frostline.pipeline.plan.plan import Plan
from frostline.pipeline.plan.steady import unsteadiness_seen
from frostline.pipeline.serve.columns import columns_of
from frostline.pipeline.serve.fitted import FittedHead, check_fitted, check_same, precision_of, read_fitted
from frostline.pipeline.serve.out_file import check_apart, check_out, parts_of, remove_sets
from frostline.pipeline.serve.sources import dataset_of
from frostline.pipeline.settings import ExtractSettings, PredictSettings, load_settings
from frostline.pipeline.steps.features import extract_missing, mended
from frostline.stages.datasets import ALL
from frostline.stages.errors import counted
from frostline.stages.extract.known_rows import copy_set
from frostline.stages.modalities.image.spec import View
from frostline.stages.serve.prediction_set import PredictionSet, begin_predictions, prediction_layout
from frostline.stages.serve.table_file import Column, check_table_file, write_table

log = logging.getLogger("frostline")
_SHARDS = 32  # written as one block: a row group of a Parquet file
_LISTED = 1000


@dataclass(frozen=True)
class PredictionFile:
    """What was written: ``rows`` in all, of which ``bad`` can't be used; ``computed`` went through the backbone.

    ``features``: the folders of the feature sets that were kept.
    """

    file: Path
    rows: int
    bad: int
    computed: int
    features: tuple[Path, ...] = ()

    def fields(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {**asdict(self), "file": str(self.file), "features": list(map(str, self.features))}


def predict_all(
    folder: str | Path, source: str | Path, out: Path, settings: PredictSettings | None = None
) -> PredictionFile:
    """Write what a head of ``data/heads`` says of every sample of a source into ``out``, .parquet or .csv.

    ``source``: a dataset as for ``run`` (no labels or splits are needed), or the path of a folder or file. A row for
    each sample, in order: ``id``, what is predicted, and the ``problem`` of one that can't be read. What was done
    lies in ``out.parts/`` until the file is whole; the same call resumes from there. Raises what ``load_classifier``
    does, and DataError for more bad samples than ``max_bad``.
    """
    s = settings or load_settings(PredictSettings)
    check_table_file(out)
    check_engine(s.engine)
    fitted = read_fitted(folder, s)
    check_fitted(fitted, s)
    asked = _extraction(fitted, source, s)
    check_out(out, asked.dataset)
    with parts_of(out) as parts:
        plan = plan_of_head(fitted.folder, fitted.made, fitted.head.width, asked)
        check_apart(out, plan.samples(ALL), asked.root or Path(asked.dataset.partition(":")[2]).parent)
        computed: list[int] = []
        return mended(lambda: _written(plan, fitted, out, parts, s, computed))


def _written(
    plan: Plan, fitted: FittedHead, out: Path, parts: Path, s: PredictSettings, computed: list[int]
) -> PredictionFile:
    """Write the file; ``computed``: how many rows were computed before a damaged shard was met. Raises DamagedShard."""
    kept = _keep(plan, fitted) if s.keep_features else ()
    sets = [_predicted(plan, fitted, view, parts, computed) for view in fitted.made.views]
    bad = _check_quarantined(sets, s.max_bad)
    write_table(out, _blocks(fitted, sets, s.top), _about(fitted, plan))
    remove_sets(one.folder for one in sets)
    return PredictionFile(out, len(plan.samples(ALL)), bad, sum(computed), kept)


def _extraction(fitted: FittedHead, source: str | Path, s: PredictSettings) -> ExtractSettings:
    """Return the settings by which a head's features are made."""
    made = fitted.made
    own = ("root", "columns", "input", "data_dir", "device", "batch_size", "workers", "optimize")
    return ExtractSettings(
        dataset=dataset_of(source, made.spec.modality),
        backbone=s.backbone or made.name,
        weights=s.weights or made.weights,
        precision=precision_of(fitted, s),
        views=made.views,
        bit_depth=made.bit_depth,
        engine=s.engine,
        allow_unsteady=s.allow_unsteady,
        max_bad=s.max_bad,
        **{name: getattr(s, name) for name in own},
    )


def _keep(plan: Plan, fitted: FittedHead) -> tuple[Path, ...]:
    """Compute what is missing of the samples' features, as sets of the store, and return their folders."""
    if any(request.rows_to_compute for request in required_sets(plan)):
        check_same(fitted.folder, fitted.made.spec, plan.load_network().spec)
    return tuple(one.folder for one in extract_missing(plan))


def _predicted(plan: Plan, fitted: FittedHead, view: View, folder: Path, computed: list[int]) -> PredictionSet:
    """Return the whole set of decision values of a view; add how many rows were computed for it."""
    samples, key = plan.samples(ALL), plan.key(ALL, view)
    parts = begin_predictions(folder, prediction_layout(key, samples, fitted.head, fitted.record), fitted.head)
    cached = plan.cached_set(ALL, view)
    if cached is not None and cached.layout.shard_rows == parts.layout.shard_rows:
        parts.take_over(cached)
    if parts.complete:
        log.info("%s (%s): %s cached", samples.dataset, view, counted(len(samples), "row"))
        return parts
    known = plan.workspace.store.rows_like(key)
    request = FeatureRequest(samples, key, plan.width, parts, known, ())
    done, left = len(samples) - request.missing_rows, request.rows_to_compute
    log.info("%s (%s): %s to predict, %s to compute", samples.dataset, view, counted(request.missing_rows, "row"), left)
    if done:
        log.info("%s already done, continuing", counted(done, "row"))
    if not left:
        copy_set(samples, known, parts, plan.width)
        return parts
    _check_network(plan, request, fitted)
    computed.append(fill(plan, request, parts)[0])
    return parts


def _check_network(plan: Plan, request: FeatureRequest, fitted: FittedHead) -> None:
    check_same(fitted.folder, fitted.made.spec, plan.load_network().spec)
    unsteadiness_seen(plan, request)


def _check_quarantined(sets: Sequence[PredictionSet], max_bad: int) -> int:
    """Return how many samples are quarantined. Raises DataError if they are more than are tolerated."""
    bad: dict[int, str] = {}
    for one in sets:
        for shard in one.shards:
            bad.update((q.row, f"{q.id}: {q.reason}") for q in one.record(shard).quarantined)
    check_bad([bad[row] for row in sorted(bad)], max_bad)
    return len(bad)


def _blocks(fitted: FittedHead, sets: Sequence[PredictionSet], top: int | None) -> Iterator[list[Column]]:
    """Yield what is said of the samples, the mean over the views, a block at a time."""
    shards = sets[0].shards
    for start in range(0, len(shards), _SHARDS):
        some = shards[start : start + _SHARDS]
        problems: dict[int, str] = {}
        for one in reversed(sets):
            problems.update((q.row, q.reason) for shard in some for q in one.record(shard).quarantined)
        contents = [[one.read(shard) for shard in some] for one in sets]
        values = np.mean([np.concatenate([shard.features for shard in view]) for view in contents], axis=0)
        ids = [name.decode(errors="surrogateescape") for shard in contents[0] for name in shard.ids.tolist()]
        first = sets[0].span(some[0]).start
        yield columns_of(fitted.head, ids, values, [problems.get(first + at, "") for at in range(len(ids))], top)


def _about(fitted: FittedHead, plan: Plan) -> dict[str, str]:
    samples = plan.samples(ALL)
    said = {"head": fitted.folder.name, "dataset": samples.dataset, "content": samples.content}
    return {"frostline": json.dumps(said, sort_keys=True)}
