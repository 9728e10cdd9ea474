"""Second step: which numeric mode. The network runs on a few images to see which one bears the check."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from frostline.pipeline.plan.numeric_mode import NumericMode, trial_rows
from frostline.stages.backbones import pixels_for
from frostline.stages.backbones.spec import BackboneSpec
from frostline.stages.datasets import Samples
from frostline.stages.errors import UnreadableSample

if TYPE_CHECKING:
    from frostline.stages.backbones.calibrate.precision import FeatureAgreement
    from frostline.stages.backbones.inference.backbone import Backbone

log = logging.getLogger("frostline")


@dataclass(frozen=True)
class PickedMode:
    """A numeric mode, and how far its features agree with exact ones; None where nothing was compared."""

    mode: NumericMode
    precision_agreement: FeatureAgreement | None = None
    decode_agreement: FeatureAgreement | None = None


def pick_mode(network: Backbone, candidates: list[NumericMode], train: Samples) -> tuple[PickedMode, Backbone]:
    """Return the fastest mode whose features of 32 images agree with those of the most exact one, and its network.

    ``network``: in the precision of the most exact one, which is returned where no image can be read. Raises
    ConfigError if memory has no room to find out.
    """
    exact, fast = candidates[0], candidates[-1]
    sides = dict.fromkeys((exact.jpeg_min_side, fast.jpeg_min_side))
    pixels = _trial_pixels(network.spec, [train.scaled(side) for side in sides])
    if not len(pixels):
        return PickedMode(exact), network
    from frostline.stages.backbones.calibrate.precision import compared, faster

    rough, agreement = faster(network, pixels[:, 0]) if fast.precision != exact.precision else (network, None)
    if agreement:
        good, bad = f"features in {rough.precision}", "features in fp32, the faster precision differs too much"
        _log(good if agreement.good else bad, "fp32", agreement)
    if exact.jpeg_min_side == fast.jpeg_min_side:
        return PickedMode(NumericMode(rough.precision, exact.jpeg_min_side), agreement), rough
    found = compared(network, pixels[:, 0], rough, pixels[:, 1])
    good, bad = "large JPEG files decoded at a fraction", "JPEG files decoded whole, scaled ones differ too much"
    _log(good if found.good else bad, "whole ones", found)
    side = fast.jpeg_min_side if found.good else exact.jpeg_min_side
    return PickedMode(NumericMode(rough.precision, side), agreement, found), rough


def _log(what: str, against: str, found: FeatureAgreement) -> None:
    cosine = f"least {found.least:.5f}, mean {found.mean:.5f}"
    how = f"cosine with {against} on {found.rows} images: {cosine}; error {found.error:.1%} of the spread"
    log.info("%s (%s)", what, how)


def _trial_pixels(spec: BackboneSpec, sources: list[Samples]) -> NDArray[Any]:
    """Return the trial images, without those that can't be used, (n, sources, height, width, 3)."""
    found = []
    for row in trial_rows(sources[0]):
        try:
            found.append([pixels_for(source.read(row), spec) for source in sources])
        except UnreadableSample:
            continue
    return np.array(found)
