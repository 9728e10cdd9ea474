"""Samples as thumbnails inside the page."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

from PIL import Image

from frostline.stages.datasets import Samples
from frostline.stages.errors import UnreadableSample

SIDE = 96
_TINY = 48


@dataclass(frozen=True)
class Picture:
    """One sample: ``source`` is a data URI, empty where it can't be shown; ``alt``: what it shows, in words.

    ``tiny``: it has so few pixels that they had better be seen.
    """

    id: str
    alt: str
    source: str
    tiny: bool


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
            image = self._samples.read(self._rows[name])
        except UnreadableSample:
            return Picture(name, alt, "", False)
        tiny = max(image.size) <= _TINY
        return Picture(name, alt, _source(image, tiny), tiny)


def _source(image: Image.Image, tiny: bool) -> str:
    """Return a data URI of at most some ten thousand characters."""
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.convert("RGB").save(file, **({"format": "PNG"} if tiny else {"format": "JPEG", "quality": 82}))
    kind = "png" if tiny else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"
