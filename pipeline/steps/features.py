"""A plan's features: computed where they are missing, and loaded."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import TypeVar

import numpy as np

from frostline.pipeline.engines.batching import recorded
from frostline.pipeline.engines.fill import fill, fill_together
from frostline.pipeline.plan.begin import begin
from frostline.pipeline.plan.inputs import check_bad
from frostline.pipeline.plan.lookup import FeatureRequest, look_up, required_sets
from frostline.pipeline.plan.plan import SPLITS, Plan
from frostline.pipeline.plan.steady import unsteady
from frostline.pipeline.records.run import Extracted
from frostline.pipeline.report.wording import Message
from frostline.stages.datasets import Samples
from frostline.stages.errors import DamagedShard, DataError, StoreError, counted, listing
from frostline.stages.extract.known_rows import copy_set
from frostline.stages.extract.truncation import Truncation, read_truncation
from frostline.stages.modalities.image.spec import View
from frostline.stages.modalities.registry import MODALITIES
from frostline.stages.store import Features, FeatureSet, KnownRows, common, in_use, load, open_set
from frostline.stages.store.format_1 import is_old, take_over
from frostline.stages.store.targets import target_file
from frostline.stages.targets.base import DEFAULT

log = logging.getLogger("frostline")
Result = TypeVar("Result")


def extract_missing(plan: Plan) -> tuple[Extracted, ...]:
    """Compute what is missing of a plan's features; raise DataError if more than ``max_bad`` can't be used."""
    done = tuple(_extract_one(plan, taken_over(plan, request)) for request in required_sets(plan))
    for note in (*unsteady_notes(done), *truncation_notes(done)):
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
    requests = [(plan, taken_over(plan, look_up(plan, split, view))) for plan in plans]
    wanted = {request.key.digest: (plan, request) for plan, request in requests}  # two names may mean one layer
    lacking = [(plan, one) for plan, one in wanted.values() if 2 * one.rows_to_compute > one.missing_rows]
    lacking = _batched_alike(lacking)
    if len(lacking) < 2:
        return 0
    from frostline.stages.backbones.inference.multi_layer import share_pass

    lacking.sort(key=lambda one: -one[1].missing_rows)
    request = lacking[0][1]
    shared = share_pass([plan.load_network() for plan, _ in lacking])
    if shared is None:
        return 0
    sets = [begin(plan, request) for plan, request in lacking]
    layers = ", ".join(request.key.backbone.layer for _, request in lacking)
    log.info("%s %s (%s): %s in one pass", request.samples.dataset, split, view, layers)
    return fill_together([plan for plan, _ in lacking], replace(request, reusable=KnownRows()), sets, shared)[0]


def _batched_alike(lacking: list[tuple[Plan, FeatureRequest]]) -> list[tuple[Plan, FeatureRequest]]:
    """Return those that can be continued in one size of batches: the one that most of them have, or none yet."""
    found = [recorded(one.existing, plan.load_network().device.type) if one.existing else None for plan, one in lacking]
    how = [(batch.batch_size, batch.threads) if batch else None for batch in found]
    commonest = max(filter(None, how), key=how.count, default=None)
    return [one for one, own in zip(lacking, how, strict=True) if own in (None, commonest)]


def check_quarantined(plan: Plan, features: Iterable[Extracted]) -> None:
    """Raise DataError if more samples are quarantined than are tolerated, or all training samples of a class."""
    found = list(features)
    bad = {(b.id, b.reason): None for e in found for b in e.quarantined}
    check_bad([f"{name}: {reason}" for name, reason in bad], plan.settings.max_bad)
    wrong = _emptied(plan.dataset.train, {b.row: b.reason for e in found if e.split == "train" for b in e.quarantined})
    if wrong:
        raise DataError(f"{plan.dataset.name} can't be used:\n{listing(wrong)}\nRepair the files, or remove the class.")


def _emptied(train: Samples, bad: Mapping[int, str]) -> list[str]:
    """Return the classes of which no training sample is left, each with a reason."""
    names, values = train.targets.names, train.targets.values
    if not bad or train.targets.kind != DEFAULT:
        return []
    left = np.bincount(np.delete(values, list(bad)), minlength=len(names))
    first = {int(values[row]): row for row in sorted(bad, reverse=True)}
    return [
        f"class {names[label]!r}: none of its training samples can be used ({train.ids[row]}: {bad[row]})"
        for label, row in sorted(first.items())
        if not left[label]
    ]


def _extract_one(plan: Plan, request: FeatureRequest) -> Extracted:
    x = request.samples
    if request.existing is not None and request.complete:
        if x.targets.names and not is_old(request.existing):
            request.existing.keep_targets(target_file(x.targets, x.ids))
        request.existing.publish()
        log.info("%s %s (%s): %s cached", x.dataset, x.split, request.key.view, counted(len(x), "row"))
        made = request.existing.provenance.optimize
        if made != plan.settings.optimize:
            log.info("note: these features were computed with --optimize %s", made)
        return cached(request)
    log.info("%s %s (%s): %s to compute", x.dataset, x.split, request.key.view, counted(request.rows_to_compute, "row"))
    for change in request.changes:
        log.info("cached features can't be used: %s", change)
    features = begin(plan, request)
    if not request.rows_to_compute:
        copy_set(x, request.reusable, features, request.width)
        return _described(request, features, 0, 0.0)
    computed, seconds = fill(plan, request, features)
    return _described(request, features, computed, seconds)


def cached(request: FeatureRequest) -> Extracted:
    """Return a feature set that is there. Raises StoreError if it is not complete."""
    if request.existing is None or not request.complete:
        x = request.samples
        why = "; ".join(request.changes) or "never computed"
        raise StoreError(
            f"the features of {x.dataset} {x.split} ({request.key.view}) are not cached ({why}); run `frostline "
            "extract` with the same settings first"
        )
    return _described(request, request.existing, 0, 0.0)


def unsteady_notes(done: Iterable[Extracted]) -> tuple[str, ...]:
    """Return one line for each network whose features, cached all the same, can't be made again."""
    seen = dict.fromkeys(unsteady(open_set(one.folder) for one in done))
    text = "these features are not reproducible (--allow-unsteady): "
    return tuple(str(Message("warning", text + what)) for what in seen)


