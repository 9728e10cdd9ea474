"""Single operations: a convolution with what follows it, in several kernels and in one; attention in torch's ways."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from frostline.stages.backbones.optimize.layers.cudnn import CudnnConv
from frostline.stages.gpu import compute_exactly
from tools.gpu.bench import Bench
from tools.gpu.report import Found, Skipped

_CONVOLUTIONS = {  # channels in and out, kernel, stride, side; whether something is added
    "stem": (3, 64, 7, 2, 224, False),
    "1 × 1": (256, 64, 1, 1, 56, False),
    "3 × 3": (128, 128, 3, 1, 28, False),
    "3 × 3, stride 2": (256, 256, 3, 2, 28, False),
    "1 × 1 and addition": (64, 256, 1, 1, 56, True),
}


def kernels(bench: Bench, found: Found) -> None:
    """Note images/s of each; late, since a capture that fails would spoil those of other steps."""
    if not bench.on_gpu:
        raise Skipped("these operations exist on a GPU alone")
    _convolutions(bench, found)
    _fp32_convolution(bench, found)
    _attention(bench, found)


def _convolutions(bench: Bench, found: Found) -> None:
    """Note how fast ResNet-50's convolutions are with bias, ReLU and addition: in kernels of their own, and in one."""
    for name, (channels, width, kernel, stride, side, adds) in _CONVOLUTIONS.items():
        conv = nn.Conv2d(channels, width, kernel, stride, kernel // 2, device=bench.device, dtype=torch.bfloat16)
        layer = CudnnConv(conv.requires_grad_(False).to(memory_format=torch.channels_last))
        images = _random(bench, 256, channels, side)
        addend = _random(bench, 256, width, side // stride) if adds else None
        with _failing_alone(found, name):  # cuDNN may have no engine for one of them
            for way, work in (("torch's kernels", layer), ("one of cuDNN's", layer.by_one_operation)):
                found[f"{name}, {way}"] = bench.rate(bench.captured(partial(work, images, addend)), 256, 0.2)
            found[f"{name}, largest difference over the largest value (expected below 0.02)"] = _difference(
                layer(images, addend), layer.by_one_operation(images, addend)
            )


@contextmanager
def _failing_alone(found: Found, name: str) -> Iterator[None]:
    """Note an error of what is measured, so that the rest still is."""
    try:
        yield
    except Exception as error:
        found[f"{name}, error"] = f"{type(error).__name__}: {error}".partition("\n")[0][:200]


def _random(bench: Bench, rows: int, channels: int, side: int) -> Tensor:
    images = torch.randn(rows, channels, side, side, device=bench.device, dtype=torch.bfloat16)
    return images.to(memory_format=torch.channels_last)


def _difference(found: Tensor, expected: Tensor) -> float:
    return float((found.float() - expected.float()).abs().max() / expected.float().abs().max())


def _fp32_convolution(bench: Bench, found: Found) -> None:
    """Note how fast fp32 convolutions without TF32 are in either order of memory."""
    compute_exactly()
    for name, order in (("channels last", torch.channels_last), ("channels first", torch.contiguous_format)):
        images = torch.randn(128, 128, 28, 28, device=bench.device).to(memory_format=order)
        weight = torch.randn(128, 128, 3, 3, device=bench.device).to(memory_format=order)
        work = bench.captured(partial(functional.conv2d, images, weight, padding=1))
        found[f"convolution in fp32, {name}"] = bench.rate(work, 128, 0.3)


def _attention(bench: Bench, found: Found) -> None:
    """Note how fast ViT-B/16's attention is in each of torch's ways."""
    tokens: Tensor = torch.randn(128, 12, 197, 64, device=bench.device, dtype=torch.bfloat16)
    for kind in (SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION):
        with _failing_alone(found, f"attention, {kind.name}"), sdpa_kernel(kind):
            work = bench.captured(lambda: functional.scaled_dot_product_attention(tokens, tokens, tokens))
            found[f"attention, {kind.name}"] = bench.rate(work, 128, 0.3)
