"""A convolution with bias, addition and ReLU in one of cuDNN's operations, on a GPU."""

from __future__ import annotations

import logging
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

log = logging.getLogger("frostline")
_NO_ENGINE = "unable to find an engine"


class CudnnConv(nn.Module):
    """``relu(conv(x) + addend)``: where ``fused`` by one operation, which exists on a GPU alone, else by torch's own.

    Torch writes and reads the convolution's output once more for each of bias, addition and ReLU. Images of a shape for
    which cuDNN has no fused engine are computed by torch's operations from then on, and that is logged.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.weight, self.bias, self.fused = conv.weight, conv.bias, False
        self._geometry: tuple[Any, ...] = (conv.stride, conv.padding, conv.dilation, conv.groups)
        self._without: set[torch.Size] = set()

    def forward(self, x: Tensor, addend: Tensor | None = None) -> Tensor:
        if self.fused and x.shape not in self._without:
            try:
                return self.by_one_operation(x, addend)
            except RuntimeError as error:
                if _NO_ENGINE not in str(error):
                    raise
            self._without.add(x.shape)
            log.info("cuDNN has no fused engine for a convolution of %s; torch computes it", tuple(x.shape))
        result = functional.conv2d(x, self.weight, self.bias, *self._geometry)
        return functional.relu_(result if addend is None else result + addend)

    def by_one_operation(self, x: Tensor, addend: Tensor | None = None) -> Tensor:
        if addend is None:
            return torch.cudnn_convolution_relu(x, self.weight, self.bias, *self._geometry)
        return torch.cudnn_convolution_add_relu(x, self.weight, addend, 1.0, self.bias, *self._geometry)
