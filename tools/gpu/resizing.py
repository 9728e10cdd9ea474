"""Photographs resized on the device: whether they have Pillow's pixels, how fast that is, how fast they get there."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from PIL import Image

from benchmarks.common.images import SIZES
from frostline.stages.backbones.inference.frames import Frame, frame_for, unframed
from frostline.stages.modalities.base import Item
from frostline.stages.modalities.image.resize import in_torch, way
from frostline.stages.modalities.items import Stack, stacked, write_to
from tools.gpu.bench import Bench
from tools.gpu.report import Found

_SIZES = (SIZES["photographs"], (375, 500), (512, 512), (333, 500), (97, 131), (640, 480), (300, 225), (257, 512))


def resizing(bench: Bench, found: Found) -> None:
    """Note both; pixels first. Raises AssertionError where they differ."""
    backbone = bench.network(bench.networks[0])
    frame = frame_for(backbone.preprocessing, backbone.spec.size)
    assert frame is not None
    used = way(bench.device)
    found["the check at load passes"] = used is not None
    found["one kernel"] = used not in (None, in_torch)
    same, images = _same(bench, frame), len(_SIZES)
    found["pixels are Pillow's"] = f"in {same} of {images} images"
    rows = bench.batch_sizes[0]
    batch = _on(bench, [_item(frame, _photograph(_SIZES[0]))] * rows)
    found[f"batch {rows}, resized alone, images/s"] = bench.rate(bench.captured(partial(unframed, batch)), rows, 0.5)
    plain = bench.captured(lambda: in_torch(in_torch(batch["pixels"], 2, batch["across"]), 1, batch["down"]))
    found[f"batch {rows}, resized by torch's operations, images/s"] = bench.rate(plain, rows, 0.5)
    found[f"batch {rows}, prepared alone, images/s"] = bench.rate(
        bench.captured(partial(backbone.prepared, batch)), rows, 0.5
    )
    _stacking(bench, found, frame, rows)
    assert same == images and found["the check at load passes"], "the device's pixels are not those of Pillow"


def _stacking(bench: Bench, found: Found, frame: Frame, rows: int) -> None:
    """Note images/s stacked where they go from, and stacked elsewhere first."""
    items = {place: _item(frame, _photograph(_SIZES[0])) for place in range(rows)}
    pinned = {
        name: torch.empty((rows, *array.shape), dtype=torch.from_numpy(array).dtype, pin_memory=bench.on_gpu).numpy()
        for name, array in items[0].items()
    }
    found[f"batch {rows}, stacked in pinned memory, images/s"] = bench.rate(
        lambda: write_to(pinned, Stack(items, rows)), rows, 0.5
    )
    found[f"batch {rows}, stacked and then copied there, images/s"] = bench.rate(
        lambda: write_to(pinned, dict(Stack(items, rows))), rows, 0.5
    )


def _same(bench: Bench, frame: Frame) -> int:
    photographs = [_photograph(size) for size in _SIZES]
    pixels = unframed(_on(bench, [_item(frame, one) for one in photographs])).cpu().numpy()
    wanted = [frame.how.item(one)["pixels"] for one in photographs]
    return sum(np.array_equal(one, other) for one, other in zip(pixels, wanted, strict=True))


def _photograph(size: tuple[int, int]) -> Image.Image:
    noise = np.random.default_rng(size).integers(0, 256, (size[1], size[0], 3), np.uint8)
    return Image.fromarray(noise)


def _item(frame: Frame, photograph: Image.Image) -> Item:
    item = frame.item(photograph)
    assert item is not None
    return item


def _on(bench: Bench, items: list[Item]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array).to(bench.device) for name, array in stacked(items).items()}
