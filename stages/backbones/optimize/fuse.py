"""The network as a graph, with what can be fused fused (inference only)."""

from __future__ import annotations

import operator
import warnings
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.ops import StochasticDepth

from frostline.stages.backbones.network.cut import INPUT, Cut, module_of
from frostline.stages.backbones.optimize.fused_conv import FusedConv, is_conv
from frostline.stages.backbones.optimize.fused_linear import FusedAttention, FusedLinear, is_attention, is_linear
from frostline.stages.backbones.optimize.onednn import NO_ACTIVATION, Activation, activation
from frostline.stages.backbones.optimize.prune_tokens import FIRST_KEPT, narrow

_TOLERANCE = 1e-5
_ADDITIONS = (operator.add, operator.iadd, torch.add)
_NOTHING_IN_EVALUATION = (nn.Identity, nn.Dropout, nn.Dropout2d, StochasticDepth)


def fuse(cut: Cut, expected: Tensor, batch: Tensor, *, onednn: bool) -> nn.Module:
    """Return the network up to its layer, faster where that is possible.

    Batch normalisation is folded into the convolution before it, and tokens that nobody reads are not computed;
    with ``onednn``, convolutions, linear layers and attention are also fused with additions and activations after
    them. A network whose code can't be traced is returned as it is, and so is one that does not give ``expected``
    on ``batch`` any more, to 1e-5 of its largest value. The weights of ``cut`` are shared.
    """
    if has_hooks(cut):
        return cut
    for narrowed in (True, False):  # what is taken for tokens may be something else
        graph = _rewritten(cut, onednn, narrowed=narrowed)
        if graph is None:
            break
        if _agrees(graph, expected, batch):
            return graph
    return cut


def has_hooks(network: nn.Module) -> bool:
    """Whether code of someone's runs around the modules of a network, which a graph would leave out."""
    return any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


