"""Which arithmetic a backbone runs in, and whether its features bear it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from frostline.stages.backbones.inference.batches import BatchLimit, Pixels, in_turn, out_of_memory
from frostline.stages.backbones.optimize import has_bf16
from frostline.stages.backbones.spec import Precision
from frostline.stages.errors import ConfigError

if TYPE_CHECKING:
    from frostline.stages.backbones.inference.backbone import Backbone

log = logging.getLogger("frostline")
MIN_COSINE, MIN_MEAN_COSINE, MAX_ERROR = 0.999, 0.9995, 0.1
_AT_ONCE = 8


@dataclass(frozen=True)
class FeatureAgreement:
    """How features of the same images, made in two ways, agree.

    ``least``, ``mean``: of the cosines between the rows. ``error``: the norm of all
    differences over that of the exact features less their mean, since what all images
    share tells none of them apart.
    """

    rows: int
    least: float
    mean: float
    error: float

    @property
    def good(self) -> bool:
        """Whether the rougher of the two may stand for the exact one."""
        return self.least >= MIN_COSINE and self.mean >= MIN_MEAN_COSINE and self.error <= MAX_ERROR


def fastest_precision(device: str) -> Precision:
    """Return the fastest precision that a device computes in by itself: bf16 or fp32."""
    if device.startswith("cuda"):
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if has_bf16() else "fp32"


def agreement(exact: NDArray[np.float32], rough: NDArray[np.float32]) -> FeatureAgreement:
    """Return how well the rows of two feature matrices (n, d) agree; rows that are zero in both do."""
    a, b = exact.astype(np.float64), rough.astype(np.float64)
    both_zero = ~a.any(axis=1) & ~b.any(axis=1)
    with np.errstate(invalid="ignore"):
        cosines = (a * b).sum(axis=1) / np.maximum(np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1), 1e-300)
        wrong, spread = np.linalg.norm(a - b), np.linalg.norm(a - a.mean(axis=0))
        error = wrong / spread if spread else np.inf * wrong
    cosines = np.where(both_zero, 1.0, np.nan_to_num(cosines))
    return FeatureAgreement(len(a), float(cosines.min()), float(cosines.mean()), float(np.nan_to_num(error, nan=0.0)))


def faster(backbone: Backbone, pixels: Pixels) -> tuple[Backbone, FeatureAgreement | None]:
    """Return an fp32 backbone in its device's fastest precision, if its features of some images bear that.

    ``pixels``: preprocessed images, (n, height, width, 3). The agreement is None where
    nothing was compared: there is no faster precision, or the network has no weights or
    can't run in it, which is said. Raises ConfigError if memory has no room to find out.
    """
    precision = fastest_precision(str(backbone.device))
    if precision == backbone.precision or not backbone.has_weights:
        return backbone, None
    try:
        other = backbone.at(precision)
    except ConfigError as error:
        cause = error.__cause__
        if isinstance(cause, MemoryError | RuntimeError) and out_of_memory(cause):
            raise  # the precision, which is in the key, must not hang on how much memory is free
        log.info("features in %s: %s", backbone.precision, error)
        return backbone, None
    found = compared(backbone, pixels, other, pixels)
    return (other if found.good else backbone), found


def compared(backbone: Backbone, pixels: Pixels, other: Backbone, other_pixels: Pixels) -> FeatureAgreement:
    """Return how the features of the same images agree, first as exact as they can be, then otherwise made."""
    return agreement(_features(backbone, pixels), _features(other, other_pixels))


def _features(backbone: Backbone, pixels: Pixels) -> NDArray[np.float32]:
    (features,) = in_turn(backbone.embed, [pixels], BatchLimit(_AT_ONCE))
    return features
