"""What a network is given of a vector: the vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from frostline.stages.errors import UnreadableSample
from frostline.stages.modalities.base import Item

MOST = 1 << 20
"""How many numbers a vector has at most."""


@dataclass(frozen=True)
class Vectors:
    """Vectors of ``width`` numbers, as they are."""

    modality: ClassVar[str] = "vector"
    width: int

    def __post_init__(self) -> None:  # a record's fields may be a stranger's
        if type(self.width) is not int or not 0 < self.width <= MOST:
            raise ValueError(f"width {self.width!r}; expected a whole number from 1 to {MOST:,}")

    def item(self, sample: NDArray[np.float32], view: str = "plain") -> Item:  # noqa: ARG002
        if sample.shape != (self.width,):
            raise UnreadableSample(f"{len(sample)} numbers; expected {self.width}")
        return {"vector": sample}

    def noise(self, n: int) -> list[Item]:
        rows = np.random.default_rng(0).standard_normal((n, self.width), np.float32)
        return [{"vector": row} for row in rows]
