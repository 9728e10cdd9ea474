"""Samples as thumbnails inside the page."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

from PIL import Image

from pipeline.html.answers import Answers
from stages.datasets import Samples
from stages.errors import UnreadableImage

SIDE = 96
_TINY = 48


@dataclass(frozen=True)
class Picture:
    """One sample: ``source`` is a data URI, empty where it can't be shown; ``sure``: how sure the head was."""

    id: str
    source: str
    tiny: bool
    truth: str
    prediction: str
    sure: str


class Album:
    """The test samples of a run by their ids; without samples, pictures have no image."""

    def __init__(self, answers: Answers, samples: Samples | None) -> None:
        self._answers, self._samples = answers, samples
        self._rows = {name: row for row, name in enumerate(samples.ids)} if samples else {}

    def picture(self, row: int) -> Picture:
        """Return what was said of one row of the answers, and its thumbnail."""
        answers = self._answers
        name, classes = answers.ids[row], answers.classes
        value = float(answers.confidence[row, 0])
        sure = f"{100 * value:.0f} % sure" if answers.probabilistic else f"ahead by {answers.margins[row]:.2g}"
        source, tiny = self._thumbnail(name)
        return Picture(name, source, tiny, classes[answers.y[row]], classes[answers.labels[row]], sure)

    def _thumbnail(self, name: str) -> tuple[str, bool]:
        """Return a data URI, and whether the sample has so few pixels that they had better be seen."""
        if self._samples is None or name not in self._rows:
            return "", False
        try:
            image = self._samples.read(self._rows[name])
        except UnreadableImage:
            return "", False
        tiny = max(image.size) <= _TINY
        image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        file = io.BytesIO()
        image.convert("RGB").save(file, **({"format": "PNG"} if tiny else {"format": "JPEG", "quality": 82}))
        kind = "png" if tiny else "jpeg"
        return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}", tiny
