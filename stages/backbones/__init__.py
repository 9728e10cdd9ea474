"""Backbones: frozen networks from torchvision, of your own, or the one that ships here.

Importing this loads no torch; ``load_backbone`` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from frostline.stages.backbones.families.fingerprint import fingerprint
from frostline.stages.backbones.inference.pixels import Embedder, finished, image_preprocessing, item_for, raw_or_item
from frostline.stages.backbones.request import BackboneRequest
from frostline.stages.modalities.image.transform import preprocess

if TYPE_CHECKING:
    from frostline.stages.backbones.inference.load import load_backbone
else:

    def load_backbone(*args, **how):
        """Return the backbone that a request names; see ``inference.load.load_backbone``, which this imports."""
        from frostline.stages.backbones.inference import load

        return load.load_backbone(*args, **how)


__all__ = [
    "BackboneRequest",
    "Embedder",
    "fingerprint",
    "finished",
    "image_preprocessing",
    "item_for",
    "load_backbone",
    "preprocess",
    "raw_or_item",
]
