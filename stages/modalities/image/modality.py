"""Images as a modality: what ``frostline.stages.modalities.image`` does, behind the door."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from PIL import Image

from frostline.stages.errors import UnreadableSample
from frostline.stages.modalities.base import Modality, Preview
from frostline.stages.modalities.image.codecs import AVIF, GREY16, codec_of, heif_version, reads_avif, version_of
from frostline.stages.modalities.image.decode import EXTENSIONS, bits_used, decode, decoder, find_fault, is_scaled
from frostline.stages.modalities.image.spec import ImageTransform, LibraryTransform, Preprocessing

SIDE = 96
_TINY = 48
_DEPTHS = (8, 10, 12, 14)  # of cameras, microscopes, scanners


class ImageModality(Modality[Image.Image]):
    """8-bit RGB images; see ``frostline.stages.modalities.image.decode`` for what each kind of file means."""

    name = noun = "image"
    extensions = EXTENSIONS
    settings = tuple(field.name for field in fields(Preprocessing))

    def decode(self, data: bytes, min_side: int | None = None, bit_depth: int | None = None) -> Image.Image:
        return decode(data, min_side, bit_depth)

    def find_fault(self, data: bytes) -> str | None:
        return find_fault(data)

    def decoder(
        self, min_side: int | None = None, codecs: frozenset[str] = frozenset(), bit_depth: int | None = None
    ) -> str:
        """Return what decodes; files of no codec of their own, decoded as ever, know nothing of the others'."""
        return decoder(min_side) + "".join(map(version_of, sorted(codecs))) + _depth(codecs, bit_depth)

    def readers(self) -> str:
        avif = version_of(AVIF) if reads_avif() else ""
        return f"{decoder()}{avif}, pillow-heif {heif_version() or 'absent'}"

    def codec(self, data: bytes) -> str | None:
        return codec_of(data)

    def remarks(self, codec: str, some: Sequence[bytes]) -> list[str]:
        """Return a note on 16-bit grey of which the upper bits are never used: it comes out dark."""
        if codec != GREY16:
            return []
        used = max(map(_bits, some), default=16)
        bits = next((bits for bits in _DEPTHS if used <= bits), 16)
        if bits == 16:
            return []
        said = f"16-bit images hold no value above {2**used - 1:,}, so they look dark"
        return [f"{said}; if that is their full range, use --bit-depth {bits}"]

    def is_scaled(self, data: bytes, min_side: int) -> bool:
        return is_scaled(data, min_side)

    def read_transform(self, fields: Mapping[str, Any]) -> ImageTransform:
        if "library" in fields:
            return _library(fields)
        own: Any = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
        return Preprocessing(**own)

    def preview(self, sample: Image.Image) -> Preview:
        """Return a thumbnail, no side longer than ``SIDE`` pixels."""
        tiny = max(sample.size) <= _TINY
        small = sample.copy()
        small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        file = io.BytesIO()
        small.convert("RGB").save(file, **({"format": "PNG"} if tiny else {"format": "JPEG", "quality": 82}))
        kind = "png" if tiny else "jpeg"
        return Preview(f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}", tiny=tiny)


def _library(fields: Mapping[str, Any]) -> LibraryTransform:
    if set(fields) != {"library", "configuration"} or not all(isinstance(text, str) for text in fields.values()):
        raise ValueError("a library's preprocessing that is not a text")
    return LibraryTransform(fields["library"], fields["configuration"])


def _depth(codecs: frozenset[str], bits: int | None) -> str:
    return f", 16-bit grey of {bits} bits" if bits and GREY16 in codecs else ""


def _bits(data: bytes) -> int:
    try:
        return bits_used(data)
    except UnreadableSample:
        return 0


IMAGE = ImageModality()