def truncation_notes(done: Iterable[Extracted]) -> tuple[str, ...]:
    """Return a line for each feature set of whose samples something was cut off, and for one of samples unknown."""
    notes: list[str] = []
    for one in done:
        if cut := read_truncation(open_set(one.folder).provenance.truncation):
            notes += _notes_on(cut, one)
    return tuple(dict.fromkeys(notes))


def _notes_on(cut: Truncation, one: Extracted) -> Iterator[str]:
    backbone = one.key.backbone
    noun = MODALITIES.load(backbone.modality).noun
    if cut.lost:
        yield (
            f"{one.split}: {cut.told(noun)}; {backbone.name} limits the length of {noun}s, see --max-length, --windows"
        )
    if cut.unknown:
        yield f"{one.split}: {cut.told_unknown(noun)}"


def _described(request: FeatureRequest, features: FeatureSet, computed: int, seconds: float) -> Extracted:
    bad = tuple(features.quarantined())
    size = len(request.samples), request.width
    pace, licence = features.pace, features.provenance.licence
    split, folder = request.samples.split, features.folder
    return Extracted(split, request.key, folder, *size, bad, computed, seconds, pace, licence)


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
        max_bytes = _share_of_memory() // len(requests)
        found = [_loaded(request, max_bytes) for request in requests if request.existing is not None]
        # A set is known by its content alone: another command may have made it under another name.
        return [replace(view, split=split) for view in common(found)]


def _loaded(request: FeatureRequest, in_memory: int) -> Features:
    assert request.existing is not None
    found = load(request.existing, request.samples.targets, in_memory)
    return replace(found, key=request.key.digest)


def _share_of_memory() -> int:
    """Return what one split's features may take, in bytes: a quarter, since a fit makes a copy or two.

    More stay on disk, and fits read them from there.
    """
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4


def requests_of(plan: Plan, split: str) -> list[FeatureRequest]:
    """Return what a plan needs of one split, one per view."""
    return [taken_over(plan, look_up(plan, split, view)) for view in plan.settings.views]


def taken_over(plan: Plan, request: FeatureRequest) -> FeatureRequest:
    """Return a request whose set, if it was of format 1, is of format 2 now; on a read-only disk it stays as it is."""
    old, x = request.existing, request.samples
    if old is None or not is_old(old) or in_use(old.folder):
        return request
    try:
        new = take_over(old, plan.workspace.store, request.key.dataset, target_file(x.targets, x.ids))
    except StoreError as error:
        log.warning("%s keeps format 1 (%s)", old.folder, error)
        return request
    log.info("%s %s (%s): converted from format 1, nothing computed", x.dataset, x.split, request.key.view)
    return replace(request, existing=new)


def mended(work: Callable[[], Result]) -> Result:
    """Return what some work returns; a damaged shard met on the way is forgotten once, and the work done again.

    Raises DamagedShard for one that is damaged again.
    """
    met: set[str] = set()
    while True:
        try:
            return work()
        except DamagedShard as damaged:
            if damaged.path in met:
                raise
            met.add(damaged.path)
            drop(open_set(Path(damaged.path).parents[1]), damaged)


def drop(features: FeatureSet, damaged: DamagedShard) -> None:
    """Forget a damaged shard, so that it is computed again, unless another process has done that meanwhile."""
    try:
        FeatureSet(features.folder, features.layout).read(damaged.shard)  # not as it was listed before
    except DamagedShard:
        log.warning("%s; computing that shard again", damaged.found)
        features.drop(damaged.shard)
