"""What is missing of feature sets is computed by an engine, and how fast that was is recorded."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from frostline.pipeline.engines import local
from frostline.pipeline.engines.base import Engine, Job
from frostline.pipeline.engines.batch_settings import BatchSettings
from frostline.pipeline.engines.batching import batch_settings_for, keep
from frostline.pipeline.engines.registry import ENGINES, engine_for
from frostline.pipeline.engines.shards import compute, extraction_of
from frostline.pipeline.plan.lookup import FeatureRequest
from frostline.pipeline.plan.plan import Plan
from frostline.pipeline.report.wording import decoding_limit
from frostline.pipeline.settings import ExtractSettings
from frostline.stages.datasets import in_memory
from frostline.stages.errors import ConfigError, counted
from frostline.stages.extract.extraction import ExtractionStats
from frostline.stages.modalities.registry import MODALITIES
from frostline.stages.serve.prediction_set import PredictionSet
from frostline.stages.store import FeatureSet

if TYPE_CHECKING:
    from frostline.stages.backbones.inference.frozen import AnyBackbone
    from frostline.stages.backbones.inference.multi_layer import SharedPass

log = logging.getLogger("frostline")


def fill(plan: Plan, request: FeatureRequest, features: FeatureSet) -> tuple[int, float]:
    """Fill a set by the engine of the settings; return how many rows were computed, and in what time.

    Objects of Python are read in this process: no other has them.
    """
    here_alone = in_memory(plan.settings.dataset)
    engine = local.fill if here_alone else engine_for(plan.settings.engine, plan.settings.device)
    return _fill(plan, request, [features], plan.load_network(), engine)


def fill_together(
    plan: Plan, request: FeatureRequest, sets: Sequence[FeatureSet], network: SharedPass
) -> tuple[int, float]:
    """Do the same for several sets side by side, from one pass, in this process: a job knows one set."""
    return _fill(plan, request, sets, network, local.fill)


def _fill(
    plan: Plan,
    request: FeatureRequest,
    sets: Sequence[FeatureSet],
    network: AnyBackbone | SharedPass,
    engine: Engine,
) -> tuple[int, float]:
    started, rows = time.perf_counter(), request.rows_to_compute
    extraction = extraction_of(request, sets, network)
    batch = batch_settings_for(plan, rows, sets, network, extraction)
    stats: list[ExtractionStats] = []

    def here(batch: BatchSettings) -> int:
        stats.append(compute(extraction, sets, batch))
        return stats[-1].rows

    with ENGINES.blamed(plan.settings.engine):
        computed = engine(_job(plan, request, batch, rows, _of_head(plan, sets)), here)
    if not isinstance(computed, int) or computed < 0:
        raise ConfigError(f"engine {plan.settings.engine!r} returned {computed!r}; expected how many rows it computed")
    left = extraction.features.missing()
    if left:
        log.warning("engine %s left %s undone; done here", plan.settings.engine, counted(len(left), "shard"))
        computed += here(batch)
    extraction.features.publish()  # whoever did the last shard may have ended before
    seconds = time.perf_counter() - started
    if computed:
        _record(sets, batch.after(stats, computed, seconds), seconds, request.samples.modality)
    return computed, seconds


def _of_head(plan: Plan, sets: Sequence[FeatureSet]) -> dict[str, str]:
    """Return what a job says of a head, if its plan was made of one: where it lies, and where its predictions go."""
    parts = [one.folder.parent for one in sets if isinstance(one, PredictionSet)]
    return {} if plan.head is None else {"head": str(plan.head), "parts": str(parts[0]) if parts else ""}


def _job(plan: Plan, request: FeatureRequest, batch: BatchSettings, rows: int, of_head: Mapping[str, str]) -> Job:
    own = set(ExtractSettings.model_fields) - {"engine"}
    settings, key = plan.settings.model_dump(mode="json", include=own), request.key
    return Job(settings, plan.picked.mode, batch, request.samples.split, key.view, key.digest, rows, **of_head)


def _record(sets: Sequence[FeatureSet], batch: BatchSettings, seconds: float, modality: str) -> None:
    keep(sets, batch)
    limit = decoding_limit(batch, seconds, MODALITIES.load(modality).noun)
    if limit:
        log.info("%s", limit)
