"""Numeric modes: ways to make features that differ in cost and a little in their numbers."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from frostline.pipeline.settings import BackboneSettings
from frostline.stages.backbones.spec import BackboneSpec, Precision
from frostline.stages.datasets import Samples
from frostline.stages.modalities.image.spec import Preprocessing

log = logging.getLogger("frostline")
TRIAL_IMAGES = 32
# Scaled to so many times the size it is resized to, an image gives features that agree with those of the whole one;
# at three and four times some do not, at two hardly any do (benchmarks/extraction/photographs.py).
_AMPLE = 5


@dataclass(frozen=True)
class NumericMode:
    """How features are made.

    ``jpeg_min_side``: JPEG files are decoded at the smallest scale whose shorter side has so many pixels; None:
    whole.
    """

    precision: Precision
    jpeg_min_side: int | None


def candidate_modes(settings: BackboneSettings, spec: BackboneSpec) -> list[NumericMode]:
    """Return the modes that the settings leave open, the more exact ones first.

    Who asks for fp32 gets exact features, unless scaled JPEG files are asked for too.
    """
    precisions: tuple[Precision, ...] = ("fp32", "bf16") if settings.precision == "auto" else (settings.precision,)
    exact = settings.decode == "full" or (settings.decode == "auto" and settings.precision == "fp32")
    how = spec.preprocessing
    scaled = _ample(how) if isinstance(how, Preprocessing) and not exact else None
    sides = (scaled,) if scaled is None or settings.decode == "scaled" else (None, scaled)
    return [NumericMode(precision, side) for precision in precisions for side in sides]


def distinct_modes(candidates: list[NumericMode], train: Samples) -> list[NumericMode]:
    """Return the modes that differ on a trial image: scaling does where a JPEG file is large enough."""
    side = candidates[-1].jpeg_min_side
    if side is None or train.any_scaled(trial_rows(train), side):
        return candidates
    if candidates[0].jpeg_min_side:
        log.info(
            "note: none of the JPEG files that were checked is large enough to be scaled; all are decoded at full size"
        )
    return list(dict.fromkeys(NumericMode(mode.precision, None) for mode in candidates))


def trial_rows(train: Samples) -> list[int]:
    """Return the rows that modes are tried on, evenly spread."""
    rows: list[int] = np.unique(np.linspace(0, len(train) - 1, TRIAL_IMAGES).astype(int)).tolist()
    return rows


def _ample(how: Preprocessing) -> int | None:
    """Return the pixels of an image's shorter side beyond which more hardly change the features.

    None where every pixel may count: nothing is resized, or the result's size depends on the image's.
    """
    if how.resize is None or not how.fixes_size:
        return None
    return _AMPLE * (max(how.resize) if isinstance(how.resize, tuple) else how.resize)
