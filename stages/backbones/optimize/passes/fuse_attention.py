"""Self-attention becomes two fused linear layers around what mixes the tokens."""

from __future__ import annotations

import operator
from typing import Any

from torch import fx, nn

from frostline.stages.backbones.optimize.layers.attention import FusedAttention, is_plain_attention
from frostline.stages.backbones.optimize.passes.edit import absorb, calls_of, fuse_next_addition, replace_module
from frostline.stages.backbones.optimize.passes.prune_tokens import FIRST_TOKEN


def fuse_attention(graph: fx.GraphModule) -> None:
    """Rewrite attention to a value of itself, or of its first token, of which only the output is taken."""
    for node, attention in calls_of(graph, nn.MultiheadAttention):
        outputs = [user for user in node.users if user.target is operator.getitem and user.args[1] == 0]
        idle = [user for user in node.users if user not in outputs]
        taken = len(outputs) == 1 and not any(user.users for user in idle)
        first = _first_of(node.args[0])
        query = node.args[0] if first is None else first
        itself = len(node.args) == 3 and len({query, *node.args[1:]}) == 1 and set(node.kwargs) <= {"need_weights"}
        if taken and itself and is_plain_attention(attention):
            replace_module(graph, node, FusedAttention(attention, first=first is not None))
            node.args, node.kwargs = (query,), {}
            for user in idle:
                graph.graph.erase_node(user)
            absorb(graph, node, outputs[0])
            fuse_next_addition(graph, node)


def _first_of(value: Any) -> fx.Node | None:
    """Return what a value is the first token of."""
    if isinstance(value, fx.Node) and value.target is operator.getitem and value.args[1] == FIRST_TOKEN:
        return value.args[0] if isinstance(value.args[0], fx.Node) else None
    return None
