"""Pillow's resize on the device, in its own integers, for the pixels alone that a crop keeps.

Pillow resizes 8-bit images in integers (``src/libImaging/Resample.c``): first the width, then the height, by weights of
22 bits; sums in 32 bits are rounded half up and clipped. The same integers give the same pixels on any device.
Since version 13 Pillow begins with the height where that shrinks by much more: such images are left to it.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from functools import cache, lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

log = logging.getLogger("frostline")
_BITS = 22
_KEPT = 1024  # tables: images of as many sizes
_TRIED = (((50, 37), (24, 18)), ((31, 33), (31, 48)), ((40, 70), (24, 40)))  # sizes: from, to
_RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
Along = Callable[[Tensor, int, Tensor], Tensor]
Table = NDArray[np.int32]
"""(outputs, 1 + taps): the first input that each output is made of, then the weights of it and of those after it."""


def _bilinear(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(1.0 - np.abs(x), 0.0)


def _bicubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    a, x = -0.5, np.abs(x)
    near, far = ((a + 2.0) * x - (a + 3.0)) * x * x + 1, (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))


_FILTERS: dict[str, tuple[Callable[[NDArray[np.float64]], NDArray[np.float64]], float]] = {
    "bilinear": (_bilinear, 1.0),
    "bicubic": (_bicubic, 2.0),
}
FILTERS = frozenset(_FILTERS)


def begins_with_width(given: tuple[int, int], wanted: tuple[int, int]) -> bool:
    """Whether every release of Pillow resizes an image of (width, height) to another size width first."""
    narrower, lower = (before - after for before, after in zip(given, wanted, strict=True))
    return lower <= 0 or lower < 2 * narrower


def taps_for(scale: float, interpolation: str) -> int:
    """Return of how many inputs an output is made at most, if there are ``scale`` times as many inputs as outputs."""
    return 2 * math.ceil(_FILTERS[interpolation][1] * max(scale, 1.0)) + 1


@lru_cache(maxsize=_KEPT)
def table(inputs: int, outputs: int, kept: tuple[int, int], interpolation: str, taps: int) -> Table | None:
    """Return what outputs ``kept[0]`` to ``kept[1]`` of ``outputs`` are made of; None if that is more than ``taps``."""
    kernel, reach = _FILTERS[interpolation]
    scale = inputs / outputs
    stretch = max(scale, 1.0)
    reach *= stretch
    centre = (np.arange(*kept) + 0.5) * scale
    first = np.maximum((centre - reach + 0.5).astype(np.int64), 0)
    count = np.minimum((centre + reach + 0.5).astype(np.int64), inputs) - first
    if count.max() > taps:
        return None
    place = np.arange(taps)
    weights = kernel((place + first[:, None] - centre[:, None] + 0.5) * (1.0 / stretch))
    weights[place >= count[:, None]] = 0.0
    total = np.cumsum(weights, axis=1)[:, -1:]  # one after the other, as Pillow adds them up
    scaled = np.divide(weights, total, out=weights, where=total != 0.0) * (1 << _BITS)
    rounded = np.trunc(scaled + np.where(scaled < 0, -0.5, 0.5))
    return np.concatenate((first[:, None], rounded), axis=1).astype(np.int32)


def unchanged(outputs: int, taps: int) -> Table:
    """Return the table that gives the first inputs as they are."""
    found = np.zeros((outputs, 1 + taps), np.int32)
    found[:, 0], found[:, 1] = np.arange(outputs), 1 << _BITS
    return found


def resized(images: Tensor, across: Tensor, down: Tensor) -> Tensor:
    """Return images, uint8 (batch, h, w, 3), each resized by tables of its own, uint8 (batch, rows, columns, 3).

    ``across``, (batch, columns, 1 + taps), and ``down``, (batch, rows, 1 + taps): int32, on the images' device.
    """
    along = way(images.device) or in_torch
    return along(along(images, 2, across), 1, down)


def in_torch(images: Tensor, axis: int, tables: Tensor) -> Tensor:
    """Return images resized along an axis, by torch's operations: several for each tap."""
    first, last = tables[..., 0].long(), images.shape[axis] - 1
    shape = [size if at != axis else tables.shape[1] for at, size in enumerate(images.shape)]
    flat = [len(images) if at == 0 else -1 if at == axis else 1 for at in range(4)]
    total = torch.full(shape, 1 << (_BITS - 1), dtype=torch.int32, device=images.device)
    for tap in range(tables.shape[2] - 1):
        place = (first + tap).clamp_(max=last).view(flat).expand(shape)
        total += images.gather(axis, place) * tables[..., 1 + tap].view(flat)
    return (total >> _BITS).clamp_(0, 255).to(torch.uint8)


@cache
def way(device: torch.device) -> Along | None:
    """Return what resizes noise on a device to the pixels that Pillow makes of it, the fastest first; None if nothing.

    On a GPU that is a kernel, if Triton is there and can compile, else torch's operations. What fails is logged.
    """
    ways = {"Triton's kernel": _in_one_kernel} if device.type == "cuda" else {}
    return next((one for name, one in {**ways, "torch": in_torch}.items() if _agrees(device, name, one)), None)


def _in_one_kernel(images: Tensor, axis: int, tables: Tensor) -> Tensor:
    from frostline.stages.modalities.image.resize_kernel import summed

    return summed(images, axis, tables)


def _agrees(device: torch.device, name: str, along: Along) -> bool:
    try:
        if all(_same(device, along, *sizes, how) for how in _FILTERS for sizes in _TRIED):
            return True
        fault = "its pixels differ from Pillow's"
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # no Triton, no compiler, no memory that it knows
        fault = str(error).partition("\n")[0]
    log.info("%s does not resize images on %s: %s", name, device, fault)
    return False


def _same(device: torch.device, along: Along, given: tuple[int, int], wanted: tuple[int, int], how: str) -> bool:
    noise = np.random.default_rng(0).integers(0, 256, (given[1], given[0], 3), np.uint8)
    kept = np.asarray(Image.fromarray(noise).resize(wanted, _RESAMPLING[how]))[2:-1, 1:-3]
    across, down = (
        table(n, m, window, how, taps_for(n / m, how))
        for n, m, window in zip(given, wanted, ((1, wanted[0] - 3), (2, wanted[1] - 1)), strict=True)
    )
    images, *tables = (torch.from_numpy(one)[None].to(device) for one in (noise, across, down) if one is not None)
    return np.array_equal(along(along(images, 2, tables[0]), 1, tables[1])[0].cpu().numpy(), kept)
