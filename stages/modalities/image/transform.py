"""A decoded image to the uint8 pixels that a backbone is given."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from frostline.stages.errors import UnreadableSample
from frostline.stages.modalities.image.values import MAX_PIXELS, Fit, Interpolation, Size, View

_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


class Geometry(Protocol):
    """What of a ``Preprocessing`` tells where each pixel goes."""

    @property
    def resize(self) -> Size | None: ...
    @property
    def crop(self) -> Size | None: ...
    @property
    def interpolation(self) -> Interpolation: ...
    @property
    def fit(self) -> Fit: ...
    @property
    def fill(self) -> tuple[int, ...]: ...


def preprocess(image: Image.Image, how: Geometry, view: View = "plain") -> NDArray[np.uint8]:
    """Return an RGB image resized and cropped, uint8 (height, width, 3).

    The same arithmetic, pixel for pixel, as torchvision's ``Resize`` and ``CenterCrop`` on
    a PIL image. The flip comes last. Raises UnreadableSample for an image so long and narrow
    that resizing its shorter side would make it enormous.
    """
    if how.resize is not None:
        width, height = resized_size(image.size, how.resize, how.fit)
        if width * height > MAX_PIXELS:
            found = f"{image.width:,} × {image.height:,} pixels"
            raise UnreadableSample(f"too narrow ({found}; a shorter side of {how.resize} makes {width:,} × {height:,})")
        image = image.resize((width, height), _FILTERS[how.interpolation])
    if how.crop is not None:
        image = _cropped(image, centre(image.size, how.crop), how.fill)
    pixels = np.asarray(image)
    return pixels[:, ::-1] if view == "hflip" else pixels


def resized_size(size: tuple[int, int], wanted: Size, fit: Fit = "short") -> tuple[int, int]:
    """Return (width, height); a single number is the shorter side's, or with ``long`` that of a square to fit into."""
    if fit == "long":
        return _inside(size, wanted if isinstance(wanted, tuple) else (wanted, wanted))
    if isinstance(wanted, tuple):
        return wanted[1], wanted[0]
    width, height = size
    if width <= height:
        return wanted, int(wanted * height / width)
    return int(wanted * width / height), wanted


def _inside(size: tuple[int, int], box: tuple[int, int]) -> tuple[int, int]:
    """Return the largest (width, height) of the same proportions in (height, width), rounded as timm, open_clip do."""
    width, height = size
    ratio = max(height / box[0], width / box[1])
    return max(1, round(width / ratio)), max(1, round(height / ratio))


def _cropped(image: Image.Image, box: tuple[int, int, int, int], fill: tuple[int, ...]) -> Image.Image:
    """Return a part of an image, which may reach beyond it; there it is filled."""
    if not any(fill):
        return image.crop(box)
    left, top, right, bottom = box
    canvas = Image.new("RGB", (right - left, bottom - top), fill)
    canvas.paste(image, (-left, -top))
    return canvas


def centre(size: tuple[int, int], wanted: Size) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of the centre of (width, height); negative where that is smaller."""
    height, width = wanted if isinstance(wanted, tuple) else (wanted, wanted)
    left, top = _start(size[0], width), _start(size[1], height)
    return left, top, left + width, top + height


def _start(found: int, wanted: int) -> int:
    """Return where the centre begins, rounded as torchvision rounds: to even, but padding downwards."""
    return round((found - wanted) / 2.0) if found >= wanted else -((wanted - found) // 2)
