"""Vectors behind the door of modalities: a sample is a row of float32 numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.stages.errors import UnreadableSample
from frostline.stages.modalities.base import Held, Modality, Preview
from frostline.stages.modalities.vector.rows import fault_of
from frostline.stages.modalities.vector.transform import Vectors
from frostline.stages.modalities.vector.vector_file import ENDINGS, open_vectors

LITTLE = np.dtype("<f4")


class VectorModality(Modality[NDArray[np.float32]]):
    """Rows of numbers. The bytes of one are its float32 values, little-endian."""

    name = noun = "vector"
    extensions = frozenset(ENDINGS)
    settings = ("width",)

    def decode(self, data: bytes, min_side: int | None = None, width: int | None = None) -> NDArray[np.float32]:  # noqa: ARG002
        if fault := self.find_fault(data):
            raise UnreadableSample(fault)
        row = np.frombuffer(data, LITTLE)
        if width is not None and len(row) != width:
            raise UnreadableSample(f"{len(row)} numbers; expected {width}")
        return row.astype(np.float32)

    def find_fault(self, data: bytes) -> str | None:
        if not data or len(data) % LITTLE.itemsize:
            return f"{len(data)} bytes are not float32 numbers"
        return fault_of(np.frombuffer(data, LITTLE))

    def decoder(self, min_side: int | None = None, width: int | None = None) -> str:  # noqa: ARG002
        """Return that nothing decodes: rows are float32 as they lie in the file, or rounded to it."""
        return "float32"

    def preview(self, sample: NDArray[np.float32]) -> Preview:  # noqa: ARG002
        return Preview()

    def read_transform(self, fields: Mapping[str, Any]) -> Vectors:
        return Vectors(**fields)

    def held_in(self, file: Path, named: str | None = None) -> Sequence[Held] | None:
        found = open_vectors(file, named)
        rows = found.rows()
        return [Held(name, partial(rows.encoded, row)) for row, name in enumerate(found.ids())]


VECTOR = VectorModality()
