"""What passes do to a graph: find modules, put others in their place, give them what follows."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import fx, nn

from frostline.stages.backbones.optimize.layers.activations import Activation, activation
from frostline.stages.backbones.optimize.layers.conv import FusedConv
from frostline.stages.backbones.optimize.layers.linear import FusedLinear

_ADDITIONS = (operator.add, operator.iadd, torch.add)


def calls_of(graph: fx.GraphModule, kind: Any) -> list[tuple[fx.Node, Any]]:
    """Return the calls of modules of one kind with their modules, in order."""
    calls = [(node, graph.get_submodule(node.target)) for node in graph.graph.nodes if node.op == "call_module"]
    return [(node, module) for node, module in calls if isinstance(module, kind)]


def replace_module(graph: fx.GraphModule, node: fx.Node, module: nn.Module) -> None:
    """Have a node call another module."""
    name = f"fused.{node.name}"
    graph.add_submodule(name, module)
    node.target = name


def absorb(graph: fx.GraphModule, node: fx.Node, after: fx.Node) -> None:
    """Have a node stand for the one after it, too."""
    after.replace_all_uses_with(node)
    graph.graph.erase_node(after)


def fuse_activation(graph: fx.GraphModule, node: fx.Node, module: FusedConv | FusedLinear) -> None:
    """Give a module the activation that alone uses its output."""
    after, found = activation_after(graph, node)
    if after and found:
        module.activation = found
        absorb(graph, node, after)


def activation_after(graph: fx.GraphModule, node: fx.Node) -> tuple[fx.Node | None, Activation | None]:
    """Return the activation that alone uses what a node gives, and which it is."""
    after = _only_user(node)
    found = _activation(graph, after) if after else None
    return (after, found) if found else (None, None)


def fuse_next_addition(graph: fx.GraphModule, node: fx.Node) -> None:
    """Give a module what is added to its output, if that comes next: nothing is written in place in between."""
    after, addend = addition_after(node)
    if after is node.next and isinstance(addend, fx.Node):
        fuse_addition(graph, node, after, addend)


def addition_after(node: fx.Node) -> tuple[fx.Node | None, Any]:
    """Return the addition that alone uses what a node gives, and what is added to it."""
    after = _only_user(node)
    if after is None or after.op != "call_function" or after.target not in _ADDITIONS or len(after.args) != 2:
        return None, None
    others = [value for value in after.args if value is not node]
    return (after, others[0]) if len(others) == 1 and not after.kwargs else (None, None)


def fuse_addition(graph: fx.GraphModule, node: fx.Node, addition: fx.Node, addend: fx.Node) -> None:
    """Give a module what is added to its output."""
    node.args = (node.args[0], addend)
    absorb(graph, node, addition)


def _only_user(node: fx.Node) -> fx.Node | None:
    return next(iter(node.users)) if len(node.users) == 1 else None


def _activation(graph: fx.GraphModule, node: fx.Node) -> Activation | None:
    if node.op == "call_module":
        return activation(graph.get_submodule(str(node.target)))
    return activation(node.target) if node.op in ("call_function", "call_method") else None
