"""Photographs of any size as items of one shape: pixels in the corner of a frame, and tables that resize them.

A GPU resizes and crops them with Pillow's integers, so that processors have nothing left to do but decode.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from frostline.stages.modalities.base import Item
from frostline.stages.modalities.image.resize import (
    FILTERS,
    Table,
    begins_with_width,
    resized,
    table,
    taps_for,
    unchanged,
)
from frostline.stages.modalities.image.spec import ImageTransform, LibraryTransform, Preprocessing
from frostline.stages.modalities.image.transform import centre, resized_size
from frostline.stages.modalities.image.values import MAX_PIXELS

_STEP = 128  # pixels, of a frame's side


@dataclass(frozen=True)
class Frame:
    """What holds photographs of at most ``side`` × ``side`` pixels for a network of images of ``size``.

    ``taps``: of how many pixels of a line one of the result is made, at most. Images that are larger, or that need
    more, are resized by Pillow and lie in the frame with tables that change nothing.
    """

    how: Preprocessing
    size: tuple[int, int]
    side: int
    taps: int

    @property
    def item_bytes(self) -> int:
        return 3 * self.side**2 + 4 * sum(self.size) * (1 + self.taps)

    def item(self, image: Image) -> Item | None:
        """Return ``pixels``, uint8 (side, side, 3), and int32 tables ``across`` and ``down``; see ``resized``.

        None where the transform does not give the network's size. Raises UnreadableSample as the transform does.
        """
        pixels, tables = np.asarray(image), self._tables(image.size)
        if tables is None:
            pixels = self.how.item(image)["pixels"]
            tables = unchanged(self.size[1], self.taps), unchanged(self.size[0], self.taps)
            if pixels.shape[:2] != self.size:
                return None
        framed = np.zeros((self.side, self.side, 3), np.uint8)
        framed[: pixels.shape[0], : pixels.shape[1]] = pixels
        return {"pixels": framed, "across": tables[0], "down": tables[1]}

    def _tables(self, size: tuple[int, int]) -> tuple[Table, Table] | None:
        """Return what resizes and crops an image of (width, height); None if that is for Pillow."""
        assert self.how.resize is not None
        larger = resized_size(size, self.how.resize, self.how.fit)
        left, top, right, bottom = centre(larger, self.how.crop or (larger[1], larger[0]))
        beyond = min(left, top) < 0 or (bottom - top, right - left) != self.size
        if max(size) > self.side or prod(larger) > MAX_PIXELS or beyond or not begins_with_width(size, larger):
            return None
        how = self.how.interpolation
        across = table(size[0], larger[0], (left, right), how, self.taps)
        down = table(size[1], larger[1], (top, bottom), how, self.taps)
        return None if across is None or down is None else (across, down)


def frame_for(how: ImageTransform, size: tuple[int, ...]) -> Frame | None:
    """Return a frame for photographs about twice as large as they are resized to; None if a device can't resize so."""
    if isinstance(how, LibraryTransform) or how.resize is None or not how.fixes_size:
        return None
    if how.interpolation not in FILTERS:
        return None
    shorter = min(how.resize) if isinstance(how.resize, tuple) else how.resize
    side = -(-2 * shorter // _STEP) * _STEP
    if len(size) != 2 or max(size) > side:
        return None
    return Frame(how, (size[0], size[1]), side, taps_for(side / shorter, how.interpolation))


def finished_frame(item: Item) -> Item:
    """Return the item of one photograph as the transform would have made it, computed here."""
    batch = {name: torch.from_numpy(array)[None] for name, array in item.items()}
    return {"pixels": unframed(batch)[0].numpy()}


def unframed(given: Mapping[str, Tensor]) -> Tensor:
    """Return the images of a batch, uint8 (batch, h, w, 3): framed ones resized, others as they are."""
    if "across" not in given:
        return given["pixels"]
    return resized(given["pixels"], given["across"], given["down"])
