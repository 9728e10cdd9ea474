"""A plan's features: computed where they are missing, and loaded."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import product

from frostline.pipeline.engines.batching import recorded
from frostline.pipeline.engines.fill import fill, fill_together
from frostline.pipeline.plan.begin import begin
from frostline.pipeline.plan.inputs import check_bad
from frostline.pipeline.plan.lookup import FeatureRequest, look_up, required_sets
from frostline.pipeline.plan.plan import SPLITS, Plan
from frostline.pipeline.plan.steady import unsteady
from frostline.pipeline.records.run import Extracted
from frostline.stages.errors import DamagedShard, StoreError, counted
from frostline.stages.modalities.image.spec import View
from frostline.stages.store import Features, FeatureSet, common, load, open_set

log = logging.getLogger("frostline")


def extract_missing(plan: Plan) -> tuple[Extracted, ...]:
    """Compute what is missing of a plan's features; raise DataError if more than ``max_bad`` can't be used."""
    done = tuple(_extract_one(plan, request) for request in required_sets(plan))
    for note in unsteady_notes(done):
        log.warning("%s", note)
    check_quarantined(plan, done)
    return done


def extract_shared(plans: Sequence[Plan]) -> int:
    """Compute what plans that differ in layer and pooling alone lack, from one pass; return how many rows it took.

    What can't be had so, to the bit, is left to each plan alone: layers that one pass does not give, sets most
    of whose rows lie in other sets, sets begun in batches of another size, shards with a sample that
    can't be used.
    """
    return sum(_share(plans, split, view) for split, view in product(SPLITS, plans[0].settings.views))


def _share(plans: Sequence[Plan], split: str, view: View) -> int:
    requests = [(plan, look_up(plan, split, view)) for plan in plans]
    wanted = {request.key.digest: (plan, request) for plan, request in requests}  # two names may mean one layer
    lacking = [(plan, one) for plan, one in wanted.values() if 2 * one.rows_to_compute > one.missing_rows]
    lacking = _batched_alike(lacking)
    if len(lacking) < 2:
        return 0
    from frostline.stages.backbones.inference.multi_layer import share_pass

    shared = share_pass([plan.load_network() for plan, _ in lacking])
    if shared is None:
        return 0
    plan, request = max(lacking, key=lambda one: one[1].missing_rows)
    sets = [begin(plan, request) for plan, request in lacking]
    layers = ", ".join(request.key.backbone.layer for _, request in lacking)
    log.info("%s %s (%s): %s in one pass", request.samples.dataset, split, view, layers)
    return fill_together(plan, replace(request, reusable={}), sets, shared)[0]


def _batched_alike(lacking: list[tuple[Plan, FeatureRequest]]) -> list[tuple[Plan, FeatureRequest]]:
    """Return those that can be gone on with in one size of batches: the one that most of them have, or none yet."""
    found = [recorded(one.existing, plan.load_network().device.type) if one.existing else None for plan, one in lacking]
    how = [(batch.batch_size, batch.threads) if batch else None for batch in found]
    most = max(filter(None, how), key=how.count, default=None)
    return [one for one, own in zip(lacking, how, strict=True) if own in (None, most)]


def check_quarantined(plan: Plan, features: Iterable[Extracted]) -> None:
    """Raise DataError if more samples are quarantined than are tolerated."""
    bad = {(b.id, b.reason): None for e in features for b in e.quarantined}
    check_bad([f"{name}: {reason}" for name, reason in bad], plan.settings.max_bad)


def _extract_one(plan: Plan, request: FeatureRequest) -> Extracted:
    x = request.samples
    if request.existing is not None and request.complete:
        request.existing.publish()
        log.info("%s %s (%s): %s cached", x.dataset, x.split, request.key.view, counted(len(x), "row"))
        made = request.existing.made.get("optimize", "auto")
        if made != plan.settings.optimize:
            log.info("note: these were made with --optimize %s", made)
        return cached(request)
    log.info("%s %s (%s): %s to compute", x.dataset, x.split, request.key.view, counted(request.rows_to_compute, "row"))
    for change in request.changes:
        log.info("  not the cached features: %s", change)
    features = begin(plan, request)
    computed, seconds = fill(plan, request, features)
    return _described(request, features, computed, seconds)


def cached(request: FeatureRequest) -> Extracted:
    """Return a feature set that is there. Raises StoreError if it is not complete."""
    if request.existing is None or not request.complete:
        x = request.samples
        why = "; ".join(request.changes) or "never computed"
        raise StoreError(
            f"the features of {x.dataset} {x.split} ({request.key.view}) are not cached ({why}); "
            f"`frostline extract` with the same settings makes them"
        )
    return _described(request, request.existing, 0, 0.0)


def unsteady_notes(done: Iterable[Extracted]) -> tuple[str, ...]:
    """Return one line for each network whose features, cached all the same, can't be made again."""
    seen = dict.fromkeys(unsteady(open_set(one.folder) for one in done))
    return tuple(f"WARNING these features can't be made again (--allow-unsteady): {what}" for what in seen)


def _described(request: FeatureRequest, features: FeatureSet, computed: int, seconds: float) -> Extracted:
    bad = tuple(features.quarantined())
    size = len(request.samples), request.width
    return Extracted(request.samples.split, request.key, features.folder, *size, bad, computed, seconds, features.pace)


class LazyFeatures:
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
        requests = requests_of(self._plan, split)
        check_quarantined(self._plan, map(cached, requests))
        most = _share_of_memory() // len(requests)
        found = [load(request.existing, most) for request in requests if request.existing is not None]
        # A set is known by its content alone: another command may have made it under another name.
        return [replace(view, split=split) for view in common(found)]


def _share_of_memory() -> int:
    """Return what one split's features may take, in bytes: a quarter, since a fit makes a copy or two.

    More stay on disk, and fits read them from there.
    """
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4


def requests_of(plan: Plan, split: str) -> list[FeatureRequest]:
    """Return what a plan needs of one split, one per view."""
    return [look_up(plan, split, view) for view in plan.settings.views]


def drop(features: FeatureSet, damaged: DamagedShard) -> None:
    """Forget a damaged shard, so that it is computed again."""
    log.warning("%s; computing that shard anew", damaged)
    features.drop(damaged.shard)
