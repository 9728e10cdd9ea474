"""The features of texts by a backbone, in batches of one shape as extraction makes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from frostline.stages.backbones import BackboneRequest, load_backbone
from frostline.stages.backbones.inference.item_backbone import ItemBackbone
from frostline.stages.modalities.items import Stack, by_shape


def loaded(name: str, pool: str | None = None, **asked: Any) -> ItemBackbone:
    return load_backbone(BackboneRequest(name, pool=pool, modality="text", preprocessing=asked), None)


def features(backbone: ItemBackbone, texts: Sequence[str], size: int = 8) -> np.ndarray:
    """Return the features, float32 (n, d), of texts, each batch of ``size`` rows, zeros where there is no text."""
    items = {row: backbone.spec.preprocessing.item(text) for row, text in enumerate(texts)}
    found = np.empty((len(texts), backbone.width), np.float32)
    for rows in by_shape(items):
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            batch = Stack({place: items[row] for place, row in enumerate(part)}, size)
            found[part] = backbone.embed(batch)[: len(part)]
    return found
