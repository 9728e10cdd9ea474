"""Before a feature set is begun: whether its network gives an image the same features each time and in any company."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

import numpy as np

from frostline.pipeline.plan.lookup import FeatureRequest
from frostline.pipeline.plan.plan import Plan
from frostline.stages.backbones import pixels_for
from frostline.stages.backbones.spec import BackboneSpec
from frostline.stages.datasets import Samples
from frostline.stages.errors import UnreadableSample
from frostline.stages.store import FeatureSet

log = logging.getLogger("frostline")
_IMAGES = 8


def unsteadiness_seen(plan: Plan, request: FeatureRequest) -> str:
    """Return what of a new set's rows can't be made again, in a line; nothing where all can.

    A few of its images go through the network four times, once in a command. Rows that lie in unsteady sets count.
    Raises ConfigError unless ``--allow-unsteady``.
    """
    network = plan.resolved.network
    if network.unsteady is None and request.rows_to_compute:
        network.unsteady = _tried(plan, request.samples)
    reused = (place.features for place in request.reusable.values())
    return network.unsteady or next(unsteady(reused), "")


def unsteady(sets: Iterable[FeatureSet]) -> Iterator[str]:
    """Yield what was seen of each set whose features can't be made again."""
    for features in dict.fromkeys(sets):
        seen = features.made.get("unsteady")
        if seen and isinstance(seen, str):
            yield seen


def _tried(plan: Plan, samples: Samples) -> str:
    from frostline.stages.backbones.inference.batches import BatchLimit, in_turn
    from frostline.stages.backbones.inference.steadiness import refusal, unsteadiness

    backbone, limit = plan.load_network(), BatchLimit(2 * _IMAGES)
    images = _images(plan, backbone.spec, samples)
    if not (images and backbone.has_weights):
        return ""
    names, pixels = list(images), np.stack(list(images.values()))
    most = plan.settings.batch_size or 2 * _IMAGES
    found = unsteadiness(lambda batch: next(in_turn(backbone.embed, [batch], limit)), pixels, backbone.precision, most)
    if found and not plan.settings.allow_unsteady:
        raise refusal(plan.settings.backbone, found, names)
    return f"{plan.settings.backbone} {found.told(names)}" if found else ""


def _images(plan: Plan, spec: BackboneSpec, samples: Samples) -> dict[str, np.ndarray]:
    most = min(_IMAGES, max(2, plan.settings.batch_size or _IMAGES))
    found = {}
    for row in np.unique(np.linspace(0, len(samples) - 1, most).astype(int)).tolist():
        try:
            found[samples.ids[row]] = pixels_for(samples.read(row), spec)
        except UnreadableSample:
            continue
    return found
