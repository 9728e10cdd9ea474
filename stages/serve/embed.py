"""Embed: samples through a frozen backbone, and nothing kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.stages.backbones import Embedder, raw_or_item
from frostline.stages.backbones.inference.batches import BatchLimit, in_turn
from frostline.stages.extract.extraction import finish_of, item_bytes, size_of
from frostline.stages.extract.loader import Batch, Loader
from frostline.stages.modalities.base import Item, Sample
from frostline.stages.modalities.registry import MODALITIES


def embed(
    backbone: Embedder, read: Callable[[int], Sample], rows: Sequence[int], *, batch_size: int = 16, workers: int = 2
) -> Iterator[tuple[Batch, NDArray[np.float32] | None]]:
    """Yield batches of rows with their features, float32 (b, d); None where none of them can be read.

    ``read`` gives a row's sample or raises UnreadableSample: then it is in ``Batch.faults``, and its features mean
    nothing. Rows come in another order where samples have several shapes.
    """
    limit = BatchLimit(batch_size, noun=MODALITIES.load(backbone.spec.modality).noun)

    def item(row: int) -> Item:
        return raw_or_item(read(row), backbone)

    how: Any = {"finish": finish_of(backbone), "size": size_of(backbone, batch_size)}
    with Loader(item, item_bytes(backbone, item, rows), batch_size, workers, **how) as loader:
        for batch in loader.batches([rows]):
            if not batch.items:
                yield batch, None
                continue
            [features] = in_turn(backbone.embed, [batch.stacked()], limit)
            yield batch, features[: len(batch.rows)]
