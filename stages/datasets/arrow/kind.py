"""Which modality a column of bytes is of."""

from __future__ import annotations

from pathlib import PurePath

from frostline.stages.datasets.arrow.features import Features
from frostline.stages.datasets.arrow.media import Media
from frostline.stages.datasets.walk import FILE_MODALITIES, endings_of
from frostline.stages.errors import UnreadableSample
from frostline.stages.modalities.base import IMAGE
from frostline.stages.modalities.registry import MODALITIES

_LOOKED_AT = 8
_SOUNDS = (b"RIFF", b"RIFX", b"RF64", b"fLaC", b"OggS", b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")


def modality_of(media: Media, column: str, features: Features, rows: int) -> str:
    """Return what ``datasets`` says of a column, else what its first rows look like: their bytes, or their paths."""
    said = features[column].modality if column in features else ""
    if said in FILE_MODALITIES:
        return said
    for row in range(min(rows, _LOOKED_AT)):
        data, path = media.read(row)
        found = by_content(data) or _by_path(path)
        if found:
            return found
    return IMAGE


def by_content(data: bytes | None) -> str | None:
    """Return the modality that the bytes of a file are of: a recording by how they begin, an image that can be read."""
    if not data:
        return None
    if data.startswith(_SOUNDS) and data[8:12] != b"WEBP":
        return "audio"
    try:
        return IMAGE if MODALITIES.load(IMAGE).find_fault(data) is None else None
    except UnreadableSample:
        return None


def _by_path(path: str | None) -> str | None:
    ending = PurePath(path or "").suffix.lower()
    return next((name for name in FILE_MODALITIES if ending in endings_of(name)), None)
