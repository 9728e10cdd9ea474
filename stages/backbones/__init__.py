"""Backbones: frozen networks from torchvision, of one's own, or the one that ships here.

Importing this loads no torch; ``load_backbone`` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL.Image import Image

from frostline.stages.backbones.families.fingerprint import fingerprint
from frostline.stages.backbones.inference.pixels import Embedder, finished, pixels_for, raw_or_pixels
from frostline.stages.backbones.request import BackboneRequest
from frostline.stages.backbones.spec import Optimize, Precision
from frostline.stages.modalities.image.transform import preprocess

if TYPE_CHECKING:
    from frostline.stages.backbones.inference.backbone import Backbone

__all__ = [
    "BackboneRequest",
    "Embedder",
    "fingerprint",
    "finished",
    "load_backbone",
    "pixels_for",
    "preprocess",
    "raw_or_pixels",
]


def load_backbone(
    request: BackboneRequest,
    example: Image,
    *,
    precision: Precision = "fp32",
    device: str = "cpu",
    portable: bool = False,
    optimize: Optimize = "auto",
    allow_unsteady: bool = False,
) -> Backbone:
    """Return the backbone that a request names, resolved on one image; see ``backbone.load_backbone``."""
    from frostline.stages.backbones.inference import backbone

    return backbone.load_backbone(
        request,
        example,
        precision=precision,
        device=device,
        portable=portable,
        optimize=optimize,
        allow_unsteady=allow_unsteady,
    )
