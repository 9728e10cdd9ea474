"""What a run needs, what of it is cached, and what is missing."""

from __future__ import annotations

import logging
import os
import platform
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property, partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from frostline.pipeline.plan.numeric_mode import Chosen, Way, choose, distinct, ways
from frostline.pipeline.settings.models import ExtractSettings
from frostline.pipeline.workspace import Resolved, Workspace
from frostline.stages.backbones import fingerprint, load_backbone
from frostline.stages.backbones.spec import Precision
from frostline.stages.datasets import Dataset, Samples, open_dataset
from frostline.stages.errors import ConfigError, DataError, StoreError, UnreadableSample, counted, listing
from frostline.stages.modalities.image.decode import decoder
from frostline.stages.modalities.image.spec import View
from frostline.stages.store import FeatureSet, Layout, Place
from frostline.stages.store.key import FeatureKey, computation

if TYPE_CHECKING:
    from frostline.stages.backbones.inference.backbone import Backbone

log = logging.getLogger("frostline")
SPLITS = ("train", "test")


@dataclass(frozen=True)
class Need:
    """One feature set that is needed. ``known``: rows that lie in other sets."""

    samples: Samples
    key: FeatureKey
    width: int
    found: FeatureSet | None
    known: dict[bytes, Place]
    changes: tuple[str, ...]

    @property
    def complete(self) -> bool:
        return self.found is not None and self.found.complete

    @property
    def missing_rows(self) -> int:
        """How many rows are not committed."""
        if self.found is None:
            return len(self.samples)
        return sum(len(self.found.span(shard)) for shard in self.found.missing())

    @property
    def rows_to_compute(self) -> int:
        """How many rows must go through the backbone."""
        if self.complete:
            return 0
        spans = [range(len(self.samples))] if self.found is None else map(self.found.span, self.found.missing())
        return sum(self.samples.digests[row].tobytes() not in self.known for span in spans for row in span)

    @property
    def bytes_needed(self) -> int:
        return self.missing_rows * self.width * np.dtype(self.key.dtype).itemsize


