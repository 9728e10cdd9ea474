"""A linear layer with what follows it in one pass over memory: bias, and an activation or an addition."""

from __future__ import annotations

from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional

from frostline.stages.backbones.optimize.layers.activations import NO_ACTIVATION, Activation, applied
from frostline.stages.processor import computes_in


def is_plain_linear(module: nn.Module) -> TypeGuard[nn.Linear]:
    """Whether a module is torch's own linear layer, nothing of it computed by code of another's."""
    return type(module) is nn.Linear and isinstance(module.weight, nn.Parameter)


class FusedLinear(nn.Module):
    """``activation(linear(x))``, or ``linear(x) + addend``.

    The weights are packed, that is brought into the CPU's own order, at the first batch of a number of rows.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.weight, self.bias = weight, bias
        self.activation: Activation = NO_ACTIVATION
        self._packed: tuple[Any, Tensor] | None = None

    def forward(self, x: Tensor, addend: Tensor | None = None) -> Tensor:
        shape = (*x.shape[:-1], len(self.weight))
        if not computes_in(self.weight.dtype) or (addend is not None and addend.shape != shape):
            return self._unfused(x, addend)
        weight = self._packed_for(x)
        if addend is None:
            result: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, self.bias, *self.activation)
        else:
            result = torch.ops.mkldnn._linear_pointwise.binary(x, addend, weight, self.bias, "add")
        return result

    def _unfused(self, x: Tensor, addend: Tensor | None) -> Tensor:
        result = applied(self.activation, functional.linear(x, self.weight, self.bias))
        return result if addend is None else result + addend

    def _packed_for(self, x: Tensor) -> Tensor:
        wanted = (x.shape[:-1].numel(), self.weight.dtype)
        if self._packed is None or self._packed[0] != wanted:
            self._packed = wanted, torch.ops.mkldnn._reorder_linear_weight(self.weight.detach(), wanted[0])
        return self._packed[1]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_packed": None}
