"""Linear layers of a network that is called as it is written: their weights brought into the CPU's order once."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable

import torch
from torch import Tensor, nn

from frostline.stages.backbones.optimize.allocator import keep_freed_memory
from frostline.stages.backbones.optimize.layers.linear import FusedLinear, is_plain_linear
from frostline.stages.backbones.optimize.operations import fusing_obstacle
from frostline.stages.backbones.optimize.trace import has_hooks

log = logging.getLogger("frostline")
_TOLERANCE = 1e-5


class PackedLinear(FusedLinear):
    """A linear layer whose weight is packed for batches of any size: they change from one to the next."""

    def _packed_for(self, _x: Tensor) -> Tensor:
        if self._packed is None or self._packed[0] != self.weight.dtype:
            packed = torch.ops.mkldnn._reorder_linear_weight(self.weight.detach(), None)
            self._packed = self.weight.dtype, packed
        return self._packed[1]


def packed(network: nn.Module, features: Callable[[nn.Module], Tensor]) -> nn.Module:
    """Return a network for the CPU with packed linear layers, which share its weights.

    ``features``: what a network gives on some batch. A network that has hooks, or whose features then differ by more
    than 1e-5 of the largest, is returned as it is, and that is logged.
    """
    keep_freed_memory()
    obstacle = "it has hooks" if has_hooks(network) else fusing_obstacle()
    faster = network if obstacle else _packed(network)
    obstacle = obstacle or _fault(features(network), features, faster)
    if obstacle:
        log.info("the network runs unoptimised: %s", obstacle)
        return network
    return faster


def _packed(network: nn.Module) -> nn.Module:
    """Return a copy of a network's modules over the same tensors, its plain linear layers packed."""
    shared = {id(one): one for one in (*network.parameters(), *network.buffers())}
    found = copy.deepcopy(network, shared)
    for parent in [*found.modules()]:
        for name, child in parent.named_children():
            if is_plain_linear(child):
                setattr(parent, name, PackedLinear(child.weight, child.bias).eval())
    return found


def _fault(expected: Tensor, features: Callable[[nn.Module], Tensor], network: nn.Module) -> str | None:
    try:
        difference = float((features(network) - expected).abs().max() / expected.abs().max())
    except Exception as error:  # an operation that this processor lacks, or code that asks for nn.Linear
        return f"with packed layers it fails in torch {torch.__version__} ({type(error).__name__})"
    return (
        None if difference <= _TOLERANCE else f"with packed layers its values differ by {difference:.0e} of the largest"
    )
