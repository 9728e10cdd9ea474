"""Whether a GPU computes a network's convolutions by cuDNN's fused operations: tried there, layer by layer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor, nn

from frostline.stages.backbones.optimize.layers.cudnn import CudnnConv

log = logging.getLogger("frostline")
_TOLERANCES = {torch.float32: 1e-5}  # of the largest value
_ROUNDED = 0.02  # in less: torch rounds the convolution, the bias and the sum, cuDNN the result alone
_ROUNDS, _PASSES = 5, 10
_PAYS = 0.97  # of the time at most: what is as fast is left as it is
_IMAGES, _CHANNELS, _SIDE = 64, 256, 28


def fused_convolutions(network: nn.Module) -> list[CudnnConv]:
    """Return the layers of a network that cuDNN could fuse."""
    return [module for module in network.modules() if isinstance(module, CudnnConv)]


def settle(network: nn.Module, batch: Tensor) -> None:
    """Have each layer fused that then gives what it gives unfused, on a batch on the GPU, if the GPU is faster so.

    Values may differ by 1e-5 of a layer's largest in fp32, by 2 % in less. A layer whose operation fails is not fused.
    """
    layers = fused_convolutions(network)
    for layer in layers:
        layer.fused = False
    if not layers or not pays(batch.device, batch.dtype):
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
    tolerance = _TOLERANCES.get(expected.dtype, _ROUNDED)
    return bool((found.float() - expected.float()).abs().max() <= tolerance * expected.float().abs().max())


@cache
def pays(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether a GPU is faster with fused operations, at a block as residual networks have it; asked once per process.

    So all networks of a process have the same bits.
    """
    unfused, fused = (_block(device, dtype, fused=fused) for fused in (False, True))
    images = torch.randn(_IMAGES, _CHANNELS, _SIDE, _SIDE, device=device, dtype=dtype)
    images = images.to(memory_format=torch.channels_last)
    try:
        return _seconds(fused, images) < _PAYS * _seconds(unfused, images)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # as there
        log.info("convolutions are not fused with what follows them: %s", str(error).partition("\n")[0])
        return False


def _block(device: torch.device, dtype: torch.dtype, *, fused: bool) -> nn.Module:
    narrow = _CHANNELS // 4
    convolutions = (
        nn.Conv2d(_CHANNELS, narrow, 1),
        nn.Conv2d(narrow, narrow, 3, padding=1),
        nn.Conv2d(narrow, _CHANNELS, 1),
    )
    layers = [CudnnConv(conv) for conv in convolutions]
    for layer in layers:
        layer.fused = fused
    return _Block(*layers).requires_grad_(False).to(device, dtype).to(memory_format=torch.channels_last)


class _Block(nn.Module):
    def __init__(self, first: nn.Module, second: nn.Module, third: nn.Module) -> None:
        super().__init__()
        self.first, self.second, self.third = first, second, third

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.third(self.second(self.first(x)), x)
        return result


def _seconds(block: nn.Module, images: Tensor) -> float:
    """Return how long some passes take, at best."""
    api, least = torch.get_device_module(images.device), float("inf")
    for _ in range(1 + _ROUNDS):  # in the first one cuDNN chooses
        api.synchronize(images.device)
        started = time.perf_counter()
        for _ in range(_PASSES):
            block(images)
        api.synchronize(images.device)
        least = min(least, time.perf_counter() - started)
    return least
