"""A modality of items that differ in length, with a network that takes them: for tests of what is not an image's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from frostline.stages.backbones.families.base import LoadedModel
from frostline.stages.modalities.base import Item, Modality, Preview

STEP, WIDTH = 4, 6


@dataclass(frozen=True)
class Spelled:
    """Letters as numbers, as many as the text has, rounded up to four. ``table``: what no key has."""

    modality: ClassVar[str] = "letters"
    longest: int = 64
    table: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)

    def item(self, sample: str, view: str = "plain") -> Item:
        letters = np.frombuffer(sample.encode()[: self.longest], np.uint8)
        ids = np.zeros(-(-len(letters) // STEP) * STEP, np.int64)
        ids[: len(letters)] = letters
        return {"ids": ids, "mask": np.arange(len(ids)) < len(letters)}

    def noise(self, n: int) -> list[Item]:
        ids = np.random.default_rng(0).integers(1, 256, (n, 2 * STEP))
        return [{"ids": row, "mask": np.ones(2 * STEP, bool)} for row in ids]


class Letters(Modality[str]):
    name, noun, settings = "letters", "text", ("longest",)
    extensions = frozenset({".txt"})

    def decode(self, data: bytes, min_side: int | None = None) -> str:
        return data.decode()

    def find_fault(self, data: bytes) -> str | None:
        return None

    def decoder(self, min_side: int | None = None) -> str:
        return "UTF-8"

    def preview(self, sample: str) -> Preview:
        return Preview(text=sample)

    def read_transform(self, fields: Mapping[str, Any]) -> Spelled:
        return Spelled(**fields)


class Mean(nn.Module):
    """The mean of the vectors of a text's letters."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(256, WIDTH)
        with torch.no_grad():
            self.table.weight.copy_(torch.randn(256, WIDTH, generator=torch.Generator().manual_seed(0)))

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        weights = mask[..., None].to(self.table.weight.dtype)
        return (self.table(ids) * weights).sum(1) / weights.sum(1)


def loaded(module: nn.Module | None = None, **more: Any) -> LoadedModel:
    """Return the network as its family would."""
    known: dict[str, Any] = {"layer": "letters", "pool": "mean", "width": WIDTH, **more}
    return LoadedModel(module or Mean(), "f" * 64, Spelled(), **known)
