"""A network's forward pass as a graph (``torch.fx``), which can be rewritten."""

from __future__ import annotations

import sys
from typing import Any

from torch import fx, nn

from frostline.stages.backbones.network.cut import INPUT, Cut, module_of


def traced(cut: Cut) -> fx.GraphModule:
    """Return the pass of a network up to its layer. Raises whatever its code does with a value it does not have yet.

    The weights are shared. Nodes that nobody uses stay: they may write in place.
    """
    return fx.GraphModule(cut, _Tracer(cut).trace(cut))


def has_hooks(network: nn.Module) -> bool:
    """Whether code of someone's runs around the modules of a network, which a graph would leave out."""
    return any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


def stochastic_depth() -> tuple[type[nn.Module], ...]:
    """Return torchvision's class of that name; none where torchvision is not loaded, so that no network has one."""
    loaded = sys.modules.get("torchvision.ops.stochastic_depth")
    return (loaded.StochasticDepth,) if loaded else ()


class _Tracer(fx.Tracer):
    """Traces a cut network; the layer ends the pass, called as a leaf or not."""

    def __init__(self, cut: Cut) -> None:
        super().__init__()
        self._cut, self._layer = cut, module_of(cut.model, cut.layer)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, stochastic_depth()) or super().is_leaf_module(m, module_qualified_name)

    def call_module(self, m: nn.Module, forward: Any, args: Any, kwargs: Any) -> Any:
        if m is self._layer and self._cut.layer.endswith(INPUT):
            self._cut.stop_with(next(iter([*args, *kwargs.values()]), None))
        result = super().call_module(m, forward, args, kwargs)
        if m is self._layer:
            self._cut.stop_with(result)
        return result
