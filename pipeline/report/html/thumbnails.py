"""Samples as thumbnails, or in words, inside the page."""

from __future__ import annotations

from dataclasses import dataclass

from frostline.stages.datasets import Samples
from frostline.stages.errors import UnreadableSample
from frostline.stages.modalities.registry import MODALITIES


@dataclass(frozen=True)
class Picture:
    """One sample: ``source`` is a data URI, empty where it can't be shown; ``alt``: what it shows, in words.

    ``tiny``: it has so few pixels that they had better be seen. ``text``: what stands there without an image.
    """

    id: str
    alt: str
    source: str
    tiny: bool
    text: str = ""


class Thumbnails:
    """The samples of a split by their ids; without samples, pictures have no image."""

    def __init__(self, samples: Samples | None) -> None:
        self._samples = samples
        self._rows = {name: row for row, name in enumerate(samples.ids)} if samples else {}

    def of(self, name: str, alt: str) -> Picture:
        """Return one sample."""
        if self._samples is None or name not in self._rows:
            return Picture(name, alt, "", False)
        try:
            sample = self._samples.read(self._rows[name])
        except UnreadableSample:
            return Picture(name, alt, "", False)
        shown = MODALITIES.load(self._samples.modality).preview(sample)
        return Picture(name, alt, shown.picture, shown.tiny, shown.text)
