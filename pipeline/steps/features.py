"""A plan's features: computed where they are missing, and loaded."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import product

from frostline.pipeline.engines.batching import recorded
from frostline.pipeline.engines.local import fill
from frostline.pipeline.plan.plan import SPLITS, Need, Plan, check_bad
from frostline.pipeline.records.run import Extracted
from frostline.stages.errors import DamagedShard, StoreError, counted
from frostline.stages.modalities.image.spec import View
from frostline.stages.store import Features, FeatureSet, common, load

log = logging.getLogger("frostline")


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
    from frostline.stages.backbones.inference.multi_layer import share

    shared = share([plan.backbone for plan, _ in lacking])
    if shared is None:
        return 0
    plan, need = max(lacking, key=lambda one: one[1].missing_rows)
    sets = [plan.begin(need) for plan, need in lacking]
    layers = ", ".join(need.key.backbone.layer for _, need in lacking)
    log.info("%s %s (%s): %s in one pass", need.samples.dataset, split, view, layers)
    return fill(plan, replace(need, known={}), sets, shared)[0]


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
    computed, seconds = fill(plan, need, [features], plan.backbone)
    return _described(need, features, computed, seconds)


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
