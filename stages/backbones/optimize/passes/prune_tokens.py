"""Tokens that nobody reads are not computed.

A vision transformer's classifier reads the first token alone (Dosovitskiy et al. 2021, "An image is worth 16x16
words"); in its last block only keys and values depend on the others.
"""

from __future__ import annotations

import operator

import torch
from torch import fx, nn

_BY_TOKEN = (nn.LayerNorm, nn.Linear, nn.GELU)
_ELEMENTWISE = (operator.add, torch.add, operator.mul, torch.mul)
_READS_FIRST = ((slice(None), 0), (slice(None), 0, slice(None)))
FIRST_TOKEN = (slice(None), slice(0, 1))


def prune_tokens(graph: fx.GraphModule) -> None:
    """Have what is read by ``[:, 0]`` alone compute no more than that, back to where all tokens are needed.

    The values are taken to be (batch, tokens, width): whoever calls this compares results.
    """
    pruned: dict[fx.Node, tuple[int, ...]] = {}
    for node in reversed(graph.graph.nodes):
        places = _by_token(graph, node)
        if places and node.users and all(_reads_first(user, node, pruned) for user in node.users):
            pruned[node] = places
    firsts: dict[fx.Node, fx.Node] = {}
    for node, places in pruned.items():
        for place in places:
            whole = node.args[place]
            if isinstance(whole, fx.Node) and whole not in pruned:
                if whole not in firsts:
                    with graph.graph.inserting_after(whole):
                        firsts[whole] = graph.graph.call_function(operator.getitem, (whole, FIRST_TOKEN))
                node.update_arg(place, firsts[whole])


def _by_token(graph: fx.GraphModule, node: fx.Node) -> tuple[int, ...]:
    """Return the places of a node's arguments of which a token of its result needs the same token alone."""
    if node.op == "call_module":
        single = isinstance(graph.get_submodule(str(node.target)), _BY_TOKEN) and len(node.args) == 1
        return (0,) if single or _is_attention(graph, node) else ()
    if node.target in _ELEMENTWISE and not node.kwargs:
        vectors = [_is_vector(graph, arg) for arg in node.args]  # a number for each column: alike for all tokens
        values = [isinstance(arg, fx.Node) and arg.op != "get_attr" for arg in node.args]
        fit = all(vector or value for vector, value in zip(vectors, values, strict=True))
        return tuple(place for place, value in enumerate(values) if value) if fit else ()
    return (0,) if _is_attention_output(graph, node) else ()


def _is_vector(graph: fx.GraphModule, value: object) -> bool:
    """Whether a value is a parameter of one axis."""
    if not isinstance(value, fx.Node) or value.op != "get_attr":
        return False
    path, _, name = str(value.target).rpartition(".")
    found = getattr(graph.get_submodule(path), name)
    return isinstance(found, torch.Tensor) and found.ndim == 1


def _is_attention(graph: fx.GraphModule, node: fx.Node) -> bool:
    module = graph.get_submodule(str(node.target)) if node.op == "call_module" else None
    fits = len(node.args) == 3 and set(node.kwargs) <= {"need_weights"}
    return isinstance(module, nn.MultiheadAttention) and module.batch_first and fits


def _is_attention_output(graph: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a node takes the output of attention whose weights nobody takes."""
    if node.target is not operator.getitem or node.args[1] != 0 or not isinstance(node.args[0], fx.Node):
        return False
    attention = node.args[0]
    return _is_attention(graph, attention) and not any(user.users for user in attention.users if user is not node)


def _reads_first(user: fx.Node, node: fx.Node, pruned: dict[fx.Node, tuple[int, ...]]) -> bool:
    """Whether a user of a node reads nothing but the node's first token."""
    if user.target is operator.getitem and user not in pruned:
        return user.args[1] in _READS_FIRST or not user.users
    own = [place for place, arg in enumerate(user.args) if arg is node]
    return user in pruned and set(own) <= set(pruned[user])
