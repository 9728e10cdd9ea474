"""A plan's features: computed where they are missing, and loaded."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING

from tqdm import tqdm

from pipeline.plan import SPLITS, Need, Plan, check_bad, pace
from pipeline.report import Extracted
from stages.errors import DamagedShard, StoreError, counted
from stages.extract import Extraction
from stages.extract import extract as run_backbone
from stages.specs import View
from stages.store import Features, FeatureSet, JointSets, common, load

if TYPE_CHECKING:
    from stages.backbones.backbone import Backbone
    from stages.backbones.sharing import SharedPass

log = logging.getLogger("frostline")


def extract_missing(plan: Plan) -> tuple[Extracted, ...]:
    """Compute what is missing of a plan's features; raise DataError if more than ``max_bad`` can't be used."""
    done = tuple(_extract_one(plan, need) for need in plan.needs())
    check_quarantined(plan, done)
    return done


def extract_shared(plans: Sequence[Plan]) -> int:
    """Compute what plans that differ in layer and pooling alone lack, from one pass; return how many rows it took.

    What can't be had so, to the bit, is left to each plan alone: layers that one pass does not give, sets most
    of whose rows lie in other sets, shards with a sample that can't be used.
    """
    return sum(_share(plans, split, view) for split, view in product(SPLITS, plans[0].settings.views))


def _share(plans: Sequence[Plan], split: str, view: View) -> int:
    needs = [(plan, plan.need(split, view)) for plan in plans]
    wanted = {need.key.digest: (plan, need) for plan, need in needs}  # two names may mean one layer
    lacking = [(plan, need) for plan, need in wanted.values() if 2 * need.rows_to_compute > need.missing_rows]
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
    started = time.perf_counter()
    computed = _run_backbone(plan, replace(need, known={}), JointSets(sets), shared)
    if computed:
        for features in sets:
            features.keep_speed(computed / (time.perf_counter() - started))
    return computed


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
    backbone = plan.backbone
    started = time.perf_counter()
    computed = _run_backbone(plan, need, features, backbone)
    seconds = time.perf_counter() - started
    if computed:
        features.keep_speed(computed / seconds)
    return _described(need, features, computed, seconds)


def _run_backbone(plan: Plan, need: Need, features: FeatureSet | JointSets, backbone: Backbone | SharedPass) -> int:
    ahead = 0 if backbone.device.type == "cpu" else 2
    batch_size, workers = pace(plan.settings, backbone)
    job = Extraction(need.samples, backbone, features, need.key.view, batch_size, workers, ahead, need.known)
    bar = tqdm(total=need.missing_rows, desc=need.samples.split, unit=" images", disable=None, smoothing=0.05)
    with bar:
        return run_backbone(replace(job, progress=bar.update))


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
    return Extracted(
        need.samples.split, need.key, features.folder, len(need.samples), need.width, bad, computed, seconds
    )


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
