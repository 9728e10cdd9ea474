"""What is missing of feature sets is computed by an engine, and how fast that was is recorded."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from frostline.pipeline.engines.base import Job
from frostline.pipeline.engines.batch_settings import BatchSettings
from frostline.pipeline.engines.batching import batch_settings_for, keep
from frostline.pipeline.engines.registry import ENGINES, engine_for, name_of
from frostline.pipeline.engines.shards import compute, extraction_of
from frostline.pipeline.plan.lookup import FeatureRequest
from frostline.pipeline.plan.plan import Plan
from frostline.pipeline.report.wording import decoding_limit
from frostline.pipeline.settings import ExtractSettings
from frostline.stages.errors import ConfigError, counted
from frostline.stages.extract.extraction import Extraction, ExtractionStats
from frostline.stages.modalities.registry import MODALITIES
from frostline.stages.serve.prediction_set import PredictionSet
from frostline.stages.store import FeatureSet

if TYPE_CHECKING:
    from frostline.stages.backbones.inference.frozen import AnyBackbone
    from frostline.stages.backbones.inference.multi_layer import SharedPass

log = logging.getLogger("frostline")


def fill(plan: Plan, request: FeatureRequest, features: FeatureSet) -> tuple[int, float]:
    """Fill a set by the engine of the settings; return how many rows were computed, and in what time."""
    return _fill(plan, request, [features], plan.load_network(), ())


def fill_together(
    plans: Sequence[Plan], request: FeatureRequest, sets: Sequence[FeatureSet], network: SharedPass
) -> tuple[int, float]:
    """Do the same for several plans' sets side by side, from one pass; ``request``: the one of the first plan."""
    return _fill(plans[0], request, sets, network, list(zip(plans, sets, strict=True))[1:])


class _Here:
    """What is left of a job, computed in this process."""

    def __init__(self, extraction: Extraction, sets: Sequence[FeatureSet]) -> None:
        self._extraction, self._sets = extraction, sets
        self.stats: list[ExtractionStats] = []

    def __call__(self, batch: BatchSettings, start_at: float = 0.0) -> int:
        self.stats.append(compute(replace(self._extraction, start_at=start_at), self._sets, batch, self.missing()))
        return self.stats[-1].rows

    def missing(self) -> list[int]:
        return self._extraction.features.missing()

    def rows(self, shard: int) -> int:
        return len(self._extraction.features.span(shard))


def _fill(
    plan: Plan,
    request: FeatureRequest,
    sets: Sequence[FeatureSet],
    network: AnyBackbone | SharedPass,
    others: Sequence[tuple[Plan, FeatureSet]],
) -> tuple[int, float]:
    started, rows = time.perf_counter(), request.rows_to_compute
    extraction = extraction_of(request, sets, network)
    batch = batch_settings_for(plan, rows, sets, network, extraction)
    here = _Here(extraction, sets)
    engine = engine_for(plan.settings.engine, plan.settings.device)
    with ENGINES.blamed(name_of(plan.settings.engine)):
        computed = engine(_job(plan, request, batch, rows, _head_of(plan, sets), more_layers=_layers_of(others)), here)
    if not isinstance(computed, int) or computed < 0:
        raise ConfigError(f"engine {plan.settings.engine!r} returned {computed!r}; expected how many rows it computed")
    left = here.missing()
    if left and len(sets) == 1:  # what can't be had from one pass for all sets is done for each alone, by the engine
        log.warning("engine %s left %s undone; done here", plan.settings.engine, counted(len(left), "shard"))
        computed += here(batch)
    extraction.features.publish()  # whoever did the last shard may have ended before
    seconds = time.perf_counter() - started
    if computed:
        _record(sets, batch.after(here.stats, computed, seconds), seconds, request.samples.modality)
    return computed, seconds


def _head_of(plan: Plan, sets: Sequence[FeatureSet]) -> tuple[str, str]:
    """Return where the head lies that a plan was made of, and where its predictions go; nothing for other plans."""
    parts = [one.folder.parent for one in sets if isinstance(one, PredictionSet)]
    return ("", "") if plan.head is None else (str(plan.head), str(parts[0]) if parts else "")


def _layers_of(others: Sequence[tuple[Plan, FeatureSet]]) -> tuple[dict[str, str | None], ...]:
    cuts = [(plan.settings.layer, plan.settings.pool, features.layout.digest) for plan, features in others]
    return tuple({"layer": layer, "pool": pool, "digest": digest} for layer, pool, digest in cuts)


def _job(
    plan: Plan,
    request: FeatureRequest,
    batch: BatchSettings,
    rows: int,
    of_head: tuple[str, str],
    more_layers: tuple[Mapping[str, str | None], ...],
) -> Job:
    own = set(ExtractSettings.model_fields) - {"engine"}
    settings, key = plan.settings.model_dump(mode="json", include=own), request.key
    of_set = (request.samples.split, key.view, key.digest, rows)
    return Job(settings, plan.picked.mode, batch, *of_set, *of_head, more_layers)


def _record(sets: Sequence[FeatureSet], batch: BatchSettings, seconds: float, modality: str) -> None:
    keep(sets, batch)
    limit = decoding_limit(batch, seconds, MODALITIES.load(modality).noun)
    if limit:
        log.info("%s", limit)
