"""Batches through a network, as many images at once as memory has room for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from frostline.stages.backbones.inference.batches import BatchLimit, Embeddings, Network, Pixels, in_turn

if TYPE_CHECKING:
    pass


def stream(network: Network, batches: Iterable[Pixels], limit: BatchLimit) -> Iterator[Embeddings]:
    """Yield the features of each batch, in order; on a GPU, while the next ones are on their way."""
    if network.device.type == "cpu":
        return in_turn(network.embed, batches, limit)
    from frostline.stages.backbones.inference.cuda import overlapped

    return overlapped(network, batches, limit)
