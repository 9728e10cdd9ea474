"""Texts as a modality: UTF-8 bytes to ``str``."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Mapping
from typing import Any

from frostline.stages.errors import UnreadableSample
from frostline.stages.modalities.base import Modality, Preview
from frostline.stages.modalities.text.terms import TermWeights
from frostline.stages.modalities.text.transform import Tokens

TEXT = "text"
MOST_BYTES = 16 << 20
_EXCERPT = 160  # characters


class TextModality(Modality[str]):
    """Texts in UTF-8, without the spaces around them.

    Quarantined: other encodings, NUL bytes, texts of nothing but spaces, or of more than 16 MiB.
    """

    name = noun = TEXT
    extensions = frozenset({".txt"})
    settings = ("prompt", "max_length", "windows")
    max_bytes = MOST_BYTES

    def decode(self, data: bytes, _min_side: int | None = None) -> str:
        if fault := self.find_fault(data):
            raise UnreadableSample(fault)
        return data.decode("utf-8-sig").strip()

    def find_fault(self, data: bytes) -> str | None:
        if len(data) > MOST_BYTES:
            return f"a text of {len(data):,} bytes; expected at most {MOST_BYTES:,}"
        if b"\0" in data:
            return "it contains NUL bytes: not a text, or not in UTF-8"
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            return f"not UTF-8 (byte {error.start:,} is {data[error.start]:#04x})"
        return None if text.strip() else "an empty text"

    def decoder(self, _min_side: int | None = None) -> str:
        return "UTF-8"

    def trimmed(self, data: bytes) -> bytes:
        """Return a text without its byte order mark and the blanks around it, as a cell of a table would hold it."""
        return data.removeprefix(BOM_UTF8).strip()

    def preview(self, sample: str) -> Preview:
        """Return the text's beginning, as one line."""
        line = " ".join(sample[: 4 * _EXCERPT].split())
        return Preview(text=line if len(line) <= _EXCERPT else f"{line[: _EXCERPT - 1]}…")

    def read_transform(self, fields: Mapping[str, Any]) -> Tokens | TermWeights:
        return TermWeights(**fields) if "vocabulary" in fields else Tokens(**fields)


TEXTS = TextModality()
