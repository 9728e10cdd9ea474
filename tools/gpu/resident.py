"""Images/s of networks on batches that lie on the device: what a whole extraction can reach, and what parts cost."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from benchmarks.common.images import SIZES
from frostline.stages.backbones.inference.backbone import Backbone
from frostline.stages.backbones.optimize import fused_convolutions
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
    _unfused(bench, found, name, backbone, images)


def _unfused(bench: Bench, found: Found, name: str, backbone: Backbone, images: Tensor) -> None:
    """Note how many convolutions are fused with their ReLU, and the rate and the features without that."""
    layers, rows = fused_convolutions(backbone.network), len(images)
    used = [layer.fused for layer in layers]
    if not any(used):
        found[f"{name}, convolutions fused"] = f"none of {len(used)}"
        return
    with torch.inference_mode():
        fused = backbone.network(images[:32]).float()
        try:
            for layer in layers:
                layer.fused = False
            written = backbone.network(images[:32]).float()
            alone = bench.captured(lambda: backbone.network(images))
            found[f"{name}, batch {rows}, network alone, not fused"] = bench.rate(alone, rows)
        finally:
            for layer, one in zip(layers, used, strict=True):
                layer.fused = one
    found[f"{name}, convolutions fused"] = f"{sum(used)} of {len(used)}"
    likeness = torch.nn.functional.cosine_similarity(fused.flatten(1), written.flatten(1)).min()
    found[f"{name}, least cosine of features fused and not"] = round(float(likeness), 5)
