"""A plan's features: computed where they are missing, and loaded."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING

from tqdm import tqdm

from pipeline.config import ExtractSettings
from pipeline.devices import beside, counted_in, devices_of
from pipeline.pacing import Pace, keep, paced, recorded
from pipeline.phrases import decoding_limit
from pipeline.plan import SPLITS, Need, Plan, check_bad
from pipeline.report import Extracted
from pipeline.ways import Way
from stages.errors import DamagedShard, StoreError, counted
from stages.extract import Effort, Extraction
from stages.extract import extract as run_backbone
from stages.specs import View
from stages.store import Features, FeatureSet, JointSets, common, load

if TYPE_CHECKING:
    from stages.backbones.backbone import Backbone
    from stages.backbones.sharing import SharedPass

log = logging.getLogger("frostline")
_WORTH = 16_384  # rows for each device: fewer are done before another process has begun


def extract_missing(plan: Plan) -> tuple[Extracted, ...]:
    """Compute what is missing of a plan's features; raise DataError if more than ``max_bad`` can't be used."""
    done = tuple(_extract_one(plan, need) for need in plan.needs())
    check_quarantined(plan, done)
    return done


def extract_shared(plans: Sequence[Plan]) -> int:
    """Compute what plans that differ in layer and pooling alone lack, from one pass; return how many rows it took.

    What can't be had so, to the bit, is left to each plan alone: layers that one pass does not give, sets most
    of whose rows lie in other sets, sets begun at another pace than the others, shards with a sample that
    can't be used.
    """
    return sum(_share(plans, split, view) for split, view in product(SPLITS, plans[0].settings.views))


def _share(plans: Sequence[Plan], split: str, view: View) -> int:
    needs = [(plan, plan.need(split, view)) for plan in plans]
    wanted = {need.key.digest: (plan, need) for plan, need in needs}  # two names may mean one layer
    lacking = [(plan, need) for plan, need in wanted.values() if 2 * need.rows_to_compute > need.missing_rows]
    lacking = _at_one_pace(lacking)
    if len(lacking) < 2:
        return 0
    from stages.backbones.sharing import share

    shared = share([plan.backbone for plan, _ in lacking])
    if shared is None:
        return 0
    plan, need = max(lacking, key=lambda one: one[1].missing_rows)
    sets = [plan.begin(need) for plan, need in lacking]
    layers = ", ".join(need.key.backbone.layer for _, need in lacking)
    log.info("%s %s (%s): %s in one pass", need.samples.dataset, split, view, layers)
    return _run_backbone(plan, replace(need, known={}), sets, shared)[0]


def _at_one_pace(lacking: list[tuple[Plan, Need]]) -> list[tuple[Plan, Need]]:
    """Return those that can be gone on with at one pace: the one that most of them have, or none yet."""
    paces = [recorded(need.found, plan.backbone.device.type) if need.found else None for plan, need in lacking]
    ways = [(pace.batch_size, pace.threads) if pace else None for pace in paces]
    most = max(filter(None, ways), key=ways.count, default=None)
    return [one for one, way in zip(lacking, ways, strict=True) if way in (None, most)]


def check_quarantined(plan: Plan, features: Iterable[Extracted]) -> None:
    """Raise DataError if more samples are quarantined than are tolerated."""
    bad = {(b.id, b.reason): None for e in features for b in e.quarantined}
    check_bad([f"{name}: {reason}" for name, reason in bad], plan.settings.max_bad)


def _extract_one(plan: Plan, need: Need) -> Extracted:
    x = need.samples
    if need.found is not None and need.complete:
        need.found.publish()
        log.info("%s %s (%s): %s cached", x.dataset, x.split, need.key.view, counted(len(x), "row"))
        return cached(need)
    log.info("%s %s (%s): %s to compute", x.dataset, x.split, need.key.view, counted(need.rows_to_compute, "row"))
    for change in need.changes:
        log.info("  not the cached features: %s", change)
    features = plan.begin(need)
    computed, seconds = _run_backbone(plan, need, [features], plan.backbone)
    return _described(need, features, computed, seconds)


def _run_backbone(
    plan: Plan, need: Need, sets: Sequence[FeatureSet], backbone: Backbone | SharedPass
) -> tuple[int, float]:
    """Fill sets side by side, on every device there is; return how many rows were computed, and in what time."""
    started, rows = time.perf_counter(), need.rows_to_compute
    job = _job(need, sets, backbone)
    pace = paced(plan, rows, sets, backbone, job)
    # Sets side by side are filled here alone, as one pass: a helper knows one set
    devices = devices_of(plan.settings.device)[: max(1, rows // _WORTH)] if len(sets) == 1 else [str(backbone.device)]
    pace = replace(pace, workers=max(1, pace.workers // len(devices)))
    parts = [["-m", "pipeline.helper", _part(plan, need, pace, device)] for device in devices[1:]]
    with beside(parts) as helpers:
        effort = _filled(job, sets, pace)
        computed = effort.rows + sum(map(counted_in, helpers))
    seconds = time.perf_counter() - started
    if computed:
        pace = pace.after(replace(effort, rows=computed, seconds=seconds))
        keep(sets, pace)
        limit = decoding_limit(asdict(pace), seconds)
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
    from stages.backbones.pacing import in_threads

    def halved(images: int, said: str) -> None:
        log.warning("not enough memory for %d images at once (%s); going on with %d", 2 * images, said, images)
        keep(sets, replace(pace, batch_size=images, measured=False))

    rows = sum(len(sets[0].span(shard)) for shard in job.features.missing())
    bar = tqdm(total=rows, desc=job.samples.split, unit=" images", disable=None, smoothing=0.05)
    job = replace(job, batch_size=pace.batch_size, workers=pace.workers, progress=bar.update, halved=halved)
    with bar, in_threads(pace.threads):
        return run_backbone(job)


def cached(need: Need) -> Extracted:
    """Return a feature set that is there. Raises StoreError if it is not complete."""
    if need.found is None or not need.complete:
        x = need.samples
        why = "; ".join(need.changes) or "never computed"
        raise StoreError(
            f"the features of {x.dataset} {x.split} ({need.key.view}) are not cached ({why}); "
            f"`frostline extract` with the same settings makes them"
        )
    return _described(need, need.found, 0, 0.0)


def _described(need: Need, features: FeatureSet, computed: int, seconds: float) -> Extracted:
    bad = tuple(features.quarantined())
    size = len(need.samples), need.width
    return Extracted(need.samples.split, need.key, features.folder, *size, bad, computed, seconds, features.pace)


class Loaded:
    """A plan's features, read when they are first asked for."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    @cached_property
    def train(self) -> list[Features]:
        """One per view."""
        return self._load("train")

    @cached_property
    def test(self) -> list[Features]:
        """One per view, for evaluation alone."""
        return self._load("test")

    def _load(self, split: str) -> list[Features]:
        needs = needs_of(self._plan, split)
        check_quarantined(self._plan, [cached(need) for need in needs])
        most = _share_of_memory() // len(needs)
        found = [load(need.found, most) for need in needs if need.found is not None]
        # A set is known by its content alone: another command may have made it under another name.
        return [replace(view, split=split) for view in common(found)]


def _share_of_memory() -> int:
    """Return what one split's features may take, in bytes: a quarter, since a fit makes a copy or two.

    More stay on disk, and fits read them from there.
    """
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4


def needs_of(plan: Plan, split: str) -> list[Need]:
    """Return what a plan needs of one split, one per view."""
    return [plan.need(split, view) for view in plan.settings.views]


def drop(features: FeatureSet, damaged: DamagedShard) -> None:
    """Forget a damaged shard, so that it is computed again."""
    log.warning("%s; computing that shard anew", damaged)
    features.drop(damaged.shard)
