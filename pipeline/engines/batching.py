"""How the rows of a feature set are computed: how many images at once, in how many threads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from frostline.pipeline.plan.plan import Plan, cores
from frostline.pipeline.settings.models import ExtractSettings
from frostline.stages.extract.extraction import Effort, Extraction, first_pixels
from frostline.stages.store import FeatureSet, FeatureStore
from frostline.stages.store.key import computation

if TYPE_CHECKING:
    from frostline.stages.backbones.inference.batches import Network

_SHARE = 0.03  # of the rows: how many a calibration may take
_MOST = 65536


@dataclass(frozen=True)
class Pace:
    """On which ``device``, beside how many processor ``cores``; images at once; threads that decode and that compute.

    ``max_threads``: how many torch had to choose those from that compute.
    ``measured``: whether that is what was fastest here, and not asked for, usual, or all that memory had room for.
    ``rows_per_second`` and ``waiting``, the share of the time spent waiting for images: of the last extraction,
    once it has ended.
    """

    device: str
    cores: int
    batch_size: int
    workers: int
    threads: int
    max_threads: int
    measured: bool = False
    rows_per_second: float | None = None
    waiting: float | None = None

    def after(self, effort: Effort) -> Pace:
        """Return the same once an extraction has shown how fast it is."""
        speed, waiting = round(effort.rows / effort.seconds, 2), round(effort.waited / effort.seconds, 3)
        measured = self.measured and effort.batch_size == self.batch_size
        same = replace(self, batch_size=effort.batch_size, workers=effort.workers, measured=measured)
        return replace(same, rows_per_second=speed, waiting=waiting)


def paced(plan: Plan, rows: int, sets: Sequence[FeatureSet], network: Network, job: Extraction) -> Pace:
    """Return the pace for sets filled side by side, and record it: that of finished shards, else what is fast here.

    What is fixed by the settings, or by OMP_NUM_THREADS, is so. ``rows``: how many there are to compute. Of the
    sets, those that have a pace have the same.
    """
    found = _of_any(sets, network)
    if found:
        return keep(sets, _fixed(plan.settings, found))
    with sets[0].claim(0, wait=True):  # the first one of several processes finds out
        found = _of_any(sets, network)
        if not found and not any(map(_begun, sets)):
            may_take = 0 if plan.settings.batch_size else int(_SHARE * rows)
            found = _like(plan.workspace.store, sets[0], network) or _tried(network, job, may_take)
        return keep(sets, _fixed(plan.settings, found or _usual(network)))


def keep(sets: Sequence[FeatureSet], pace: Pace) -> Pace:
    """Record the pace of sets; return it. The batch size of a set that is begun is only ever lowered.

    For another process may have had less room, and whoever goes on with the set should not run out of it again.
    """
    for features in sets:
        known, now = recorded(features, pace.device), pace
        if known and known.batch_size < pace.batch_size and _begun(features):
            now = replace(pace, batch_size=known.batch_size, measured=False)
        if asdict(now) != features.pace:
            features.keep_pace(asdict(now))
    return pace


def _begun(features: FeatureSet) -> bool:
    """Whether a shard is committed."""
    return len(features.missing()) < len(features.shards)


def _fixed(settings: ExtractSettings, found: Pace) -> Pace:
    import torch

    threads = torch.get_num_threads() if "OMP_NUM_THREADS" in os.environ else found.threads
    batch_size = settings.batch_size or found.batch_size
    same = replace(found, measured=found.measured and not settings.batch_size)
    return replace(same, batch_size=batch_size, workers=settings.workers or cores(), threads=threads)


def _usual(network: Network) -> Pace:
    from frostline.stages.backbones.calibrate.batch_size import usual

    size, threads = usual(network.device)
    return Pace(network.device.type, cores(), size, cores(), threads, max_threads=threads)


def _tried(network: Network, job: Extraction, may_take: int) -> Pace:
    """Return what is fastest on the first images; the usual pace if it may not take enough of them to tell."""
    from frostline.stages.backbones.calibrate.batch_size import fastest

    start = _usual(network)
    pixels = first_pixels(job, start.batch_size if may_take >= start.batch_size else 0)
    free = "OMP_NUM_THREADS" not in os.environ
    found = fastest(network, pixels, may_take, may_set_threads=free)
    return replace(start, batch_size=found[0], threads=found[1], measured=True) if found else start


def _like(store: FeatureStore, features: FeatureSet, network: Network) -> Pace | None:
    """Return the pace of the newest set that was computed alike, if it was measured.

    What was asked for, or halved for want of memory, is that set's own: memory may be free now.
    """
    same = computation(features.layout.key)
    like = [one for one in store.sets() if computation(one.layout.key) == same]
    newest = sorted(like, key=lambda one: str(one.made.get("made")), reverse=True)
    paces = [recorded(one, network.device.type) for one in newest]
    found = next((pace for pace in paces if pace and pace.measured), None)
    return found and replace(found, rows_per_second=None)


def _of_any(sets: Sequence[FeatureSet], network: Network) -> Pace | None:
    return next(filter(None, (recorded(features, network.device.type) for features in sets)), None)


def recorded(features: FeatureSet, device: str) -> Pace | None:
    """Return a set's pace, if it is one of a machine like this: a number that can't be is as good as none.

    What was found among more threads or fewer than torch has here says nothing of what is fast; a set that is begun
    is gone on with at its batch size nevertheless, in all threads. How many decode is found out every time.
    """
    import torch

    found, here = features.pace, torch.get_num_threads()
    numbers: list[Any] = [found.get(name) for name in ("cores", "batch_size", "threads")]
    sound = all(type(number) is int and 0 < number <= _MOST for number in numbers)
    if not sound or (found.get("device"), found["cores"]) != (device, cores()):
        return None
    size, threads = numbers[1:]
    same = Pace(device, cores(), size, cores(), threads, here, found.get("measured") is True, features.speed)
    if found.get("max_threads") == here:
        return same
    return replace(same, threads=here, measured=False) if _begun(features) else None
