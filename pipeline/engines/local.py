"""Features computed on this machine: in this process, and in one for each further device."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from tqdm import tqdm

from frostline.pipeline.engines.batching import Pace, keep, paced
from frostline.pipeline.engines.processes import beside, counted_in, devices_of
from frostline.pipeline.plan.numeric_mode import Way
from frostline.pipeline.plan.plan import Need, Plan
from frostline.pipeline.report.wording import decoding_limit
from frostline.pipeline.settings.models import ExtractSettings
from frostline.stages.extract.extraction import Effort, Extraction
from frostline.stages.extract.extraction import extract as run_backbone
from frostline.stages.store import FeatureSet, JointSets

if TYPE_CHECKING:
    from frostline.stages.backbones.inference.backbone import Backbone
    from frostline.stages.backbones.inference.multi_layer import SharedPass


log = logging.getLogger("frostline")
_WORTH = 16_384  # rows for each device: fewer are done before another process has begun


def fill(plan: Plan, need: Need, sets: Sequence[FeatureSet], backbone: Backbone | SharedPass) -> tuple[int, float]:
    """Fill sets side by side, on every device there is; return how many rows were computed, and in what time."""
    started, rows = time.perf_counter(), need.rows_to_compute
    job = _job(need, sets, backbone)
    pace = paced(plan, rows, sets, backbone, job)
    # Sets side by side are filled here alone, as one pass: a helper knows one set
    devices = devices_of(plan.settings.device)[: max(1, rows // _WORTH)] if len(sets) == 1 else [str(backbone.device)]
    pace = replace(pace, workers=max(1, pace.workers // len(devices)))
    parts = [["-m", "frostline.pipeline.engines.worker", _part(plan, need, pace, device)] for device in devices[1:]]
    with beside(parts) as helpers:
        effort = _filled(job, sets, pace)
        computed = effort.rows + sum(map(counted_in, helpers))
    seconds = time.perf_counter() - started
    if computed:
        pace = pace.after(replace(effort, rows=computed, seconds=seconds))
        keep(sets, pace)
        limit = decoding_limit(pace, seconds)
        if limit:
            log.info("%s", limit)
    return computed, seconds


def _part(plan: Plan, need: Need, pace: Pace, device: str) -> str:
    """Return what ``help_with`` needs to know, as JSON."""
    own = plan.settings.model_dump(mode="json", include=set(ExtractSettings.model_fields))
    settings = {**own, "device": device}
    there = {"split": need.samples.split, "view": need.key.view, "digest": need.key.digest}
    return json.dumps({"settings": settings, "way": asdict(plan.way), "pace": asdict(pace), **there})


def help_with(part: str) -> int:
    """Compute shards of a set that another process has begun; return how many rows. None of a set with another key."""
    told = json.loads(part)
    plan = Plan(ExtractSettings(**told["settings"]))
    plan.way = Way(**told["way"])
    need = plan.need(told["split"], told["view"])
    if need.found is None or need.key.digest != told["digest"]:
        return 0
    return _filled(_job(need, [need.found], plan.backbone), [need.found], Pace(**told["pace"])).rows


def _job(need: Need, sets: Sequence[FeatureSet], backbone: Backbone | SharedPass) -> Extraction:
    ahead = 0 if backbone.device.type == "cpu" else 2
    into = JointSets(sets) if len(sets) > 1 else sets[0]
    return Extraction(need.samples, backbone, into, need.key.view, ahead=ahead, known=need.known)


def _filled(job: Extraction, sets: Sequence[FeatureSet], pace: Pace) -> Effort:
    from frostline.stages.backbones.calibrate.batch_size import in_threads

    def halved(images: int, said: str) -> None:
        log.warning("not enough memory for %d images at once (%s); going on with %d", 2 * images, said, images)
        keep(sets, replace(pace, batch_size=images, measured=False))

    rows = sum(len(sets[0].span(shard)) for shard in job.features.missing())
    bar = tqdm(total=rows, desc=job.samples.split, unit=" images", disable=None, smoothing=0.05)
    job = replace(job, batch_size=pace.batch_size, workers=pace.workers, progress=bar.update, halved=halved)
    with bar, in_threads(pace.threads):
        return run_backbone(job)
