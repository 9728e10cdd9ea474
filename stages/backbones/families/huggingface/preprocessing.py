"""An image processor of transformers, as far as Frostline's own preprocessing can say the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import transformers
from PIL import Image
from torch import Tensor

from frostline.stages.errors import ConfigError, UnreadableSample, shortened
from frostline.stages.modalities.image.spec import Fit, Interpolation, LibraryTransform, Preprocessing, Size
from frostline.stages.records.sealed import canonical_json

_VERSION = f"transformers {transformers.__version__}"

_FILTERS: dict[int, Interpolation] = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}  # Pillow's numbers
_LARGEST = 8192  # pixels a side
_PHOTOGRAPH = (500, 375)
_SMALL = 384  # ConvNeXt's processor crops below it, and resizes to the very size from it on


@dataclass(frozen=True)
class Processor:
    """How images are prepared. ``own``: as the library does it.

    ``swapped``: the network takes blue, green and red; what ``own`` gives is red, green and blue all the same.
    """

    how: Preprocessing
    own: LibraryTransform | None = None
    swapped: bool = False


def of_timm(name: str, processor: Any) -> Processor:
    """Return what the image processor of a timm model in transformers does. Raises ConfigError."""
    from frostline.stages.backbones.families.timm_models.preprocessing import translated

    with understood(name):
        how = _bounded(translated(name, processor.data_config))
    own = LibraryTransform(_VERSION, canonical_json(processor.data_config).decode(), processor.val_transforms)
    return Processor(how, own)


def of_transformers(name: str, processor: Any) -> Processor:
    """Return what an image processor does. Raises ConfigError for one that gives no images of three channels."""
    said = processor.to_dict()
    swapped = bool(said.get("do_flip_channel_order"))

    def transform(image: Image.Image) -> Tensor:
        found: Tensor = processor(images=image, return_tensors="pt")["pixel_values"][0]
        return found.flip(0) if swapped else found

    with understood(name):
        _check_bounds(said)
        own = LibraryTransform(_VERSION, canonical_json(said).decode(), transform)
        return Processor(_translated(said) or _alike(own), own, swapped)


def _translated(said: Mapping[str, Any]) -> Preprocessing | None:
    """Return what a processor's configuration means, None where ours has no words for it.

    Raises ArithmeticError and ValueError for values that can't be.
    """
    try:
        resize, crop, fit = _geometry(said)
        mean, std = _scaling(said)
        how = Preprocessing(resize, crop, _FILTERS[int(said.get("resample", 2))], mean, std, fit)
    except (KeyError, TypeError, ValueError):
        return None
    return _bounded(how)


def _alike(own: LibraryTransform) -> Preprocessing:
    """Return a preprocessing that gives images of the library's size. Raises ValueError where it gives none."""
    try:
        height, width, _ = own.item(Image.new("RGB", _PHOTOGRAPH))["pixels"].shape
    except UnreadableSample as error:
        raise ValueError(str(error)) from error
    return _bounded(Preprocessing((height, width)))


@contextmanager
def understood(name: str) -> Iterator[None]:
    """Raise as ConfigError what values of a configuration raise that can't be, for it may be anyone's."""
    try:
        yield
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise ConfigError(
            f"{name}: the preprocessing in its configuration is not understood ({type(error).__name__}: "
            f"{shortened(str(error))}); give it with --resize, --crop, --mean and --std"
        ) from error


def _check_bounds(said: Any) -> None:
    """Raise ValueError for a number so large that, were it pixels, a few bytes could take all memory."""
    values = said.values() if isinstance(said, Mapping) else said if isinstance(said, list | tuple) else ()
    for value in values:
        _check_bounds(value)
    if isinstance(said, int | float) and not abs(said) <= _LARGEST:
        raise ValueError(f"{shortened(str(said))}; expected at most {_LARGEST:,}")


def _bounded(how: Preprocessing) -> Preprocessing:
    """Return it. Raises ValueError for images so large that a few bytes could take all memory."""
    for size in (how.resize, how.crop):
        if max(size if isinstance(size, tuple) else (size or 1,)) > _LARGEST:
            raise ValueError(f"images of {size} pixels; expected at most {_LARGEST:,} a side")
    return how


def _geometry(said: Mapping[str, Any]) -> tuple[Size | None, Size | None, Fit]:
    """Return resize, crop and fit."""
    crop = _size(said["crop_size"]) if said.get("do_center_crop") else None
    if not said.get("do_resize"):
        return None, crop, "short"
    size, share = said["size"], said.get("crop_pct")
    if isinstance(size, Mapping) and size.get("longest_edge") and not size.get("shortest_edge"):
        return int(size["longest_edge"]), crop, "long"
    if share and isinstance(size, Mapping) and size.get("shortest_edge"):
        side = int(size["shortest_edge"])
        return (int(side / share), (side, side), "short") if side < _SMALL else ((side, side), None, "short")
    return _size(size), crop, "short"


def _size(found: Any) -> Size:
    """Return the shorter side, or (height, width)."""
    if isinstance(found, Mapping):
        side = found.get("shortest_edge")
        if side and found.get("longest_edge"):
            raise ValueError("a limit of the longer side as well")
        return int(side) if side else (int(found["height"]), int(found["width"]))
    return (int(found[0]), int(found[1])) if isinstance(found, list | tuple) else int(found)


def _scaling(said: Mapping[str, Any]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and deviation on values in 0..1 of (v * factor + offset - mean) / deviation, v in 0..255."""
    factor = float(said.get("rescale_factor", 1 / 255)) * 255 if said.get("do_rescale") else 255.0
    factor = 1.0 if abs(factor - 1) < 1e-9 else factor
    offset = -1.0 if said.get("do_rescale") and said.get("rescale_offset") else 0.0
    normalised = said.get("do_normalize")
    mean, std = (said["image_mean"], said["image_std"]) if normalised else ((0.0,) * 3, (1.0,) * 3)
    twice = normalised and said.get("include_top")  # EfficientNet's divides a second time
    return (
        tuple((float(m) - offset) / factor for m in mean),
        tuple(float(s) * (float(s) if twice else 1.0) / factor for s in std),
    )
