"""A convolution with what follows it in one pass over memory: bias, addition, activation."""

from __future__ import annotations

from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional

from frostline.stages.backbones.optimize.layers.activations import NO_ACTIVATION, Activation, applied
from frostline.stages.processor import computes_in


def is_plain_conv(module: nn.Module) -> TypeGuard[nn.Conv2d]:
    """Whether a module is torch's own convolution, nothing of it computed by code of another's."""
    return (
        type(module) is nn.Conv2d
        and isinstance(module.weight, nn.Parameter)
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
    )


class FusedConv(nn.Module):
    """``activation(conv(x) + addend)``; the addend's memory is overwritten by the result.

    The weights are packed, that is brought into the CPU's own order, at the first batch of a shape.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.weight, self.bias = conv.weight, conv.bias
        self.activation: Activation = NO_ACTIVATION
        self._geometry: list[Any] = [list(v) for v in (conv.padding, conv.stride, conv.dilation)]
        self._groups = conv.groups
        self._packed: tuple[Any, Tensor] | None = None

    def forward(self, x: Tensor, addend: Tensor | None = None) -> Tensor:
        if not computes_in(self.weight.dtype):
            return self._unfused(x, addend)
        name, numbers, algorithm = self.activation
        weight, geometry = self._packed_for(x), (*self._geometry, self._groups)
        if addend is None:
            result: Tensor = torch.ops.mkldnn._convolution_pointwise(
                x, weight, self.bias, *geometry, name, numbers, algorithm
            )
            return result
        after = (None if name == "none" else name, numbers, algorithm)
        result = torch.ops.mkldnn._convolution_pointwise_.binary(
            addend, x, weight, self.bias, *geometry, "add", 1.0, *after
        )
        return result

    def _unfused(self, x: Tensor, addend: Tensor | None) -> Tensor:
        padding, stride, dilation = self._geometry
        result = functional.conv2d(x, self.weight, self.bias, stride, padding, dilation, self._groups)
        return applied(self.activation, result if addend is None else result + addend)

    def _packed_for(self, x: Tensor) -> Tensor:
        wanted = (x.shape, self.weight.dtype)
        if self._packed is None or self._packed[0] != wanted:
            geometry = (*self._geometry, self._groups)
            weight = self.weight.detach().contiguous(memory_format=torch.channels_last)
            self._packed = wanted, torch.ops.mkldnn._reorder_convolution_weight(weight, *geometry, list(x.shape))
        return self._packed[1]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_packed": None}
