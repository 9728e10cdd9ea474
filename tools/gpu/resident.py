"""Images/s of networks on batches that lie on the device: what a whole extraction can reach, and what parts cost."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.common.images import SIZES
from frostline.stages.backbones.inference.backbone import Backbone
from tools.gpu.bench import Bench
from tools.gpu.report import Found

FULL, SMALL = 224, SIZES["thumbnails"][0]


def graph_name(network: str, side: int, rows: int) -> str:
    return f"{network}, {side} px, batch {rows}, graph"


def resident(bench: Bench, found: Found) -> None:
    for name in bench.networks:
        backbone = bench.network(name)
        for rows in bench.batch_sizes:
            found[graph_name(name, FULL, rows)] = _graph(bench, backbone, FULL, rows)
        found[graph_name(name, SMALL, bench.batch_sizes[0])] = _graph(bench, backbone, SMALL, bench.batch_sizes[0])
        _parts(bench, found, name, backbone)
    if bench.on_gpu:
        _one_convolution(bench, found)
        _attention(bench, found)


def _graph(bench: Bench, backbone: Backbone, side: int, rows: int) -> int:
    given = {"pixels": bench.random_images(rows, side)}
    return bench.rate(bench.captured(lambda: backbone.features(given)), rows)


def _parts(bench: Bench, found: Found, name: str, backbone: Backbone) -> None:
    """Note the rates of the network and of what is done to images before it, each alone."""
    rows = bench.batch_sizes[-1]
    for side in (FULL, SMALL):
        given = {"pixels": bench.random_images(rows, side)}
        prepared = bench.captured(partial(backbone.prepared, given))
        found[f"{name}, {side} px, batch {rows}, prepared alone"] = bench.rate(prepared, rows, 0.5)
    with torch.inference_mode():
        images = backbone.prepared(given)
    alone = bench.captured(lambda: backbone.network(images))
    found[f"{name}, batch {rows}, network alone"] = bench.rate(alone, rows)


def _one_convolution(bench: Bench, found: Found) -> None:
    """Note how fast one of ResNet-50's convolutions is with its bias and ReLU: in three kernels, and in one."""
    like = {"device": bench.device, "dtype": torch.bfloat16}
    images = torch.randn(256, 256, 56, 56, **like).to(memory_format=torch.channels_last)
    weight = torch.randn(64, 256, 1, 1, **like).to(memory_format=torch.channels_last)
    bias = torch.randn(64, **like)
    ways = {
        "three kernels": lambda: functional.conv2d(images, weight, bias).relu_(),
        "one of cuDNN's": lambda: torch.cudnn_convolution_relu(images, weight, bias, (1, 1), (0, 0), (1, 1), 1),
    }
    for way, work in ways.items():
        found[f"convolution, bias and ReLU, {way}"] = bench.rate(bench.captured(work), 256, 0.3)


def _attention(bench: Bench, found: Found) -> None:
    """Note how fast ViT-B/16's attention is in each of torch's ways."""
    tokens: Tensor = torch.randn(128, 12, 197, 64, device=bench.device, dtype=torch.bfloat16)
    for kind in (SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION):
        with sdpa_kernel(kind):
            work = bench.captured(lambda: functional.scaled_dot_product_attention(tokens, tokens, tokens))
            found[f"attention, {kind.name}"] = bench.rate(work, 128, 0.3)
