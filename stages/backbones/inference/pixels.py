"""A decoded image to the pixels that one backbone is given."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from frostline.stages.backbones.spec import BackboneSpec
from frostline.stages.errors import UnreadableSample
from frostline.stages.modalities.image.spec import LibraryTransform, View
from frostline.stages.modalities.image.transform import resized_size

Pixels = NDArray[Any]
"""Images: uint8, or float32 where a library has scaled them already."""


def pixels_for(image: Image.Image, spec: BackboneSpec, view: View = "plain") -> Pixels:
    """Return an image preprocessed for a backbone. Raises UnreadableSample if it comes out with another size."""
    pixels = spec.preprocessing.item(image, view)["pixels"]
    if pixels.shape[:2] != spec.size:
        found, wanted = (" × ".join(map(str, shape)) for shape in (pixels.shape[:2], spec.size))
        raise UnreadableSample(f"{found} pixels where the backbone has {wanted}; see --resize")
    return pixels


class Embedder(Protocol):
    """What extraction and prediction need of a backbone."""

    spec: BackboneSpec
    width: int

    def embed(self, pixels: Pixels, /) -> NDArray[np.float32]: ...

    def enlarges(self, size: tuple[int, int], /) -> bool: ...


def raw_or_pixels(image: Image.Image, backbone: Embedder, view: View = "plain") -> Pixels:
    """Return an image as it is where the backbone enlarges it faster, else as ``pixels_for``."""
    if view == "plain" and backbone.enlarges(image.size):
        return np.asarray(image)
    return pixels_for(image, backbone.spec, view)


def finished(pixels: Pixels, spec: BackboneSpec) -> Pixels:
    """Return what ``raw_or_pixels`` gave as ``pixels_for`` would have."""
    return pixels if pixels.shape[:2] == spec.size else pixels_for(Image.fromarray(pixels), spec)


def is_thumbnail(size: tuple[int, int], spec: BackboneSpec) -> bool:
    """Whether torch enlarges an image of (width, height) to the very pixels that Pillow makes of it.

    It does with bilinear filtering at a power of two, where every weight is a sixteenth or the
    like and nothing is rounded but the result; torch is five times as fast.
    """
    how = spec.preprocessing
    if isinstance(how, LibraryTransform):
        return False
    if how.resize is None or how.interpolation != "bilinear" or size[0] != size[1] or size == spec.size:
        return False
    width, height = resized_size(size, how.resize, how.fit)
    larger = width == height > size[0] and math.frexp(width / size[0])[0] == 0.5
    return larger and max(spec.size) <= width


def noise_like(pixels: Pixels) -> Pixels:
    """Return two images of noise, (2, height, width, 3): uint8, or where the values are scaled already, -1 to 1."""
    noise = np.random.default_rng(0).integers(0, 256, (2, *pixels.shape), np.uint8)
    return noise if pixels.dtype == np.uint8 else (noise / 127.5 - 1).astype(pixels.dtype)
