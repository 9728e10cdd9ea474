"""Activations by the names that oneDNN's operations know them by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

Activation = tuple[str, tuple[float, ...], str]
"""Name, numbers and algorithm, as oneDNN wants them."""
NO_ACTIVATION: Activation = ("none", (), "")
_MODULES: dict[type[nn.Module], Callable[[Any], Activation]] = {
    nn.ReLU: lambda _: ("relu", (), ""),
    nn.ReLU6: lambda _: ("hardtanh", (0.0, 6.0), ""),
    nn.Hardtanh: lambda m: ("hardtanh", (m.min_val, m.max_val), ""),
    nn.SiLU: lambda _: ("swish", (), ""),
    nn.Hardswish: lambda _: ("hardswish", (), ""),
    nn.GELU: lambda m: ("gelu", (), m.approximate),
}
_FUNCTIONS: dict[Any, Activation] = {
    **dict.fromkeys([functional.relu, torch.relu, "relu", "relu_"], ("relu", (), "")),
    functional.relu6: ("hardtanh", (0.0, 6.0), ""),
    functional.silu: ("swish", (), ""),
    functional.hardswish: ("hardswish", (), ""),
}
_APPLIED: dict[str, Callable[..., Tensor]] = {
    "none": lambda x: x,
    "relu": functional.relu,
    "hardtanh": functional.hardtanh,
    "swish": functional.silu,
    "hardswish": functional.hardswish,
}


def activation(target: nn.Module | Callable[..., Any] | str) -> Activation | None:
    """Return the activation that a module, a function or a tensor's method is, by oneDNN's name for it."""
    if isinstance(target, nn.Module):
        found = _MODULES.get(type(target))
        return found(target) if found else None
    return _FUNCTIONS.get(target)


def applied(which: Activation, x: Tensor) -> Tensor:
    """Return an activation of a tensor, by torch."""
    name, numbers, algorithm = which
    return functional.gelu(x, approximate=algorithm) if name == "gelu" else _APPLIED[name](x, *numbers)
