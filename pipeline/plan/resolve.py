"""First step: what the settings mean. The network is loaded only if nothing remembers what its name stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from frostline.pipeline.plan.inputs import Inputs
from frostline.pipeline.plan.network import LazyNetwork
from frostline.pipeline.workspace import ResolvedBackbone
from frostline.stages.backbones import fingerprint
from frostline.stages.modalities.base import IMAGE
from frostline.stages.modalities.image.spec import ImageTransform
from frostline.stages.modalities.registry import check_taken


@dataclass(frozen=True, eq=False)
class Resolved:
    """Settings, dataset, and the backbone's frozen description; the network itself may not be loaded yet."""

    inputs: Inputs
    backbone: ResolvedBackbone
    network: LazyNetwork


def resolve_remembered(inputs: Inputs) -> Resolved | None:
    """Return what settings mean if that is remembered. No network is loaded."""
    mark, workspace = inputs.fingerprint, inputs.workspace
    if mark is None:
        return None
    found = workspace.remembered(mark) or workspace.remembered({**mark, **_size(inputs)})
    if found is None:
        return None
    check_taken(inputs.settings.backbone, found.spec.modality, inputs.dataset.train.modality)
    return Resolved(inputs, found, LazyNetwork(inputs, found.spec))


def resolve(inputs: Inputs) -> Resolved:
    """Return what settings mean: what is remembered, or else found out by loading the network, and then kept.

    Raises ConfigError: a layer, a size or a precision that the network can't take; weights that can't be had.
    """
    return resolve_remembered(inputs) or _load(inputs)


def _load(inputs: Inputs) -> Resolved:
    network = LazyNetwork(inputs)
    loaded = network.load()
    found = ResolvedBackbone(loaded.spec, loaded.width)
    mark = fingerprint(inputs.request)  # once more: loading may have downloaded the weights
    if mark:
        how = found.spec.preprocessing
        size = _size(inputs) if isinstance(how, ImageTransform) and not how.fixes_size else {}
        inputs.workspace.remember({**mark, **size}, found)
    return Resolved(inputs, found, network)


def _size(inputs: Inputs) -> dict[str, Any]:
    """Return the size of the first image, where the samples are images, by which networks of any size are known."""
    return {"size": inputs.first_sample().size} if inputs.request.modality == IMAGE else {}
