"""Shards of feature sets, computed in this process: for whoever began the sets, or for another process."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tqdm import tqdm

from frostline.pipeline.engines.base import Job
from frostline.pipeline.engines.batch_settings import BatchSettings
from frostline.pipeline.engines.batching import keep
from frostline.pipeline.plan.inputs import open_inputs
from frostline.pipeline.plan.lookup import FeatureRequest, look_up
from frostline.pipeline.plan.of_head import plan_of_head
from frostline.pipeline.plan.pick_mode import PickedMode
from frostline.pipeline.plan.plan import Plan
from frostline.pipeline.plan.resolve import resolve
from frostline.pipeline.records.head_record import HeadBackbone, read_head_backbone
from frostline.pipeline.settings import ExtractSettings
from frostline.pipeline.workspace import opened_folder
from frostline.stages.buckets.address import path_of
from frostline.stages.extract.extraction import Extraction, ExtractionStats, extract
from frostline.stages.heads import Head, read_head
from frostline.stages.modalities.registry import MODALITIES
from frostline.stages.serve.prediction_set import PredictionSet, begin_predictions, prediction_layout
from frostline.stages.store import FeatureSet, JointSets

if TYPE_CHECKING:
    from frostline.stages.backbones.inference.frozen import AnyBackbone
    from frostline.stages.backbones.inference.multi_layer import SharedPass

log = logging.getLogger("frostline")


def run_job(job: Job) -> int:
    """Compute what nobody else does of a set that is begun already, in this process, and wait for the others.

    Returns how many rows were computed: 0 where the set has another key. Raises what ``extract`` does.
    """
    settings = ExtractSettings(**job.settings)
    head = _read_head(job.head) if job.head else None
    plan = (
        _plan(job, settings) if head is None else plan_of_head(path_of(job.head), head.made, head.head.width, settings)
    )
    request = look_up(plan, job.split, job.view)
    into = request.existing if head is None or not job.parts else _predictions(job, request, head)
    if into is None or request.key.digest != job.digest:
        return 0
    if head is not None and plan.load_network().spec != plan.spec:
        return 0
    return compute(extraction_of(request, [into], plan.load_network()), [into], job.batch).rows


class _Fitted(NamedTuple):
    head: Head
    record: Mapping[str, Any]
    made: HeadBackbone


def _read_head(folder: str) -> _Fitted:
    head, record = read_head(opened_folder(folder))
    return _Fitted(head, record, read_head_backbone(folder, record))


def _plan(job: Job, settings: ExtractSettings) -> Plan:
    return Plan(resolve(open_inputs(settings)), PickedMode(job.mode))


def _predictions(job: Job, request: FeatureRequest, fitted: _Fitted) -> PredictionSet:
    layout = prediction_layout(request.key, request.samples, fitted.head, fitted.record)
    return begin_predictions(Path(job.parts), layout, fitted.head)


def extraction_of(request: FeatureRequest, sets: Sequence[FeatureSet], network: AnyBackbone | SharedPass) -> Extraction:
    """Return the extraction that fills sets of the same samples side by side."""
    ahead = 0 if network.device.type == "cpu" else 2
    into = JointSets(sets) if len(sets) > 1 else sets[0]
    return Extraction(request.samples, network, into, request.key.view, ahead=ahead, known=request.reusable)


def compute(extraction: Extraction, sets: Sequence[FeatureSet], batch: BatchSettings) -> ExtractionStats:
    """Do an extraction in these batch settings; a batch that had to be halved is recorded with the sets."""
    from frostline.stages.backbones.calibrate.batch_size import in_threads

    noun = MODALITIES.load(extraction.samples.modality).noun

    def on_halved(rows: int, message: str) -> None:
        log.warning("not enough memory for %d %ss at once (%s); going on with %d", 2 * rows, noun, message, rows)
        keep(sets, replace(batch, batch_size=rows, measured=False))

    total = sum(len(sets[0].span(shard)) for shard in extraction.features.missing())
    bar = tqdm(total=total, desc=extraction.samples.split, unit=f" {noun}s", disable=None, smoothing=0.05)
    here = replace(
        extraction, batch_size=batch.batch_size, workers=batch.workers, progress=bar.update, on_halved=on_halved
    )
    with bar, in_threads(batch.threads):
        return extract(here)
