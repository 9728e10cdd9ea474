"""Samples as thumbnails, or in words, inside the page."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from frostline.stages.datasets import Samples
from frostline.stages.errors import UnreadableSample
from frostline.stages.modalities.registry import MODALITIES


@dataclass(frozen=True)
class Picture:
    """One sample: ``source`` is a data URI, empty where it can't be shown; ``alt``: what it shows, in words.

    ``tiny``: it has so few pixels that they are drawn as squares. ``text``: an excerpt, or a description. ``sound``: a
    data URI of audio. ``href``: its file, relative to the page; empty without one.
    """

    id: str
    alt: str
    source: str = ""
    tiny: bool = False
    text: str = ""
    sound: str = ""
    href: str = ""


class Thumbnails:
    """The samples of a split by their ids; without samples, pictures have no image.

    ``page``: the folder of the page, from which links lead to the samples' files.
    """

    def __init__(self, samples: Samples | None, page: Path) -> None:
        self._samples, self._page = samples, page
        self._rows = {name: row for row, name in enumerate(samples.ids)} if samples else {}

    def of(self, name: str, alt: str) -> Picture:
        """Return one sample."""
        if self._samples is None or name not in self._rows:
            return Picture(name, alt)
        try:
            sample = self._samples.read(self._rows[name])
        except UnreadableSample:
            return Picture(name, alt)
        shown = MODALITIES.load(self._samples.modality).preview(sample)
        return Picture(name, alt, shown.picture, shown.tiny, shown.text, shown.sound, self._link(name))

    def _link(self, name: str) -> str:
        """Return the address of a sample's file, relative to the page; nothing where it is in no file of its own."""
        assert self._samples is not None
        if self._samples.root is None:
            return ""
        file = (self._samples.root / name).absolute()
        try:
            return quote(os.fsencode(Path(os.path.relpath(file, self._page)).as_posix())) if file.is_file() else ""
        except ValueError:  # another drive of Windows
            return ""
