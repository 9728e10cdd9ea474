"""First step: what the settings mean. The network is loaded only if nothing remembers what its name stands for."""

from __future__ import annotations

from dataclasses import dataclass

from frostline.pipeline.plan.inputs import Inputs
from frostline.pipeline.plan.network import LazyNetwork
from frostline.pipeline.workspace import ResolvedBackbone
from frostline.stages.backbones import fingerprint


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
    found = workspace.remembered(mark) or workspace.remembered({**mark, "size": inputs.first_image().size})
    return Resolved(inputs, found, LazyNetwork(inputs)) if found else None


def resolve(inputs: Inputs) -> Resolved:
    """Return what settings mean: what is remembered, or else found out by loading the network, and then kept.

    Raises ConfigError: a layer, a size or a precision that the network can't take; weights that can't be had.
    """
    return resolve_remembered(inputs) or _load(inputs)


def _load(inputs: Inputs) -> Resolved:
    network = LazyNetwork(inputs)
    loaded = network.load()
    found = ResolvedBackbone(loaded.spec, loaded.width)
    mark = fingerprint(inputs.settings.request())  # once more: loading may have downloaded the weights
    if mark:
        size = {} if found.spec.preprocessing.fixes_size else {"size": inputs.first_image().size}
        inputs.workspace.remember({**mark, **size}, found)
    return Resolved(inputs, found, network)
