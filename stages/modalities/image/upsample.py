"""Thumbnails enlarged on the device, to the very pixels that Pillow makes of them."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

_TRIED = ((32, 64), (32, 256), (7, 56))  # sides: from, to


def enlarged(images: Tensor, side: int) -> Tensor:
    """Return square images, uint8 (batch, 3, s, s), enlarged to a side that is s times a power of two."""
    if images.device.type == "cpu":
        return _resized(images, (side, side))
    return in_floats(images, side)


def in_floats(images: Tensor, side: int) -> Tensor:
    """Return the same by way of floating point, for devices that resize nothing else.

    Every weight is a sixteenth or the like, so that nothing is rounded but the result: twice,
    as Pillow does, after the width and after the height.
    """
    wide = _rounded(_resized(images.float(), (images.shape[-2], side)))
    return _rounded(_resized(wide, (side, side))).to(torch.uint8)


@cache
def agrees(device: torch.device) -> bool:
    """Whether a device enlarges noise to the pixels that Pillow makes of it."""
    for side, larger in _TRIED:
        noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
        wanted = np.asarray(Image.fromarray(noise).resize((larger, larger), Image.Resampling.BILINEAR))
        found = enlarged(torch.from_numpy(noise).permute(2, 0, 1)[None].to(device), larger)
        if not np.array_equal(found[0].permute(1, 2, 0).cpu().numpy(), wanted):
            return False
    return True


def _resized(images: Tensor, size: tuple[int, int]) -> Tensor:
    return functional.interpolate(images, size, mode="bilinear", antialias=True)


def _rounded(values: Tensor) -> Tensor:
    return torch.floor(values + 0.5)
