"""Batches through a network, as many rows at once as memory has room for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from frostline.stages.backbones.inference.batches import BatchLimit, Embeddings, Network, in_turn
from frostline.stages.modalities.base import Arrays


def stream(network: Network, batches: Iterable[Arrays], limit: BatchLimit) -> Iterator[Embeddings]:
    """Yield the features of each batch, in order; on a GPU, while the next ones are on their way."""
    if network.device.type == "cpu":
        return in_turn(network.embed, batches, limit)
    from frostline.stages.backbones.inference.cuda import overlapped

    return overlapped(network, batches, limit)
