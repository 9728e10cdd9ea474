"""What a factory may wrap its network in, taken off, so that layers and weights have the network's own names."""

from __future__ import annotations

import logging
from functools import partial
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn

from frostline.stages.errors import ConfigError

log = logging.getLogger("frostline")
_AROUND = {  # known by their class's name: not all of them are installed
    "OptimizedModule": "_orig_mod",
    "DataParallel": "module",
    "DistributedDataParallel": "module",
    "AveragedModel": "module",
    "DeepSpeedEngine": "module",
}
_SHARDED = "FullyShardedDataParallel"
_NETWORKS = ("backbone", "encoder", "model", "net", "network", "module")
_LIGHTNING = ("lightning", "pytorch_lightning")


class Method(nn.Module):
    """A method of a network as a network: ``encode_image`` of CLIP's, with the arguments that a partial gives it."""

    def __init__(self, network: nn.Module, method: str, arguments: dict[str, Any]) -> None:
        super().__init__()
        self.network = network
        self.method, self.arguments = method, arguments

    def forward(self, batch: Tensor) -> Any:
        return getattr(self.network, self.method)(batch, **self.arguments)


def network_in(made: Any, name: str) -> nn.Module:
    """Return the network in what the factory ``name`` returned.

    Taken off: ``torch.compile``, ``DataParallel`` and its like; of a module without a ``forward``, as a Lightning
    module may be, the network that it holds is taken, which is logged. Raises ConfigError that names the wrapper
    where there is none, or none to choose.
    """
    network = _module(made, name)
    while True:
        kinds = {kind.__name__ for kind in type(network).__mro__}
        inner = next((attribute for kind, attribute in _AROUND.items() if kind in kinds), None)
        _refuse(network, kinds, name)
        if inner is None and not _has_forward(network):
            inner = _held(network, name)
            log.info(
                "%s: a %s without a forward method; using its %s as the network", name, type(network).__name__, inner
            )
        if inner is None:
            return network
        network = _module(getattr(network, inner, None), name)


def _refuse(network: nn.Module, kinds: set[str], name: str) -> None:
    """Raise ConfigError for what can't be taken off."""
    if isinstance(network, torch.jit.ScriptModule):
        raise ConfigError(
            f"{name} returned a TorchScript module, whose layers can't be inspected; return the network that it "
            "was compiled from, with its weights: --weights FILE of torch.save(script.state_dict(), FILE)"
        )
    if _SHARDED in kinds:
        raise ConfigError(
            f"{name} returned a {_SHARDED}, whose weights are split into pieces; return the network inside it"
        )


def _module(made: Any, name: str) -> nn.Module:
    if isinstance(made, nn.Module):
        return made
    call, arguments = (made.func, dict(made.keywords)) if isinstance(made, partial) and not made.args else (made, {})
    if isinstance(call, nn.Module):
        return Method(call, "forward", arguments)
    if isinstance(call, MethodType) and isinstance(call.__self__, nn.Module):
        return Method(call.__self__, call.__name__, arguments)
    raise ConfigError(f"{name} returned {_described(made)}; expected a torch.nn.Module{_advice(made)}")


def _has_forward(network: nn.Module) -> bool:
    forward = type(network).forward
    return forward is not nn.Module.forward and not str(getattr(forward, "__module__", "")).startswith(_LIGHTNING)


def _held(network: nn.Module, name: str) -> str:
    """Return the name of the only part that can be the network."""
    children = [child for child, module in network.named_children() if any(True for _ in module.parameters())]
    usual = [child for child in _NETWORKS if child in children]
    if len(usual) == 1 or len(children) == 1:
        return (usual or children)[0]
    parts = ", ".join(children) or "nothing with weights"
    raise ConfigError(
        f"{name} returned a {type(network).__name__} without a forward method, which holds {parts}; return "
        "the network itself"
    )


def _described(made: Any) -> str:
    if isinstance(made, type):
        return f"the class {made.__name__}"
    if isinstance(made, tuple | list):
        return f"a {type(made).__name__} of {', '.join(type(one).__name__ for one in made[:5])}"
    return f"a {type(made).__name__}"


def _advice(made: Any) -> str:
    if isinstance(made, type):
        return f"; return {made.__name__}(…), an instance"
    if isinstance(made, tuple | list) and any(isinstance(one, nn.Module) for one in made):
        return "; return only the network, and give its preprocessing with --resize, --mean and --std"
    if isinstance(made, dict):
        return "; load the weights into a network first, or give them with --weights FILE"
    return (
        "; return the network that it calls, or move it into the forward method of a Module" if callable(made) else ""
    )
