"""A sample to the item that one backbone is given: of an image its pixels, ready or as they are."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from frostline.stages.backbones.spec import BackboneSpec
from frostline.stages.errors import UnreadableSample
from frostline.stages.modalities.base import Arrays, Item, Sample
from frostline.stages.modalities.image.spec import ImageTransform, LibraryTransform, View
from frostline.stages.modalities.image.transform import resized_size


class Embedder(Protocol):
    """What extraction and prediction need of a backbone.

    ``embed``: a batch, arrays by name, to its features. ``raw``: what ``embed`` takes of a sample as it is, in place of
    its item and with the same result, where that costs less; else None.
    """

    spec: BackboneSpec
    width: int

    def embed(self, batch: Arrays, /) -> NDArray[np.float32]: ...

    def raw(self, sample: Sample, /) -> Item | None: ...


def item_for(sample: Sample, spec: BackboneSpec, view: View = "plain") -> Item:
    """Return a sample as a backbone is given it. Raises UnreadableSample where it comes out with another size."""
    item = spec.preprocessing.item(sample, view)
    if spec.size and item["pixels"].shape[:2] != spec.size:
        found, wanted = (" × ".join(map(str, shape)) for shape in (item["pixels"].shape[:2], spec.size))
        raise UnreadableSample(f"{found} pixels; the backbone expects {wanted}, see --resize")
    return item


def raw_or_item(sample: Sample, backbone: Embedder, view: View = "plain") -> Item:
    """Return a sample as it is where the backbone takes that, else as ``item_for``."""
    raw = backbone.raw(sample) if view == "plain" else None
    return item_for(sample, backbone.spec, view) if raw is None else raw


def finished(item: Item, spec: BackboneSpec) -> Item:
    """Return what ``raw_or_item`` gave of an image as ``item_for`` would have."""
    if set(item) > {"pixels"}:
        from frostline.stages.backbones.inference.frames import finished_frame

        return finished_frame(item)
    pixels = item["pixels"]
    return item if pixels.shape[:2] == spec.size else item_for(Image.fromarray(pixels), spec)


def image_preprocessing(spec: BackboneSpec) -> ImageTransform:
    """Return the preprocessing of a backbone of images."""
    assert isinstance(spec.preprocessing, ImageTransform)
    return spec.preprocessing


def is_thumbnail(size: tuple[int, int], spec: BackboneSpec) -> bool:
    """Whether torch enlarges an image of (width, height) to the very pixels that Pillow makes of it.

    It does with bilinear filtering at a power of two, where every weight is a sixteenth or the
    like and nothing is rounded but the result; torch is five times as fast.
    """
    how = image_preprocessing(spec)
    if isinstance(how, LibraryTransform):
        return False
    if how.resize is None or how.interpolation != "bilinear" or size[0] != size[1] or size == spec.size:
        return False
    width, height = resized_size(size, how.resize, how.fit)
    larger = width == height > size[0] and math.frexp(width / size[0])[0] == 0.5
    return larger and max(spec.size, default=0) <= width


def noise_like(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return two images of noise, (2, height, width, 3): uint8, or where the values are scaled already, -1 to 1."""
    noise = np.random.default_rng(0).integers(0, 256, (2, *pixels.shape), np.uint8)
    return noise if pixels.dtype == np.uint8 else (noise / 127.5 - 1).astype(pixels.dtype)
