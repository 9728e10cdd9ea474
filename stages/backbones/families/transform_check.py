"""A family's preprocessing against that of the library that it is translated from."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from frostline.stages.backbones.families.base import LoadedModel
from frostline.stages.errors import ConfigError, UnreadableSample
from frostline.stages.modalities.image.spec import ImageTransform, LibraryTransform, Preprocessing, Size, replaced

log = logging.getLogger("frostline")
_SIZES = ((500, 375), (75, 100))  # width, height: larger and smaller than most networks' images, and not square
_EQUAL, _ALIKE = 0.05, 1.05  # grey levels; more than one, and than none, by what scaling there and back costs
_GEOMETRY = ("resize", "crop", "interpolation", "fit", "fill")


def transform_of(name: str, loaded: LoadedModel, changes: Mapping[str, Any]) -> ImageTransform:
    """Return how a model's images are prepared: as ``changes``, the user's, say; else to its library's own pixels.

    Two images of noise, one of a photograph's size, go through the family's preprocessing and through the library's. A
    difference of up to one grey level is logged. Beyond that the library's own code prepares the images, which is
    logged, too. Nothing is compared where there is none, or ``changes`` say where each pixel goes. Raises ConfigError
    for values out of range, and for a library whose answer can't be used.
    """
    how, own = loaded.preprocessing, loaded.own_transform
    if not isinstance(how, Preprocessing):
        raise ConfigError(f"the family of {name} gives {how!r:.200} for images; expected a Preprocessing")
    ours = replaced(how, changes)
    if own is None or set(changes) & set(_GEOMETRY):
        return ours
    fault = _fault(name, how, own)
    if fault is None:
        return ours
    if changes:
        raise ConfigError(_unlike(name, fault, ours))
    _check_usable(name, own)
    log.info("%s: images are preprocessed by %s itself: %s", name, own.library, fault)
    return own


def _fault(name: str, how: Preprocessing, own: LibraryTransform) -> str | None:
    """Return what the library makes otherwise, None for nothing beyond a grey level; up to that is logged."""
    differences = [_difference(own, image, how) for image in map(noise_photograph, _SIZES)]
    said = [found for found in differences if isinstance(found, str)]
    if said:
        return said[0]
    largest = max(map(float, differences))
    if largest > _ALIKE:
        return f"pixels that differ by up to {largest:.0f} of 255 grey levels"
    if largest > _EQUAL:
        log.info("note: the pixels of %s match those of its library to within one grey level, but not exactly", name)
    return None


def _check_usable(name: str, own: LibraryTransform) -> None:
    """Raise ConfigError unless the library makes one image of an image, the same one each time."""
    for image in map(noise_photograph, _SIZES):
        try:
            first, again = (own.item(image)["pixels"] for _ in range(2))
        except UnreadableSample as error:
            raise ConfigError(f"the preprocessing of {name}: {error}; give it with --resize and --crop") from error
        if not np.array_equal(first, again, equal_nan=True):
            raise ConfigError(
                f"the preprocessing of {name} by {own.library} is random; give a fixed one with --resize and --crop"
            )


def noise_photograph(size: tuple[int, int]) -> Image.Image:
    """Return an image of (width, height), always the same: smooth shapes and fine noise, as photographs have."""
    width, height = size
    generator = np.random.default_rng(0)
    shapes = Image.fromarray(generator.integers(60, 196, (8, 10, 3), np.uint8))
    smooth = np.asarray(shapes.resize(size, Image.Resampling.BICUBIC), np.float64)
    noisy = smooth + generator.normal(0, 8, (height, width, 3))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def _difference(own: LibraryTransform, image: Image.Image, how: Preprocessing) -> float | str:
    """Return the largest difference in grey levels, or how the library's answer is none, or of another shape."""
    pixels = how.item(image)["pixels"].astype(np.float64)
    try:
        given = own.item(image)["pixels"].astype(np.float64)
    except UnreadableSample as error:
        return f"nothing ({error})"
    if given.shape != pixels.shape:
        return f"{_by(given.shape)} pixels where {_by(pixels.shape)} were expected"
    unscaled = (given * np.array(how.std) + np.array(how.mean)) * 255
    return float(np.abs(unscaled - pixels).max())


def _by(shape: tuple[int, ...]) -> str:
    return f"{shape[0]} × {shape[1]}"


def _unlike(name: str, found: str, how: Preprocessing) -> str:
    flags = f"--resize {_flag(how.resize)} --crop {_flag(how.crop)} --interpolation {how.interpolation}"
    return (
        f"the preprocessing of {name} comes from its library, so its mean and standard deviation can't be "
        f"changed. The library does: {found}. Give the complete preprocessing instead; the nearest is: {flags}"
    )


def _flag(size: Size | None) -> str:
    return "x".join(map(str, size)) if isinstance(size, tuple) else str(size or "none")
