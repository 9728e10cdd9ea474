"""The values that an image's preprocessing is described by."""

from __future__ import annotations

from typing import Literal

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]


View = Literal["plain", "hflip"]


Size = int | tuple[int, int]


Fit = Literal["short", "long"]


# Of one image. Below Pillow's own limit, whose meaning depends on the filter of its warning.
MAX_PIXELS = 80_000_000
