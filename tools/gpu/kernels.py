"""Single operations: a convolution with what follows it, in several kernels and in one; attention in torch's ways."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from frostline.stages.gpu import compute_exactly
from tools.gpu.bench import Bench
from tools.gpu.report import Found, Skipped


def kernels(bench: Bench, found: Found) -> None:
    """Note images/s of each; late, since a capture that fails would spoil those of other steps."""
    if not bench.on_gpu:
        raise Skipped("these operations exist on a GPU alone")
    _one_convolution(bench, found)
    _fp32_convolution(bench, found)
    _attention(bench, found)


def _one_convolution(bench: Bench, found: Found) -> None:
    """Note how fast one of ResNet-50's convolutions is with its bias and ReLU: in three kernels, and in one."""
    random = partial(torch.randn, device=bench.device, dtype=torch.bfloat16)
    images = random((256, 256, 56, 56)).to(memory_format=torch.channels_last)
    weight = random((64, 256, 1, 1)).to(memory_format=torch.channels_last)
    bias = random((64,))
    ways = {
        "three kernels": lambda: functional.conv2d(images, weight, bias).relu_(),
        "one of cuDNN's": lambda: torch.cudnn_convolution_relu(images, weight, bias, (1, 1), (0, 0), (1, 1), 1),
    }
    for way, work in ways.items():
        found[f"convolution, bias and ReLU, {way}"] = bench.rate(bench.captured(work), 256, 0.3)


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
        with sdpa_kernel(kind):
            work = bench.captured(lambda: functional.scaled_dot_product_attention(tokens, tokens, tokens))
            found[f"attention, {kind.name}"] = bench.rate(work, 128, 0.3)
