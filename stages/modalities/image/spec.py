"""How an image becomes a network's input: the frozen description."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]


View = Literal["plain", "hflip"]


Size = int | tuple[int, int]


# Of one image. Below Pillow's own limit, whose meaning depends on the filter of its warning.
MAX_PIXELS = 80_000_000


@dataclass(frozen=True)
class Preprocessing:
    """How a decoded RGB image becomes the network's input.

    ``resize``: the shorter side in pixels, or (height, width), or None to leave the size.
    ``crop``: the centre's side, or (height, width), or None. ``mean`` and ``std`` per
    channel, on values in 0..1. This is torchvision's ``ImageClassification`` preset.
    """

    resize: Size | None = None
    crop: Size | None = None
    interpolation: Interpolation = "bilinear"
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)

    @property
    def fixes_size(self) -> bool:
        """Whether every image comes out with one size, whatever it was."""
        return self.crop is not None or isinstance(self.resize, tuple)
