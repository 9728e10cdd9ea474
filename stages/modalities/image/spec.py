"""How an image becomes a network's input: the frozen description."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any, get_args

from frostline.stages.errors import ConfigError, unknown_name
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
    "described",
    "read_transform",
    "replaced",
]
_LATER = ("fit", "fill")  # keys and records of before know no such field: where it has its default, none has it


@dataclass(frozen=True)
class Preprocessing:
    """How a decoded RGB image becomes the network's input: the ``Transform`` of images.

    ``resize``: the shorter side in pixels, or (height, width), or None to leave the size.
    ``crop``: the centre's side, or (height, width), or None. ``mean`` and ``std`` per
    channel, on values in 0..1. This is torchvision's ``ImageClassification`` preset.

    ``fit``: with ``long``, the image keeps its proportions and is made as large as fits into ``resize``: a square, or
    (height, width). ``fill``: the colour, 0..255 a channel, of what ``crop`` takes from beyond the image.
    """

    resize: Size | None = None
    crop: Size | None = None
    interpolation: Interpolation = "bilinear"
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    fit: Fit = "short"
    fill: tuple[int, ...] = (0, 0, 0)

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
"""How images become a network's input."""


def described(how: ImageTransform) -> dict[str, Any]:
    """Return the fields as keys and records have them: those that came later only where they change something."""
    if isinstance(how, LibraryTransform):
        return {"library": how.library, "configuration": how.configuration}
    later = {field.name: field.default for field in fields(Preprocessing) if field.name in _LATER}
    return {name: value for name, value in asdict(how).items() if name not in later or value != later[name]}


def read_transform(said: Mapping[str, Any]) -> ImageTransform:
    """Return what ``described`` gave and JSON stored. Raises TypeError or ValueError if it is none."""
    if "library" not in said:
        how: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in said.items()}
        return Preprocessing(**how)
    if set(said) != {"library", "configuration"} or not all(isinstance(text, str) for text in said.values()):
        raise ValueError("a library's preprocessing that is no text")
    return LibraryTransform(said["library"], said["configuration"])


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
            raise ConfigError(f"{name} {size!r}; wanted pixels, a number or (height, width) above 0, or None")
    if how.fit not in get_args(Fit):
        raise unknown_name("fit", str(how.fit), get_args(Fit))
    if len(how.fill) != 3 or not all(isinstance(value, int) and 0 <= value <= 255 for value in how.fill):
        raise ConfigError(f"fill {how.fill}; wanted three whole numbers from 0 to 255")
    if how.interpolation not in get_args(Interpolation):
        raise unknown_name("interpolation", str(how.interpolation), get_args(Interpolation))
    if not all(len(values) == 3 and all(map(math.isfinite, values)) for values in (how.mean, how.std)):
        raise ConfigError(f"mean {how.mean}, std {how.std}; wanted three numbers each")
    if min(how.std) <= 0:
        raise ConfigError(f"std {how.std}; wanted numbers above 0")
