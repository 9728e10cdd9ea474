"""Batch normalisation becomes part of the weights of the convolution before it."""

from __future__ import annotations

from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from frostline.stages.backbones.optimize.layers.conv import is_plain_conv
from frostline.stages.backbones.optimize.passes.edit import calls_of


def fold_norms(graph: fx.GraphModule) -> None:
    """Fold each normalisation that alone uses a convolution's output; the network's own weights stay as they are."""
    calls = [node.target for node in graph.graph.nodes if node.op == "call_module"]
    for node, norm in calls_of(graph, nn.BatchNorm2d):
        before = node.args[0]
        assert isinstance(before, fx.Node)
        if before.op != "call_module" or len(before.users) > 1 or calls.count(before.target) > 1:
            continue
        conv = graph.get_submodule(str(before.target))
        if is_plain_conv(conv) and norm.running_mean is not None:
            graph.add_submodule(f"folded.{before.name}", fuse_conv_bn_eval(conv, norm).requires_grad_(False))
            before.target = f"folded.{before.name}"
            node.replace_all_uses_with(before)
            graph.graph.erase_node(node)
