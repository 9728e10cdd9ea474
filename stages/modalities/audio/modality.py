"""Recordings as a modality: what ``frostline.stages.modalities.audio`` does, behind the door."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from frostline.stages.errors import UnreadableSample
from frostline.stages.modalities.audio import decode as files
from frostline.stages.modalities.audio.spectrum import MeanSpectrum
from frostline.stages.modalities.audio.transform import Windows
from frostline.stages.modalities.audio.waveform import AUDIO, Waveform
from frostline.stages.modalities.base import Modality, Preview

MIXED = "channels"
_WIDTH, _HEIGHT = 96, 32


class AudioModality(Modality[Waveform]):
    """Recordings of one channel; see ``frostline.stages.modalities.audio.decode``."""

    name, noun = AUDIO, "recording"
    extensions = files.EXTENSIONS
    settings = ("seconds", "hop")
    max_bytes = 1 << 30  # of the longest recording, 8 channels of 16 bits

    def decode(self, data: bytes, min_side: int | None = None) -> Waveform:  # noqa: ARG002
        return files.decode(data)

    def find_fault(self, data: bytes) -> str | None:
        return files.find_fault(data)

    def decoder(self, min_side: int | None = None, codecs: frozenset[str] = frozenset()) -> str:  # noqa: ARG002
        return files.decoder()

    def codec(self, data: bytes) -> str | None:
        """Return ``channels`` for a file of several, which is worth a remark."""
        return MIXED if _channels(data) > 1 else None

    def remarks(self, codec: str, some: Sequence[bytes]) -> list[str]:
        if codec != MIXED:
            return []
        found = sorted({count for data in some if (count := _channels(data)) > 1})
        return [
            f"recordings of {' and '.join(map(str, found))} channels are converted to mono, the mean of the channels"
        ]

    def preview(self, sample: Waveform) -> Preview:
        """Return how long a recording is, its rate, its outline as a picture, and its first seconds to listen to."""
        said = f"{len(sample.samples) / sample.rate:,.2f} s, {sample.rate:,} Hz"
        return Preview(_outline(sample), said, sound=files.excerpt(sample))

    def read_transform(self, fields: Mapping[str, Any]) -> Windows | MeanSpectrum:
        return MeanSpectrum(**fields) if "bands" in fields else Windows(**fields)


def _channels(data: bytes) -> int:
    try:
        return files.channels(data)
    except UnreadableSample:
        return 0


def _outline(sound: Waveform) -> str:
    """Return the largest and smallest sample of each of 96 parts as a picture, a data URI of SVG."""
    parts = [part for part in np.array_split(sound.samples, _WIDTH) if len(part)]
    scale = float(np.abs(sound.samples).max()) or 1.0
    half = _HEIGHT / 2
    lines = "".join(
        f"M{x}.5 {half - half * float(part.max()) / scale:.1f}V{half - half * float(part.min()) / scale + 0.5:.1f}"
        for x, part in enumerate(parts)
    )
    picture = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}">'
        f'<path d="{lines}" stroke="#567" fill="none"/></svg>'
    )
    return f"data:image/svg+xml;base64,{base64.b64encode(picture.encode()).decode()}"


RECORDINGS = AudioModality()
