"""Whether a GPU computes a network's convolutions by cuDNN's fused operations: tried there, layer by layer.

Nothing is timed, so processes on GPUs of one kind decide alike, and their rows of a feature set have the same bits.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor, nn

from frostline.stages.backbones.optimize.layers.cudnn import CudnnConv

log = logging.getLogger("frostline")
_TOLERANCE = 0.02  # of the largest value: torch rounds the convolution, the bias and the sum, cuDNN the result alone


def fused_convolutions(network: nn.Module) -> list[CudnnConv]:
    """Return the layers of a network that cuDNN could fuse."""
    return [module for module in network.modules() if isinstance(module, CudnnConv)]


def settle(network: nn.Module, batch: Tensor) -> None:
    """Have each layer fused that then gives what it gives unfused, on a batch on the GPU, in bf16 or fp16.

    Values may differ by 2 % of a layer's largest. A layer whose operation fails is not fused. In fp32 none is: without
    TF32 a GPU spends its time on the products, not on memory.
    """
    layers = fused_convolutions(network)
    for layer in layers:
        layer.fused = False
    if not layers or batch.dtype == torch.float32:
        return
    same: dict[nn.Module, bool] = {}
    handles = [layer.register_forward_hook(_noting(same)) for layer in layers]
    try:
        network(batch)
    finally:
        for handle in handles:
            handle.remove()
    for layer in layers:
        layer.fused = same.get(layer, False)
    log.debug("cuDNN fuses %d of %d convolutions with their ReLU", sum(same.values()), len(layers))


def _noting(same: dict[nn.Module, bool]) -> Callable[..., None]:
    """Return a hook that notes of layers, each of which a network calls once, whether they give the same fused."""

    def hook(layer: CudnnConv, given: tuple[Tensor, ...], expected: Tensor) -> None:
        same[layer] = _gives(layer, given, expected)

    return hook


def _gives(layer: CudnnConv, given: tuple[Tensor, ...], expected: Tensor) -> bool:
    try:
        found = layer.by_one_operation(*given)
    except torch.OutOfMemoryError:
        raise
    except Exception:  # cuDNN has no engine for it, or torch no such operation
        return False
    if found.shape != expected.shape or found.stride() != expected.stride():
        return False
    return bool((found.float() - expected.float()).abs().max() <= _TOLERANCE * expected.float().abs().max())
