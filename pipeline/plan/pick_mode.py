"""Second step: which numeric mode. The network runs on a few samples to see which one bears the check."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from frostline.pipeline.plan.numeric_mode import NumericMode, trial_rows
from frostline.stages.backbones import item_for
from frostline.stages.backbones.spec import BackboneSpec
from frostline.stages.datasets import Samples
from frostline.stages.errors import UnreadableSample
from frostline.stages.modalities.base import Item
from frostline.stages.modalities.registry import MODALITIES

if TYPE_CHECKING:
    from frostline.stages.backbones.calibrate.precision import FeatureAgreement
    from frostline.stages.backbones.inference.frozen import AnyBackbone

log = logging.getLogger("frostline")


@dataclass(frozen=True)
class PickedMode:
    """A numeric mode, and how far its features agree with exact ones; None where nothing was compared."""

    mode: NumericMode
    precision_agreement: FeatureAgreement | None = None
    decode_agreement: FeatureAgreement | None = None


def pick_mode(network: AnyBackbone, candidates: list[NumericMode], train: Samples) -> tuple[PickedMode, AnyBackbone]:
    """Return the fastest mode whose features of 32 samples agree with those of the most exact one, and its network.

    ``network``: in the precision of the most exact one, which is returned where no sample can be read. Raises
    ConfigError if memory has no room to find out.
    """
    exact, fast = candidates[0], candidates[-1]
    sides = dict.fromkeys((exact.jpeg_min_side, fast.jpeg_min_side))
    trial = _trial_items(network.spec, [train.scaled(side) for side in sides])
    if not trial:
        return PickedMode(exact), network
    from frostline.stages.backbones.calibrate.precision import compared, faster

    whole, otherwise = ([one[place] for one in trial] for place in (0, -1))
    rough, agreement = faster(network, whole) if fast.precision != exact.precision else (network, None)
    if agreement:
        good, bad = (
            f"using {rough.precision}",
            f"using fp32: {fast.precision} changes the features too much",
        )
        _log(good if agreement.good else bad, "fp32", agreement, train.modality)
    if exact.jpeg_min_side == fast.jpeg_min_side:
        return PickedMode(NumericMode(rough.precision, exact.jpeg_min_side), agreement), rough
    found = compared(network, whole, rough, otherwise)
    good, bad = (
        "large JPEG files decoded at reduced size",
        "JPEG files decoded at full size, because reduced-size decoding changes the features too much",
    )
    _log(good if found.good else bad, "full-size decoding", found, train.modality)
    side = fast.jpeg_min_side if found.good else exact.jpeg_min_side
    return PickedMode(NumericMode(rough.precision, side), agreement, found), rough


def _log(what: str, against: str, found: FeatureAgreement, modality: str) -> None:
    cosine = f"minimum {found.least:.5f}, mean {found.mean:.5f}"
    noun = MODALITIES.load(modality).noun
    from frostline.stages.backbones.calibrate.precision import MAX_ERROR, MIN_COSINE, MIN_MEAN_COSINE

    expected = "" if found.good else f", expected at least {MIN_COSINE:g} and {MIN_MEAN_COSINE:g}"
    error = f"error {100 * found.error:.1f} % of the spread"
    most = "" if found.good else f", expected at most {100 * MAX_ERROR:g} %"
    how = f"cosine with {against} on {found.rows} {noun}s: {cosine}{expected}; {error}{most}"
    log.info("%s (%s)", what, how)


def _trial_items(spec: BackboneSpec, sources: list[Samples]) -> list[list[Item]]:
    """Return the trial items, of each sample as each source has it, without samples that can't be used."""
    found = []
    for row in trial_rows(sources[0]):
        try:
            found.append([item_for(source.read(row), spec) for source in sources])
        except UnreadableSample:
            continue
    return found
