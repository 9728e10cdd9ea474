"""How an image becomes a network's input: the frozen description."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, get_args

from frostline.stages.errors import ConfigError, unknown_name
from frostline.stages.modalities.base import IMAGE, LATER
from frostline.stages.modalities.image.library import LibraryTransform
from frostline.stages.modalities.image.values import MAX_PIXELS, Fit, Interpolation, Size, View

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

__all__ = [
    "MAX_PIXELS",
    "Fit",
    "ImageTransform",
    "Interpolation",
    "LibraryTransform",
    "Preprocessing",
    "Size",
    "View",
    "replaced",
]


@dataclass(frozen=True)
class Preprocessing:
    """How a decoded RGB image becomes the network's input: the ``Transform`` of images.

    ``resize``: the shorter side in pixels, or (height, width), or None to leave the size.
    ``crop``: the centre's side, or (height, width), or None. ``mean`` and ``std`` per
    channel, on values in 0..1. This is torchvision's ``ImageClassification`` preset.

    ``fit``: with ``long``, the image keeps its proportions and is made as large as fits into ``resize``: a square, or
    (height, width). ``fill``: the colour, 0..255 a channel, of what ``crop`` takes from beyond the image.
    """

    modality: ClassVar[str] = IMAGE
    dtype: ClassVar[str] = "uint8"

    resize: Size | None = None
    crop: Size | None = None
    interpolation: Interpolation = "bilinear"
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    fit: Fit = field(default="short", metadata=LATER)
    fill: tuple[int, ...] = field(default=(0, 0, 0), metadata=LATER)

    @property
    def fixes_size(self) -> bool:
        """Whether every image comes out with one size, whatever it was."""
        return self.crop is not None or (isinstance(self.resize, tuple) and self.fit == "short")

    def item(self, sample: Image, view: View = "plain") -> dict[str, NDArray[np.uint8]]:
        """Return ``pixels``, uint8 (height, width, 3), see ``transform.preprocess``; the network scales them itself.

        Raises UnreadableSample for an image so long and narrow that resizing it would make it enormous.
        """
        return {"pixels": _arithmetic()(sample, self, view)}


@cache  # an import statement in ``item`` would take a share of a thumbnail's time
def _arithmetic() -> Callable[[Image, Preprocessing, View], NDArray[np.uint8]]:
    from frostline.stages.modalities.image.transform import preprocess

    return preprocess


ImageTransform = Preprocessing | LibraryTransform
"""How images become a network's input. ``dtype``: of the pixels that it makes."""


def replaced(own: Preprocessing, changes: Mapping[str, Any]) -> Preprocessing:
    """Return a preprocessing with fields replaced. Raises ConfigError: unknown fields or values out of range."""
    names = [field.name for field in fields(Preprocessing)]
    for name in changes:
        if name not in names:
            raise unknown_name("preprocessing", name, names)
    how = replace(own, **changes)
    _check(how)
    return how


def _check(how: Preprocessing) -> None:
    for name, size in (("resize", how.resize), ("crop", how.crop)):
        sides = size if isinstance(size, tuple) else (1 if size is None else size,)
        if not all(isinstance(side, int) and side > 0 for side in sides):
            raise ConfigError(f"{name} {size!r}; expected a number of pixels or (height, width), above 0, or None")
    if how.fit not in get_args(Fit):
        raise unknown_name("fit", str(how.fit), get_args(Fit))
    if len(how.fill) != 3 or not all(isinstance(value, int) and 0 <= value <= 255 for value in how.fill):
        raise ConfigError(f"fill {how.fill}; expected three whole numbers from 0 to 255")
    if how.interpolation not in get_args(Interpolation):
        raise unknown_name("interpolation", str(how.interpolation), get_args(Interpolation))
    if not all(len(values) == 3 and all(map(math.isfinite, values)) for values in (how.mean, how.std)):
        raise ConfigError(f"mean {how.mean}, std {how.std}; expected three numbers each")
    if min(how.std) <= 0:
        raise ConfigError(f"std {how.std}; expected numbers above 0")
