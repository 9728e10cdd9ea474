"""timm's preprocessing for evaluation, as ours."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, get_args

from frostline.stages.errors import ConfigError
from frostline.stages.modalities.image.spec import Interpolation, Preprocessing, Size


def translated(called: str, data: Mapping[str, Any]) -> Preprocessing:
    """Return what ``timm.data.create_transform`` makes of ``resolve_data_config``'s answer, for evaluation.

    Raises ConfigError for images of other than three channels, and for filters that Pillow has not.
    """
    channels, *size = data["input_size"]
    if channels != 3 or data["interpolation"] not in get_args(Interpolation):
        found = f"{channels} channels, resized by {data['interpolation']}"
        known = ", ".join(get_args(Interpolation))
        raise ConfigError(f"{called} takes {found}; expected 3 channels, resized by one of {known}")
    inner: Size = _side((math.floor(size[0] / data["crop_pct"]), math.floor(size[1] / data["crop_pct"])))
    exact = inner if isinstance(inner, tuple) or data["crop_mode"] != "squash" else (inner, inner)
    mean, std = (tuple(float(v) for v in data[name]) for name in ("mean", "std"))
    how = Preprocessing(exact, _side((size[0], size[1])), data["interpolation"], mean, std)
    if data["crop_mode"] != "border":
        return how
    fill = tuple(round(255 * value) for value in mean)
    return Preprocessing(how.resize, how.crop, how.interpolation, mean, std, "long", fill)


def _side(size: tuple[int, int]) -> Size:
    return size[0] if size[0] == size[1] else size
