"""The modalities by name: those of Frostline, and those that distributions add to ``frostline.modalities``."""

from __future__ import annotations

from typing import Any

from frostline.stages.modalities.base import Modality
from frostline.stages.plugins import Door

_BUILT_IN: dict[str, Modality[Any] | str] = {"image": "frostline.stages.modalities.image.modality:IMAGE"}
MODALITIES = Door("modality", "frostline.modalities", _BUILT_IN)
