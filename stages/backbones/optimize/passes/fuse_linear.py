"""Linear layers take the activation or the addition after them into the same pass over memory."""

from __future__ import annotations

from torch import fx, nn

from frostline.stages.backbones.optimize.layers.activations import NO_ACTIVATION
from frostline.stages.backbones.optimize.layers.linear import FusedLinear, is_plain_linear
from frostline.stages.backbones.optimize.passes.edit import (
    calls_of,
    fuse_activation,
    fuse_next_addition,
    replace_module,
)


def fuse_linear(graph: fx.GraphModule) -> None:
    """Put fused linear layers in place of plain ones, with what follows them."""
    for node, linear in calls_of(graph, nn.Linear):
        if is_plain_linear(linear) and len(node.args) == 1:
            fused = FusedLinear(linear.weight, linear.bias)
            replace_module(graph, node, fused)
            fuse_activation(graph, node, fused)
            if fused.activation == NO_ACTIVATION:
                fuse_next_addition(graph, node)
