"""Before a feature set is begun: whether its network gives a sample the same features each time and in any company."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from frostline.pipeline.plan.lookup import FeatureRequest
from frostline.pipeline.plan.passed import MAX_BATCH, keep_steady
from frostline.pipeline.plan.plan import Plan
from frostline.stages.backbones import item_for
from frostline.stages.backbones.spec import BackboneSpec
from frostline.stages.datasets import Samples
from frostline.stages.errors import UnreadableSample
from frostline.stages.modalities.base import Arrays, Item
from frostline.stages.modalities.items import by_shape, stacked
from frostline.stages.modalities.registry import MODALITIES
from frostline.stages.store import FeatureSet

if TYPE_CHECKING:
    from frostline.stages.backbones.inference.frozen import AnyBackbone
    from frostline.stages.backbones.inference.steadiness import Unsteady

log = logging.getLogger("frostline")
_SAMPLES = MAX_BATCH // 2
_FEWER = 2  # of a network that was found steady before


def unsteadiness_seen(plan: Plan, request: FeatureRequest) -> str:
    """Return what of a new set's rows can't be made again, in a line; nothing where all can.

    A few of its samples go through the network four times, once in a command; fewer where the network was found
    steady before on a machine like this. Rows that lie in unsteady sets count.
    Raises ConfigError unless ``--allow-unsteady``.
    """
    network = plan.resolved.network
    if network.unsteady is None and request.rows_to_compute:
        network.unsteady = _tried(plan, request.samples)
    return network.unsteady or next(unsteady(request.reusable.sets), "")


def unsteady(sets: Iterable[FeatureSet]) -> Iterator[str]:
    """Yield what was seen of each set whose features can't be made again."""
    for features in dict.fromkeys(sets):
        if features.provenance.unsteady:
            yield features.provenance.unsteady


def _tried(plan: Plan, samples: Samples) -> str:
    from frostline.stages.backbones.inference.steadiness import refusal

    backbone = plan.load_network()
    if not backbone.has_weights:
        return ""
    known = plan.resolved.network.was_steady(backbone.precision)
    wanted = _wanted(plan.settings.batch_size, _FEWER if known else _SAMPLES)
    items = _items(wanted, samples, backbone.spec)
    if not items:
        return ""
    alike = max(by_shape(items), key=len)
    found = _found(plan, backbone, stacked([items[row] for row in alike]))
    if found is None:
        # a network that is waived was loaded without the check on noise
        if not (known or plan.settings.allow_unsteady) and len(alike) == wanted:
            keep_steady(plan.resolved.inputs, backbone.spec, backbone.precision)
        return ""
    names, noun = [samples.ids[row] for row in alike], MODALITIES.load(samples.modality).noun
    if not plan.settings.allow_unsteady:
        raise refusal(plan.settings.backbone, found, names, noun)
    return f"{plan.settings.backbone} {found.told(names, noun)}"


def _found(plan: Plan, backbone: AnyBackbone, batch: Arrays) -> Unsteady | None:
    from frostline.stages.backbones.inference.batches import BatchLimit, in_turn
    from frostline.stages.backbones.inference.steadiness import unsteadiness

    limit, max_batch = BatchLimit(MAX_BATCH), plan.settings.batch_size or MAX_BATCH
    return unsteadiness(lambda some: next(in_turn(backbone.embed, [some], limit)), batch, backbone.precision, max_batch)


def _wanted(batch_size: int | None, most: int) -> int:
    """Return how many samples are tried."""
    return min(most, max(2, batch_size or most))


def _items(count: int, samples: Samples, spec: BackboneSpec) -> dict[int, Item]:
    """Return items of ``count`` samples, evenly spread, by row; fewer if some can't be read."""
    found = {}
    for row in np.unique(np.linspace(0, len(samples) - 1, count).astype(int)).tolist():
        try:
            found[row] = item_for(samples.read(row), spec)
        except UnreadableSample:
            continue
    return found
