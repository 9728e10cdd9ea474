"""A family's preprocessing against that of the library that it is translated from."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from frostline.stages.backbones.families.base import LoadedModel
from frostline.stages.errors import ConfigError
from frostline.stages.modalities.image.spec import Preprocessing, Size

log = logging.getLogger("frostline")
_SIZES = ((500, 375), (75, 100))  # width, height: larger and smaller than most networks' images, and not square
_EQUAL, _ALIKE = 0.05, 1.05  # grey levels; more than one, and than none, by what scaling there and back costs
_GEOMETRY = ("resize", "crop", "interpolation", "fit", "fill")


def check_transform(name: str, loaded: LoadedModel, changes: Mapping[str, Any]) -> None:
    """Raise ConfigError where a model's preprocessing gives other pixels than its library's own, by over a grey level.

    Both are given two images of noise, one of a photograph's size. A difference of up to one grey level is logged.
    Nothing is compared where the library has none, or ``changes``, the user's, say where each pixel goes.
    """
    if loaded.own_transform is None or set(changes) & set(_GEOMETRY):
        return
    how, own = loaded.preprocessing, loaded.own_transform
    assert isinstance(how, Preprocessing)
    differences = [_difference(np.asarray(own(image)), image, how) for image in map(noise_photograph, _SIZES)]
    if any(isinstance(found, str) for found in differences):
        raise ConfigError(_unlike(name, next(found for found in differences if isinstance(found, str)), how))
    largest = max(float(found) for found in differences)
    if largest > _ALIKE:
        raise ConfigError(_unlike(name, f"pixels that differ by up to {largest:.0f} of 255 grey levels", how))
    if largest > _EQUAL:
        log.info("note: the pixels of %s are its library's own to within one grey level, not to the bit", name)


def noise_photograph(size: tuple[int, int]) -> Image.Image:
    """Return an image of (width, height), always the same: smooth shapes and fine noise, as photographs have."""
    width, height = size
    generator = np.random.default_rng(0)
    shapes = Image.fromarray(generator.integers(60, 196, (8, 10, 3), np.uint8))
    smooth = np.asarray(shapes.resize(size, Image.Resampling.BICUBIC), np.float64)
    noisy = smooth + generator.normal(0, 8, (height, width, 3))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def _difference(given: NDArray[np.floating], image: Image.Image, how: Preprocessing) -> float | str:
    """Return the largest difference in grey levels, or how the shapes differ."""
    pixels = how.item(image)["pixels"].astype(np.float64)
    if given.ndim != 3 or given.shape[1:] + given.shape[:1] != pixels.shape:
        return f"a tensor of shape {tuple(given.shape)} where (3, {pixels.shape[0]}, {pixels.shape[1]}) was expected"
    unscaled = (given.transpose(1, 2, 0) * np.array(how.std) + np.array(how.mean)) * 255
    return float(np.abs(unscaled - pixels).max())


def _unlike(name: str, found: str, how: Preprocessing) -> str:
    flags = f"--resize {_flag(how.resize)} --crop {_flag(how.crop)} --interpolation {how.interpolation}"
    return (
        f"the preprocessing of {name} can't be done here as its library does it: of the same image, the library makes "
        f"{found}. Choose one yourself, the nearest is: {flags}"
    )


def _flag(size: Size | None) -> str:
    return "x".join(map(str, size)) if isinstance(size, tuple) else str(size or "none")