class Plan:
    """One dataset through one backbone: opened, resolved and looked up only as far as asked.

    ``may_load``: whether the network may be built to find out what its name means.
    """

    def __init__(self, settings: ExtractSettings, dataset: Dataset | None = None, *, may_load: bool = True) -> None:
        fingerprint(settings.request())  # a missing file is said before any image is read
        self.settings = settings
        self.may_load = may_load
        self.workspace = Workspace(settings.data_dir)
        self._chosen: Chosen | None = None
        self._loaded: Backbone | None = None
        if dataset is not None:
            self.dataset = dataset

    @cached_property
    def dataset(self) -> Dataset:
        """The dataset. Raises DataError for samples seen to be unreadable, beyond ``max_bad``."""
        s = self.settings
        with tqdm(desc="reading", unit=" files", disable=None, leave=False, delay=1) as bar:
            dataset = open_dataset(
                s.dataset,
                root=s.root,
                test_fraction=s.test_fraction,
                seed=s.seed,
                downloads=self.workspace.downloads,
                memory=self.workspace.index(s.dataset, s.root),
                progress=partial(_tick, bar),
            )
        for note in dataset.notes:
            log.info("note: %s", note)
        bad = [f"{x.ids[row]}: {reason}" for x in dataset.splits for row, reason in sorted(x.problems.items())]
        check_bad(bad, s.max_bad, "; others may turn up when they are decoded")
        return dataset

    @cached_property
    def resolved(self) -> Resolved:
        """What the backbone's name means; the network is loaded only if that isn't remembered."""
        request, workspace = self.settings.request(), self.workspace
        mark = fingerprint(request)
        found = mark and (workspace.recall(mark) or workspace.recall({**mark, "size": self.example.size}))
        if found:
            return found
        if mark and not self.may_load:
            raise StoreError(
                f"no features of {self.settings.backbone} with these settings are cached; "
                "`frostline extract` with the same settings makes them"
            )
        found = Resolved(self._network.spec, self._network.width)
        mark = fingerprint(request)  # once more: loading may have downloaded the weights
        if mark:
            size = {} if found.spec.preprocessing.fixes_size else {"size": self.example.size}
            workspace.remember({**mark, **size}, found)
        return found

    @cached_property
    def example(self) -> Any:
        """The first image that can be read."""
        train = self.dataset.train
        for row in range(len(train)):
            try:
                return train.read(row)
            except UnreadableSample:
                continue
        raise DataError(f"no image of {self.dataset.name} can be read")

    @property
    def backbone(self) -> Backbone:
        """The network, in the precision of the features; loaded at the first call."""
        if self._network.precision != self.precision:
            self._loaded = self._network.at(self.precision)
        return self._network

    @property
    def _network(self) -> Backbone:
        """The network in whatever precision it is in now."""
        if self._loaded is None:
            s = self.settings
            log.info("loading %s", s.backbone)
            precision = "fp32" if s.precision == "auto" else s.precision
            self._loaded = load_backbone(
                s.request(), self.example, precision=precision, device=device_of(s.device), optimize=s.optimize
            )
        return self._loaded

    @property
    def precision(self) -> Precision:
        """The backbone's arithmetic."""
        return self.way.precision

    @cached_property
    def way(self) -> Way:
        """How features are made: what is asked for, else what is cached, else what is fast and bears a check."""
        spec, train = self.resolved.spec, self.dataset.train
        asked = ways(self.settings, spec)
        cached = self._cached_way(asked)
        if cached:
            return cached
        left = distinct(asked, train)
        cached = self._cached_way(left)
        if cached or len(left) == 1 or not self.may_load:
            return cached or left[0]
        self._chosen = choose(self._network, left, spec, train)
        self._loaded = self._chosen.network
        return self._chosen.way

    def _cached_way(self, choices: list[Way]) -> Way | None:
        """Return the way of the most that is cached, of equals the most exact one; what is exact has no choice."""
        if len(choices) == 1 and choices[0].least is None:
            return choices[0]
        score = {way: self._cached_by(way) for way in choices}
        best = max(choices, key=lambda way: score[way])
        return best if score[best] else next((way for way in choices if self._reusable_by(way)), None)

    def _reusable_by(self, way: Way) -> bool:
        """Whether other sets hold rows made in a way, as those of a dataset that has grown since do."""
        store, views = self.workspace.store, self.settings.views
        return any(store.rows_like(self.key("train", view, way)) for view in views)

    def _cached_by(self, way: Way) -> int:
        """Return how much there is of a way: 1 for each set begun, more for one that is complete."""
        sets = [self.workspace.store.find(self.key(n, v, way)) for n in SPLITS for v in self.settings.views]
        return sum(1 + 1000 * found.complete for found in sets if found is not None)

    def samples(self, split: str) -> Samples:
        return self.dataset.train if split == "train" else self.dataset.test

    def key(self, split: str, view: View, way: Way | None = None) -> FeatureKey:
        """Return the key of one split's view, made in the plan's way or in another."""
        content, spec, way = self.samples(split).content, self.resolved.spec, way or self.way
        return FeatureKey(content, spec, decoder(way.least), view, way.precision, self.settings.dtype)

    def need(self, split: str, view: View) -> Need:
        """Return what is there of one split's view, and why the rest is not."""
        key, store = self.key(split, view), self.workspace.store
        samples = self.samples(split).scaled(self.way.least)
        found = store.find(key)
        if found is not None and found.complete:
            return Need(samples, key, self.resolved.width, found, {}, ())
        changes = store.nearest(key, samples.dataset, samples.split) if found is None else []
        return Need(samples, key, self.resolved.width, found, store.rows_like(key), tuple(changes))

    def needs(self) -> list[Need]:
        """Return every feature set that the settings ask for."""
        return [self.need(split, view) for split in SPLITS for view in self.settings.views]

    def begin(self, need: Need) -> FeatureSet:
        """Return the set of a need, begun if it is not there."""
        if need.found is not None:
            return need.found
        x = need.samples
        layout = Layout(need.key.fields(), x.dataset, x.split, x.classes, len(x), need.width)
        return self.workspace.store.begin(need.key, layout, self.provenance())

    def seconds(self, need: Need) -> float | None:
        """Return how long the missing rows should take, by the newest set of the same computation."""
        same = computation(need.key.fields())
        like = [f for f in self.workspace.store.sets() if f.speed and computation(f.layout.key) == same]
        newest = max(like, key=lambda f: str(f.made.get("made")), default=None)
        return need.rows_to_compute / newest.speed if newest and newest.speed else None

    def provenance(self) -> dict[str, Any]:
        """Return when, where and with which versions features are being made."""
        names = ("frostline", "torch", "torchvision", "numpy", "h5py", "pillow")
        chosen = self._chosen
        return {
            "made": now(),
            "host": platform.node(),
            "processor": platform.processor() or platform.machine(),
            "device": str(self.backbone.device),
            "agreement": asdict(chosen.precision) if chosen and chosen.precision else None,
            "decode_agreement": asdict(chosen.decode) if chosen and chosen.decode else None,
            "versions": {name: version(name) for name in names},
        }


def _tick(bar: Any, done: int, total: int) -> None:
    bar.total = total
    bar.update(done - bar.n)


def check_bad(bad: list[str], max_bad: int, more: str = "") -> None:
    """Raise DataError that lists the unreadable samples if there are more than ``max_bad``."""
    if len(bad) > max_bad:
        raise DataError(
            f"{counted(len(bad), 'sample')} can't be used, {max_bad} tolerated:\n{listing(bad)}\n"
            f"Mend or remove them, or pass --max-bad {len(bad)} to go on without them{more}."
        )


def device_of(name: str) -> str:
    """Return the torch device of a setting. Raises ConfigError if it isn't there."""
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(
            f"no device {name!r} here ({str(error).splitlines()[0]}); wanted auto, cpu or cuda"
        ) from error
    return name


def now() -> str:
    """Return the time, UTC, as ``2026-01-31T23:59:59.123Z``: two sets of one second are told apart."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def cores() -> int:
    """Return how many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
