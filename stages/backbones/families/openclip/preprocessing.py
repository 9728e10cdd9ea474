"""open_clip's preprocessing for evaluation, as ours and as its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import open_clip
from open_clip.transform import PreprocessCfg, image_transform_v2

from frostline.stages.modalities.image.spec import LibraryTransform, Preprocessing
from frostline.stages.records.sealed import canonical_json


def translated(said: Mapping[str, Any]) -> Preprocessing:
    """Return what open_clip's configuration of a preprocessing means."""
    side = said["size"]
    height, width = (side, side) if isinstance(side, int) else (int(side[0]), int(side[1]))
    filtering: Any = "bilinear" if said["interpolation"] == "bilinear" else "bicubic"
    mean, std = (tuple(map(float, said[name])) for name in ("mean", "std"))
    if said["resize_mode"] == "squash":
        return Preprocessing((height, width), None, filtering, mean, std)
    if said["resize_mode"] == "longest":
        return Preprocessing((height, width), (height, width), filtering, mean, std, "long", (said["fill_color"],) * 3)
    return Preprocessing(max(height, width), (height, width), filtering, mean, std)


def own_transform(said: Mapping[str, Any]) -> LibraryTransform:
    """Return the same as open_clip does it."""
    transform = image_transform_v2(PreprocessCfg(**said), is_train=False)
    return LibraryTransform(f"open_clip {open_clip.__version__}", canonical_json(dict(said)).decode(), transform)
