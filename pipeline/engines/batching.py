"""Batch settings: those of finished shards, of a set computed alike, or what is fast here; kept with the set."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from frostline.pipeline.engines.batch_settings import BatchSettings
from frostline.pipeline.plan.machine import cores
from frostline.pipeline.plan.plan import Plan
from frostline.pipeline.settings import ExtractSettings
from frostline.pipeline.workspace import reopened
from frostline.stages.buckets.address import is_address
from frostline.stages.extract.extraction import Extraction, first_items
from frostline.stages.modalities.base import PacedTransform
from frostline.stages.store import FeatureSet, FeatureStore
from frostline.stages.store.key import computation

if TYPE_CHECKING:
    from frostline.stages.backbones.inference.batches import Network

_SHARE = 0.03  # of the rows: how many a calibration may take
_MAX = 65536
_LOOK = 0.25  # seconds between two looks at what another process finds out
_LOOK_AT_BUCKET = 2.0  # each takes a listing of the workspace
log = logging.getLogger("frostline")


def batch_settings_for(
    plan: Plan, rows: int, sets: Sequence[FeatureSet], network: Network, extraction: Extraction
) -> BatchSettings:
    """Return those for sets filled side by side, and record them: of finished shards, else what is fast here.

    What is fixed by the settings, or by OMP_NUM_THREADS, is so. ``rows``: how many there are to compute. Of the
    sets, those that have some have the same.
    """
    waits = False
    while True:
        found = _of_any(sets, network)
        if found or any(map(_begun, sets)):
            return keep(sets, _fixed(plan.settings, found or _usual(network)))
        with sets[0].claim(0, wait=False) as ours:  # the first one of several processes finds out
            if ours:
                fixed = plan.settings.batch_size or plan.settings.optimize == "openvino"  # it cuts batches by itself
                may_take = 0 if fixed else int(_SHARE * rows)
                found = _like(plan.workspace.store, sets[0], network) or _tried(network, extraction, may_take)
                return keep(sets, _fixed(plan.settings, found))
        if not waits:
            log.info("another process is measuring the batch size; waiting for it, or for its claim to end")
            waits = True
        # who waited for the shard itself would wait until it is computed
        time.sleep(_LOOK_AT_BUCKET if is_address(plan.settings.data_dir) else _LOOK)
        reopened(plan.settings.data_dir)


def on_this_machine(batch: BatchSettings, network: Network, settings: ExtractSettings) -> BatchSettings:
    """Return the batch settings of a job for the device of this process: a job of another device has the usual size."""
    if batch.device == network.device.type:
        return batch
    usual = _usual(network)
    return replace(usual, batch_size=settings.batch_size or usual.batch_size, workers=batch.workers)


def keep(sets: Sequence[FeatureSet], batch: BatchSettings) -> BatchSettings:
    """Record the batch settings of sets; return them. The batch size of a set that is begun is only ever lowered.

    For another process may have had less room, and whoever resumes the set should not run out of it again.
    """
    for features in sets:
        known, now = recorded(features, batch.device), batch
        if known and known.batch_size < batch.batch_size and _begun(features):
            now = replace(batch, batch_size=known.batch_size, measured=False)
        if asdict(now) != features.pace:
            features.keep_pace(asdict(now))
    return batch


def _begun(features: FeatureSet) -> bool:
    """Whether a shard is committed."""
    return len(features.missing()) < len(features.shards)


def _fixed(settings: ExtractSettings, found: BatchSettings) -> BatchSettings:
    import torch

    threads = torch.get_num_threads() if "OMP_NUM_THREADS" in os.environ else found.threads
    batch_size = settings.batch_size or found.batch_size
    same = replace(found, measured=found.measured and not settings.batch_size)
    return replace(same, batch_size=batch_size, workers=settings.workers or cores(), threads=threads)


def _usual(network: Network) -> BatchSettings:
    from frostline.stages.backbones.calibrate.batch_size import usual

    size, threads = usual(network.device)
    return BatchSettings(network.device.type, cores(), size, cores(), threads, max_threads=threads)


def _tried(network: Network, extraction: Extraction, may_take: int) -> BatchSettings:
    """Return what is fastest on the first samples; the usual ones if it may not take enough of them to tell."""
    from frostline.stages.backbones.calibrate.batch_size import fastest_batch

    start = _usual(network)
    if isinstance(extraction.backbone.spec.preprocessing, PacedTransform):  # its items alone decide
        return start
    items = first_items(extraction, start.batch_size if may_take >= start.batch_size else 0)
    free = "OMP_NUM_THREADS" not in os.environ
    found = fastest_batch(network, items, may_take, may_set_threads=free)
    return replace(start, batch_size=found[0], threads=found[1], measured=True) if found else start


def _like(store: FeatureStore, features: FeatureSet, network: Network) -> BatchSettings | None:
    """Return those of the newest set that was computed alike, if they were measured.

    What was asked for, or halved for want of memory, is that set's own: memory may be free now.
    """
    same = computation(features.layout.key)
    like = [one for one in store.sets() if computation(one.layout.key) == same]
    newest = sorted(like, key=lambda one: one.provenance.made, reverse=True)
    known = [recorded(one, network.device.type) for one in newest]
    found = next((batch for batch in known if batch and batch.measured), None)
    return found and replace(found, rows_per_second=None)


def _of_any(sets: Sequence[FeatureSet], network: Network) -> BatchSettings | None:
    return next(filter(None, (recorded(features, network.device.type) for features in sets)), None)


def recorded(features: FeatureSet, device: str) -> BatchSettings | None:
    """Return a set's batch settings, if they are of a machine like this: a number that can't be is as good as none.

    What was found among more threads or fewer than torch has here says nothing of what is fast; a set that is begun
    is resumed at its batch size nevertheless, in all threads. How many decode is found out every time.
    """
    import torch

    found, here = features.pace, torch.get_num_threads()
    numbers: list[Any] = [found.get(name) for name in ("cores", "batch_size", "threads")]
    sound = all(type(number) is int and 0 < number <= _MAX for number in numbers)
    if not sound or (found.get("device"), found["cores"]) != (device, cores()):
        return None
    size, threads = numbers[1:]
    same = BatchSettings(device, cores(), size, cores(), threads, here, found.get("measured") is True, features.speed)
    if found.get("max_threads") == here:
        return same
    return replace(same, threads=here, measured=False) if _begun(features) else None
