"""A convolution with what follows it in one pass over memory: bias, addition, activation.

It calls the oneDNN operations that ``torch.compile`` calls, without the minute of compiling.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional

Activation = tuple[str, tuple[float, ...]]
_MODULES: dict[type[nn.Module], Callable[[Any], Activation]] = {
    nn.ReLU: lambda _: ("relu", ()),
    nn.ReLU6: lambda _: ("hardtanh", (0.0, 6.0)),
    nn.Hardtanh: lambda m: ("hardtanh", (m.min_val, m.max_val)),
    nn.SiLU: lambda _: ("swish", ()),
    nn.Hardswish: lambda _: ("hardswish", ()),
}
_FUNCTIONS: dict[Any, Activation] = {
    **dict.fromkeys([functional.relu, torch.relu, "relu", "relu_"], ("relu", ())),
    functional.relu6: ("hardtanh", (0.0, 6.0)),
    functional.silu: ("swish", ()),
    functional.hardswish: ("hardswish", ()),
}
_APPLIED: dict[str, Callable[..., Tensor]] = {
    "none": lambda x: x,
    "relu": functional.relu,
    "hardtanh": functional.hardtanh,
    "swish": functional.silu,
    "hardswish": functional.hardswish,
}
_SUPPORTED = {torch.bfloat16: "_is_mkldnn_bf16_supported", torch.float16: "_is_mkldnn_fp16_supported"}


def can_fuse() -> bool:
    """Whether this build of torch has the operations."""
    names = ("_convolution_pointwise", "_convolution_pointwise_", "_reorder_convolution_weight", *_SUPPORTED.values())
    return torch._C._has_mkldnn and all(hasattr(torch.ops.mkldnn, name) for name in names)


def _computes_in(dtype: torch.dtype) -> bool:
    """Whether this processor has oneDNN's operations in a precision; float32 everywhere."""
    return dtype not in _SUPPORTED or bool(getattr(torch.ops.mkldnn, _SUPPORTED[dtype])())


def is_conv(module: nn.Module) -> TypeGuard[nn.Conv2d]:
    """Whether a module is a plain convolution, nothing of it computed by code of another's."""
    return (
        type(module) is nn.Conv2d
        and isinstance(module.weight, nn.Parameter)
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
    )


def activation(target: nn.Module | Callable[..., Any] | str) -> Activation | None:
    """Return the activation that a module, a function or a tensor's method is, by oneDNN's name for it."""
    if isinstance(target, nn.Module):
        found = _MODULES.get(type(target))
        return found(target) if found else None
    return _FUNCTIONS.get(target)


class FusedConv(nn.Module):
    """``activation(conv(x) + other)``; what is added is overwritten by the result.

    The weights are brought into the processor's own order at the first batch of a shape.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.weight, self.bias = conv.weight, conv.bias
        self.activation: Activation = ("none", ())
        self._geometry: list[Any] = [list(v) for v in (conv.padding, conv.stride, conv.dilation)]
        self._groups = conv.groups
        self._packed: tuple[Any, Tensor] | None = None

    def forward(self, x: Tensor, other: Tensor | None = None) -> Tensor:
        if not _computes_in(self.weight.dtype):
            return self._as_written(x, other)
        name, numbers = self.activation
        weight, how = self._weight_for(x), (*self._geometry, self._groups)
        if other is None:
            result: Tensor = torch.ops.mkldnn._convolution_pointwise(x, weight, self.bias, *how, name, numbers, "")
            return result
        after = (None if name == "none" else name, numbers, "")
        result = torch.ops.mkldnn._convolution_pointwise_.binary(other, x, weight, self.bias, *how, "add", 1.0, *after)
        return result

    def _as_written(self, x: Tensor, other: Tensor | None) -> Tensor:
        padding, stride, dilation = self._geometry
        result = functional.conv2d(x, self.weight, self.bias, stride, padding, dilation, self._groups)
        name, numbers = self.activation
        return _APPLIED[name](result if other is None else result + other, *numbers)

    def _weight_for(self, x: Tensor) -> Tensor:
        wanted = (x.shape, self.weight.dtype)
        if self._packed is None or self._packed[0] != wanted:
            how = (*self._geometry, self._groups)
            weight = self.weight.detach().contiguous(memory_format=torch.channels_last)
            self._packed = wanted, torch.ops.mkldnn._reorder_convolution_weight(weight, *how, list(x.shape))
        return self._packed[1]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_packed": None}
