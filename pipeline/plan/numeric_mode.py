"""In which ways features can be made that differ in cost and a little in their numbers, and which bear a check."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from frostline.pipeline.settings.models import BackboneSettings
from frostline.stages.backbones import pixels_for
from frostline.stages.backbones.spec import BackboneSpec, Precision
from frostline.stages.datasets import Samples
from frostline.stages.errors import UnreadableSample
from frostline.stages.modalities.image.spec import Preprocessing

if TYPE_CHECKING:
    from frostline.stages.backbones.calibrate.precision import Agreement
    from frostline.stages.backbones.inference.backbone import Backbone

log = logging.getLogger("frostline")
_CHECKED = 32  # images
# Scaled to so many times the size it is resized to, an image gives features that agree with those of the whole one;
# at three and four times some do not, at two hardly any do (benchmarks/extraction/photographs.py).
_AMPLE = 5


@dataclass(frozen=True)
class Way:
    """How features are made. ``least``: what JPEG files are scaled to as they are decoded, None if they come whole."""

    precision: Precision
    least: int | None


@dataclass(frozen=True)
class Chosen:
    """A way, and the network in its precision. ``precision``, ``decode``: how far each agrees with the exact one's
    features; None where nothing was compared.
    """

    way: Way
    network: Backbone
    precision: Agreement | None = None
    decode: Agreement | None = None


def ways(settings: BackboneSettings, spec: BackboneSpec) -> list[Way]:
    """Return the ways that the settings leave open, the more exact ones first.

    Who asks for fp32 gets exact features, unless scaled JPEG files are asked for too.
    """
    precisions: tuple[Precision, ...] = ("fp32", "bf16") if settings.precision == "auto" else (settings.precision,)
    exact = settings.decode == "full" or (settings.decode == "auto" and settings.precision == "fp32")
    least = None if exact else _ample(spec.preprocessing)
    leasts = (least,) if least is None or settings.decode == "scaled" else (None, least)
    return [Way(precision, least) for precision in precisions for least in leasts]


def distinct(asked: list[Way], train: Samples) -> list[Way]:
    """Return the ways that differ on an image of those checked: scaling does where a JPEG file is large enough."""
    least = asked[-1].least
    if least is None or train.any_scaled(_rows(train), least):
        return asked
    if asked[0].least:
        log.info("note: no JPEG file of those looked at is large enough to be scaled; all are decoded whole")
    return list(dict.fromkeys(Way(way.precision, None) for way in asked))


def _ample(how: Preprocessing) -> int | None:
    """Return the pixels of an image's shorter side beyond which more hardly change the features.

    None where every pixel may count: nothing is resized, or the result's size depends on the image's.
    """
    if how.resize is None or not how.fixes_size:
        return None
    return _AMPLE * (max(how.resize) if isinstance(how.resize, tuple) else how.resize)


def choose(network: Backbone, asked: list[Way], spec: BackboneSpec, train: Samples) -> Chosen:
    """Return the fastest of the ways whose features of 32 images agree with those of the most exact one.

    ``network``: in the precision of that. Where no image can be read, it is that way itself.
    """
    first, last = asked[0], asked[-1]
    pixels = _pixels(spec, [train.scaled(least) for least in dict.fromkeys((first.least, last.least))])
    if not len(pixels):
        return Chosen(first, network)
    from frostline.stages.backbones.calibrate.precision import compared, faster

    fast, agreement = faster(network, pixels[:, 0]) if last.precision != first.precision else (network, None)
    if agreement:
        good, bad = f"features in {fast.precision}", "features in fp32, the faster precision differs too much"
        _say(good if agreement.good else bad, "fp32", agreement)
    if first.least == last.least:
        return Chosen(Way(fast.precision, first.least), fast, agreement)
    found = compared(network, pixels[:, 0], fast, pixels[:, 1])
    good, bad = "large JPEG files decoded at a fraction", "JPEG files decoded whole, scaled ones differ too much"
    _say(good if found.good else bad, "whole ones", found)
    return Chosen(Way(fast.precision, last.least if found.good else first.least), fast, agreement, found)


def _say(what: str, against: str, found: Agreement) -> None:
    cosine = f"least {found.least:.5f}, mean {found.mean:.5f}"
    how = f"cosine with {against} on {found.rows} images: {cosine}; error {found.error:.1%} of the spread"
    log.info("%s (%s)", what, how)


def _rows(train: Samples) -> list[int]:
    """Return the rows that are checked, evenly spread."""
    rows: list[int] = np.unique(np.linspace(0, len(train) - 1, _CHECKED).astype(int)).tolist()
    return rows


def _pixels(spec: BackboneSpec, sources: list[Samples]) -> np.ndarray:
    """Return the images checked, without those that can't be used, uint8 (n, sources, height, width, 3)."""
    found = []
    for row in _rows(sources[0]):
        try:
            found.append([pixels_for(source.read(row), spec) for source in sources])
        except UnreadableSample:
            continue
    return np.array(found, np.uint8)
