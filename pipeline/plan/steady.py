"""Before a feature set is begun: whether its network gives a sample the same features each time and in any company."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

import numpy as np

from frostline.pipeline.plan.lookup import FeatureRequest
from frostline.pipeline.plan.plan import Plan
from frostline.stages.backbones import item_for
from frostline.stages.backbones.spec import BackboneSpec
from frostline.stages.datasets import Samples
from frostline.stages.errors import UnreadableSample
from frostline.stages.modalities.base import Item
from frostline.stages.modalities.items import by_shape, stacked
from frostline.stages.modalities.registry import MODALITIES
from frostline.stages.store import FeatureSet

log = logging.getLogger("frostline")
_SAMPLES = 8


def unsteadiness_seen(plan: Plan, request: FeatureRequest) -> str:
    """Return what of a new set's rows can't be made again, in a line; nothing where all can.

    A few of its samples go through the network four times, once in a command. Rows that lie in unsteady sets count.
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
    from frostline.stages.backbones.inference.batches import BatchLimit, in_turn
    from frostline.stages.backbones.inference.steadiness import refusal, unsteadiness

    backbone, limit = plan.load_network(), BatchLimit(2 * _SAMPLES)
    items = _items(plan.settings.batch_size, samples, backbone.spec)
    if not (items and backbone.has_weights):
        return ""
    alike = max(by_shape(items), key=len)
    names, batch = [samples.ids[row] for row in alike], stacked([items[row] for row in alike])
    noun = MODALITIES.load(samples.modality).noun
    max_batch = plan.settings.batch_size or 2 * _SAMPLES
    found = unsteadiness(
        lambda some: next(in_turn(backbone.embed, [some], limit)), batch, backbone.precision, max_batch
    )
    if found and not plan.settings.allow_unsteady:
        raise refusal(plan.settings.backbone, found, names, noun)
    return f"{plan.settings.backbone} {found.told(names, noun)}" if found else ""


def _items(batch_size: int | None, samples: Samples, spec: BackboneSpec) -> dict[int, Item]:
    """Return items of a few samples, evenly spread, by row."""
    count = min(_SAMPLES, max(2, batch_size or _SAMPLES))
    found = {}
    for row in np.unique(np.linspace(0, len(samples) - 1, count).astype(int)).tolist():
        try:
            found[row] = item_for(samples.read(row), spec)
        except UnreadableSample:
            continue
    return found
