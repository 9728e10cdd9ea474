"""Networks as torch.compile makes them, replayed as a graph: what fusing is worth, and what it costs to compile."""

from __future__ import annotations

import torch
from torch import Tensor

from frostline.stages.backbones.optimize import fused_convolutions
from tools.gpu.bench import Bench
from tools.gpu.report import Found
from tools.gpu.resident import FULL

NETWORKS = ("resnet50", "vit_b_16")


def compiled(bench: Bench, found: Found, name: str) -> None:
    """Note seconds and images/s of one network; a rehearsal traces it, but compiles nothing."""
    backbone, rows = bench.network(name if bench.on_gpu else bench.networks[0]), bench.batch_sizes[-1]

    def features(images: Tensor) -> Tensor:
        return backbone.features({"pixels": images})

    for layer in fused_convolutions(backbone.network):
        layer.fused = False  # the compiler fuses them
    given = bench.random_images(rows, FULL)
    faster = torch.compile(features, dynamic=False, backend="inductor" if bench.on_gpu else "eager")
    with torch.inference_mode():
        found["seconds to compile"] = round(bench.seconds(lambda: faster(given)), 1)
    found[f"batch {rows}, images/s"] = bench.rate(bench.captured(lambda: faster(given)), rows)
