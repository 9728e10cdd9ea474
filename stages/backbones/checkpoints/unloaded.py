"""Layers whose weights a checkpoint does not hold: a classifier that was cut off. They give nothing but NaN."""

from __future__ import annotations

import torch
from torch import Tensor, nn


@torch.no_grad()
def leave_unloaded(model: nn.Module, layer: str) -> None:
    """Fill a layer's weights with NaN, so that nothing that depends on them passes for a feature."""
    module = model.get_submodule(layer)
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.is_floating_point():
            tensor.fill_(torch.nan)


def unloaded(model: nn.Module) -> list[str]:
    """Return the names of the layers that have been left without weights."""
    return [
        name
        for name, module in model.named_modules()
        if any(map(_is_unloaded, module.parameters(recurse=False))) and not any(module.children())
    ]


def _is_unloaded(tensor: Tensor) -> bool:
    return tensor.is_floating_point() and tensor.numel() > 0 and bool(tensor.detach().flatten()[0].isnan())
