"""A plan: settings of which nothing is left open."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from frostline.pipeline.plan.pick_mode import PickedMode
from frostline.pipeline.plan.resolve import Resolved
from frostline.pipeline.settings import ExtractSettings
from frostline.pipeline.workspace import Workspace
from frostline.stages.backbones.runtime import runtime_of
from frostline.stages.backbones.spec import BackboneSpec
from frostline.stages.datasets import Dataset, Samples
from frostline.stages.modalities.image.spec import View
from frostline.stages.store import FeatureSet
from frostline.stages.store.format_1 import old_digest
from frostline.stages.store.key import FeatureKey

if TYPE_CHECKING:
    from frostline.stages.backbones.inference.frozen import AnyBackbone

SPLITS = ("train", "test")


@dataclass(frozen=True, eq=False)
class Plan:
    """Which samples, through which network, in which numeric mode. Only ``load_network`` takes time.

    ``splits``: those whose features are needed. ``head``: the folder of the fitted head that it was made of; None: it
    was made of settings.
    """

    resolved: Resolved
    picked: PickedMode
    splits: tuple[str, ...] = SPLITS
    head: Path | None = None

    @property
    def settings(self) -> ExtractSettings:
        return self.resolved.inputs.settings

    @property
    def dataset(self) -> Dataset:
        return self.resolved.inputs.dataset

    @property
    def kind(self) -> str:
        """The kind of target that the dataset has."""
        return self.dataset.train.targets.kind

    @property
    def workspace(self) -> Workspace:
        return self.resolved.inputs.workspace

    @property
    def spec(self) -> BackboneSpec:
        return self.resolved.backbone.spec

    @property
    def width(self) -> int:
        """The length of a feature."""
        return self.resolved.backbone.width

    def samples(self, split: str) -> Samples:
        """Return one split, decoded as the mode says."""
        return self._whole(split).scaled(self.picked.mode.jpeg_min_side)

    def key(self, split: str, view: View) -> FeatureKey:
        """Return the key of one split's view."""
        mode, samples = self.picked.mode, self._whole(split)
        decoder = samples.decoder(mode.jpeg_min_side)
        runtime = runtime_of(self.settings.optimize)
        return FeatureKey(samples.content, self.spec, decoder, view, mode.precision, self.settings.dtype, runtime)

    def old_digest(self, split: str, view: View) -> str:
        """Return the digest that the key had in format 1."""
        return old_digest(self.key(split, view), self._whole(split).labelled_content)

    def cached_set(self, split: str, view: View) -> FeatureSet | None:
        """Return the feature set of one split's view, complete or not, if it was begun.

        One of format 1 as long as it has not been taken over whole: a process may have died on the way.
        """
        store = self.workspace.store
        found = store.find(self.key(split, view).digest)
        if found is not None and found.complete:
            return found
        return store.find(self.old_digest(split, view)) or found

    def load_network(self) -> AnyBackbone:
        """Return the network in the plan's precision; loaded at the first call, and kept."""
        return self.resolved.network.at(self.picked.mode.precision)

    def _whole(self, split: str) -> Samples:
        return self.dataset.test if split == "test" else self.dataset.train
