"""Convolutions take the addition and the activation after them into the same pass over memory."""

from __future__ import annotations

from typing import Any

from torch import fx, nn

from frostline.stages.backbones.optimize.layers.conv import FusedConv, is_plain_conv
from frostline.stages.backbones.optimize.passes.edit import (
    addition_after,
    calls_of,
    fuse_activation,
    fuse_addition,
    replace_module,
)


def fuse_convolutions(graph: fx.GraphModule) -> None:
    """Put fused convolutions in place of plain ones, with what follows them."""
    for node, conv in calls_of(graph, nn.Conv2d):
        if is_plain_conv(conv):
            replace_module(graph, node, FusedConv(conv))
    for node, conv in calls_of(graph, FusedConv):
        after, addend = addition_after(node)
        if after and _may_overwrite(graph, addend, node, after):
            fuse_addition(graph, node, after, addend)
        fuse_activation(graph, node, conv)


def _may_overwrite(graph: fx.GraphModule, addend: Any, node: fx.Node, addition: fx.Node) -> bool:
    """Whether a value is a convolution's own output that is only read by convolutions, all done by now."""
    if not (isinstance(addend, fx.Node) and _is_fused(graph, addend) and addend < node):
        return False
    readers = [user for user in addend.users if user is not addition]
    return all(_is_fused(graph, user) and user < node for user in readers)


def _is_fused(graph: fx.GraphModule, node: fx.Node) -> bool:
    return node.op == "call_module" and isinstance(graph.get_submodule(str(node.target)), FusedConv)
