"""Modules that do nothing in evaluation are not called."""

from __future__ import annotations

from torch import fx, nn

from frostline.stages.backbones.optimize.passes.edit import calls_of
from frostline.stages.backbones.optimize.trace import stochastic_depth

_IDLE = (nn.Identity, nn.Dropout, nn.Dropout2d)


def drop_idle(graph: fx.GraphModule) -> None:
    """Take dropout and the like out of a graph."""
    for node, module in calls_of(graph, (*_IDLE, *stochastic_depth())):
        given = node.args[0]
        if not module.training and isinstance(given, fx.Node):
            node.replace_all_uses_with(given)
            graph.graph.erase_node(node)
