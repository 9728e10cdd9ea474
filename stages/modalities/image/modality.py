"""Images as a modality: what ``frostline.stages.modalities.image`` does, behind the door."""

from __future__ import annotations

import base64
import io

from PIL import Image

from frostline.stages.modalities.base import Modality, Preview
from frostline.stages.modalities.image.decode import EXTENSIONS, decode, decoder, find_fault, is_scaled

SIDE = 96
_TINY = 48


class ImageModality(Modality[Image.Image]):
    """8-bit RGB images; see ``frostline.stages.modalities.image.decode`` for what each kind of file means."""

    name = "image"
    extensions = EXTENSIONS

    def decode(self, data: bytes, min_side: int | None = None) -> Image.Image:
        return decode(data, min_side)

    def find_fault(self, data: bytes) -> str | None:
        return find_fault(data)

    def decoder(self, min_side: int | None = None) -> str:
        return decoder(min_side)

    def is_scaled(self, data: bytes, min_side: int) -> bool:
        return is_scaled(data, min_side)

    def preview(self, sample: Image.Image) -> Preview:
        """Return a thumbnail, no side longer than ``SIDE`` pixels."""
        tiny = max(sample.size) <= _TINY
        small = sample.copy()
        small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        file = io.BytesIO()
        small.convert("RGB").save(file, **({"format": "PNG"} if tiny else {"format": "JPEG", "quality": 82}))
        kind = "png" if tiny else "jpeg"
        return Preview(f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}", tiny=tiny)


IMAGE = ImageModality()
