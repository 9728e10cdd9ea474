"""Images of another size than a network was trained at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from frostline.stages.errors import ConfigError
from frostline.stages.modalities.image.spec import Preprocessing, replaced


def at_resolution(own: Preprocessing, changes: Mapping[str, Any]) -> Preprocessing:
    """Return a family's preprocessing for what a user asks for: where only a size is given, the crop has it too.

    A crop of the size trained at would cut a piece out of a larger image, and pad a smaller one.
    """
    alone = changes.get("resize") is not None and "crop" not in changes
    return replace(own, crop=changes["resize"]) if alone else own


def image_size(how: Preprocessing, changes: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return the height and width that images come out with, None where that depends on the image."""
    final = replaced(how, changes)
    size = final.crop if final.crop is not None else final.resize
    if isinstance(size, tuple):
        return size if final.fixes_size else None
    return (size, size) if size is not None and final.crop is not None else None


def check_patches(name: str, size: tuple[int, int], patch: tuple[int, int]) -> None:
    """Raise ConfigError, with the nearest sizes that do, where images are no whole number of patches."""
    if any(side % each for side, each in zip(size, patch, strict=True)):
        smaller = [max(each, side // each * each) for side, each in zip(size, patch, strict=True)]
        larger = [-(-side // each) * each for side, each in zip(size, patch, strict=True)]
        raise ConfigError(
            f"{name} divides images into patches of {_by(patch)} pixels, and {_by(size)} is not a multiple of "
            f"that; the nearest sizes are --resize {_flag(smaller)} and --resize {_flag(larger)}"
        )


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} × {size[1]}"


def _flag(size: list[int]) -> str:
    return str(size[0]) if size[0] == size[1] else f"{size[0]}x{size[1]}"