def _rewritten(cut: Cut, onednn: bool, *, narrowed: bool) -> fx.GraphModule | None:
    """Return the graph with what can be fused fused; None where the code defies that.

    Nodes that nobody uses stay: they may write in place.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            graph = fx.GraphModule(cut, _Tracer(cut).trace(cut))
            _drop_idle(graph)
            if narrowed:
                narrow(graph)
            _fold_norms(graph)
            if onednn:
                _fuse_convolutions(graph)
                _fuse_attention(graph)
                _fuse_linear(graph)
            graph.delete_all_unused_submodules()
            graph.recompile()
        except Exception:  # whatever the code does with a value that it does not have yet
            return None
    return graph.eval()


def _agrees(network: nn.Module, expected: Tensor, batch: Tensor) -> bool:
    with torch.inference_mode():
        try:
            return bool((network(batch) - expected).abs().max() <= _TOLERANCE * expected.abs().max())
        except Exception:  # the model's code may be anyone's
            return False


class _Tracer(fx.Tracer):
    """Traces a cut network; the layer ends the pass, called as a leaf or not."""

    def __init__(self, cut: Cut) -> None:
        super().__init__()
        self._cut, self._layer = cut, module_of(cut.model, cut.layer)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, StochasticDepth) or super().is_leaf_module(m, module_qualified_name)

    def call_module(self, m: nn.Module, forward: Any, args: Any, kwargs: Any) -> Any:
        if m is self._layer and self._cut.layer.endswith(INPUT):
            self._cut.reach(next(iter([*args, *kwargs.values()]), None))
        result = super().call_module(m, forward, args, kwargs)
        if m is self._layer:
            self._cut.reach(result)
        return result


def _modules(graph: fx.GraphModule, kind: Any) -> list[tuple[fx.Node, Any]]:
    """Return the calls of modules of one kind, in order."""
    calls = [(node, graph.get_submodule(node.target)) for node in graph.graph.nodes if node.op == "call_module"]
    return [(node, module) for node, module in calls if isinstance(module, kind)]


def _drop_idle(graph: fx.GraphModule) -> None:
    for node, module in _modules(graph, _NOTHING_IN_EVALUATION):
        given = node.args[0]
        if not module.training and isinstance(given, fx.Node):
            node.replace_all_uses_with(given)
            graph.graph.erase_node(node)


def _fold_norms(graph: fx.GraphModule) -> None:
    calls = [node.target for node in graph.graph.nodes if node.op == "call_module"]
    for node, norm in _modules(graph, nn.BatchNorm2d):
        before = node.args[0]
        assert isinstance(before, fx.Node)
        if before.op != "call_module" or len(before.users) > 1 or calls.count(before.target) > 1:
            continue
        conv = graph.get_submodule(str(before.target))
        if is_conv(conv) and norm.running_mean is not None:
            graph.add_submodule(f"folded.{before.name}", fuse_conv_bn_eval(conv, norm).requires_grad_(False))
            before.target = f"folded.{before.name}"
            node.replace_all_uses_with(before)
            graph.graph.erase_node(node)


def _fuse_convolutions(graph: fx.GraphModule) -> None:
    for node, conv in _modules(graph, nn.Conv2d):
        if is_conv(conv):
            _replace(graph, node, FusedConv(conv))
    for node, conv in _modules(graph, FusedConv):
        after, other = _addition(node)
        if after and _may_overwrite(graph, other, node, after):
            _take_addend(graph, node, after, other)
        _fuse_activation(graph, node, conv)


def _fuse_attention(graph: fx.GraphModule) -> None:
    """Rewrite attention to a value of itself, or of its first token, of which only the output is taken."""
    for node, attention in _modules(graph, nn.MultiheadAttention):
        outputs = [user for user in node.users if user.target is operator.getitem and user.args[1] == 0]
        idle = [user for user in node.users if user not in outputs]
        taken = len(outputs) == 1 and not any(user.users for user in idle)
        first = _first_of(node.args[0])
        query = node.args[0] if first is None else first
        itself = len(node.args) == 3 and len({query, *node.args[1:]}) == 1 and set(node.kwargs) <= {"need_weights"}
        if taken and itself and is_attention(attention):
            _replace(graph, node, FusedAttention(attention, first=first is not None))
            node.args, node.kwargs = (query,), {}
            for user in idle:
                graph.graph.erase_node(user)
            _absorb(graph, node, outputs[0])
            _fuse_next_addition(graph, node)


def _first_of(value: Any) -> fx.Node | None:
    """Return what a value is the first token of."""
    if isinstance(value, fx.Node) and value.target is operator.getitem and value.args[1] == FIRST_KEPT:
        return value.args[0] if isinstance(value.args[0], fx.Node) else None
    return None


def _fuse_linear(graph: fx.GraphModule) -> None:
    for node, linear in _modules(graph, nn.Linear):
        if is_linear(linear) and len(node.args) == 1:
            fused = FusedLinear(linear.weight, linear.bias)
            _replace(graph, node, fused)
            _fuse_activation(graph, node, fused)
            if fused.activation == NO_ACTIVATION:
                _fuse_next_addition(graph, node)


def _replace(graph: fx.GraphModule, node: fx.Node, module: nn.Module) -> None:
    name = f"fused.{node.name}"
    graph.add_submodule(name, module)
    node.target = name


def _fuse_activation(graph: fx.GraphModule, node: fx.Node, module: FusedConv | FusedLinear) -> None:
    after = _only_user(node)
    found = after and _activation(graph, after)
    if after and found:
        module.activation = found
        _absorb(graph, node, after)


def _fuse_next_addition(graph: fx.GraphModule, node: fx.Node) -> None:
    """Give a module what is added to its output, if that comes next: nothing is written in place in between."""
    after, other = _addition(node)
    if after is node.next and isinstance(other, fx.Node):
        _take_addend(graph, node, after, other)


def _addition(node: fx.Node) -> tuple[fx.Node | None, Any]:
    """Return the addition that alone uses what a node gives, and what is added to it."""
    after = _only_user(node)
    if after is None or after.op != "call_function" or after.target not in _ADDITIONS or len(after.args) != 2:
        return None, None
    others = [value for value in after.args if value is not node]
    return (after, others[0]) if len(others) == 1 and not after.kwargs else (None, None)


def _take_addend(graph: fx.GraphModule, node: fx.Node, addition: fx.Node, other: fx.Node) -> None:
    node.args = (node.args[0], other)
    _absorb(graph, node, addition)


def _may_overwrite(graph: fx.GraphModule, other: Any, node: fx.Node, addition: fx.Node) -> bool:
    """Whether a value is a convolution's own output that is only read by convolutions, all done by now."""
    if not (isinstance(other, fx.Node) and _is_fused(graph, other) and other < node):
        return False
    readers = [user for user in other.users if user is not addition]
    return all(_is_fused(graph, user) and user < node for user in readers)


def _is_fused(graph: fx.GraphModule, node: fx.Node) -> bool:
    return node.op == "call_module" and isinstance(graph.get_submodule(str(node.target)), FusedConv)


def _only_user(node: fx.Node) -> fx.Node | None:
    return next(iter(node.users)) if len(node.users) == 1 else None


def _activation(graph: fx.GraphModule, node: fx.Node) -> Activation | None:
    if node.op == "call_module":
        return activation(graph.get_submodule(str(node.target)))
    return activation(node.target) if node.op in ("call_function", "call_method") else None


def _absorb(graph: fx.GraphModule, node: fx.Node, after: fx.Node) -> None:
    after.replace_all_uses_with(node)
    graph.graph.erase_node(after)
