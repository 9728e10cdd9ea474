"""Convolutions before a ReLU take it, and an addition between the two, into one of cuDNN's operations."""

from __future__ import annotations

import operator

from torch import fx, nn

from frostline.stages.backbones.optimize.layers.conv import is_plain_conv
from frostline.stages.backbones.optimize.layers.cudnn import CudnnConv
from frostline.stages.backbones.optimize.passes.edit import (
    absorb,
    activation_after,
    addition_after,
    calls_of,
    fuse_addition,
    replace_module,
)


def fuse_cudnn(graph: fx.GraphModule) -> None:
    """Put such modules in place of plain convolutions of one group with what follows them, not fused yet."""
    for node, conv in calls_of(graph, nn.Conv2d):
        addition, addend = _addition(graph, node)
        relu, which = activation_after(graph, addition or node)
        if not is_plain_conv(conv) or conv.groups > 1 or relu is None or which != ("relu", (), ""):
            continue
        replace_module(graph, node, CudnnConv(conv))
        if addition and addend:
            addition.prepend(node)  # where what is added is known
            fuse_addition(graph, node, addition, addend)
        absorb(graph, node, relu)


def _addition(graph: fx.GraphModule, node: fx.Node) -> tuple[fx.Node | None, fx.Node | None]:
    """Return the addition after a convolution and what is added, if the convolution may as well be computed there."""
    addition, addend = addition_after(node)
    if addition is None or not isinstance(addend, fx.Node):
        return None, None
    writes_addend = addition.target is operator.iadd and addition.args[0] is not node
    between = node.next
    while between is not addition and _only_reads(graph, between):
        between = between.next
    return (None, None) if writes_addend or between is not addition else (addition, addend)


def _only_reads(graph: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a node writes over nothing that another one may read."""
    module = graph.get_submodule(str(node.target)) if node.op == "call_module" else None
    return isinstance(module, CudnnConv) or (module is not None and is_plain_conv(module))
