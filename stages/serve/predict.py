"""Predict: a frozen backbone and a fitted head on samples whose labels nobody knows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.stages.backbones import Embedder, item_for, raw_or_item
from frostline.stages.backbones.inference.batches import BatchLimit, in_turn
from frostline.stages.extract.extraction import finish_of, item_bytes, size_of
from frostline.stages.extract.loader import Batch, Loader
from frostline.stages.heads import Head
from frostline.stages.modalities.base import Arrays, Item, Sample
from frostline.stages.modalities.image.spec import View
from frostline.stages.modalities.registry import MODALITIES


@dataclass(frozen=True, eq=False)
class Predicted:
    """One sample: the head's ``decision_values`` float64 (classes,), or None and the ``fault`` that left it out.

    Of a head that predicts numbers these are its values.
    """

    row: int
    decision_values: NDArray[np.float64] | None
    fault: str | None = None


def predict(
    head: Head,
    backbone: Embedder,
    read: Callable[[int], Sample],
    rows: Sequence[int],
    *,
    views: Sequence[View] = ("plain",),
    batch_size: int = 16,
    workers: int = 2,
    on_halved: Callable[[int, str], object] | None = None,
) -> Iterator[Predicted]:
    """Yield the head's decision value in each class for the rows, in order, averaged over the views.

    ``read`` gives a row's sample or raises UnreadableSample. No more than a block of items is
    held at a time. ``on_halved`` is told whenever a batch takes too much memory: how many rows at
    once are tried from then on, and why. Raises ConfigError where one takes too much.
    """
    noun = MODALITIES.load(backbone.spec.modality).noun
    remedy = "free some memory, or choose another --device, and run again"  # the head fixes an image's size
    limit = BatchLimit(batch_size, on_halved, remedy, noun)
    flipped = "hflip" in views  # which needs the finished pixels

    def item(row: int) -> Item:
        return item_for(read(row), backbone.spec) if flipped else raw_or_item(read(row), backbone)

    size = item_bytes(backbone, item, rows)
    how: Any = {"finish": finish_of(backbone), "size": size_of(backbone, batch_size)}
    with Loader(item, size, batch_size, workers, **how) as loader:
        known: dict[int, Predicted] = {}
        awaited = deque(rows)  # items of several shapes come in another order
        for batch in loader.batches([rows]):
            known.update((one.row, one) for one in _answers(head, backbone, batch, views, limit))
            while awaited and awaited[0] in known:
                yield known.pop(awaited.popleft())


def _answers(
    head: Head, backbone: Embedder, batch: Batch, views: Sequence[View], limit: BatchLimit
) -> Iterator[Predicted]:
    means, finite = _means(head, backbone, batch, views, limit)
    for place, row in enumerate(batch.rows):
        fault = batch.faults.get(row)
        if not fault and not finite[place]:
            fault = "the backbone gave NaN or infinity"
        elif not fault and np.isnan(means[place]).any():
            fault = "the head gave NaN"
        yield Predicted(row, None if fault else means[place], fault)


def _means(
    head: Head, backbone: Embedder, batch: Batch, views: Sequence[View], limit: BatchLimit
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the decision values of a batch, averaged over the views, and which rows have finite features.

    Zeros where none has an item. A value may be infinite: of a class never trained on, of a label that all have.
    """
    if not batch.items:
        return np.zeros((len(batch.rows), len(head.classes))), np.ones(len(batch.rows), bool)
    plain = batch.stacked()
    looks = [plain if view == "plain" else _flipped(plain) for view in views]
    features = [*in_turn(backbone.embed, looks, limit)]
    means: NDArray[np.float64] = np.mean([head.decision_values(X) for X in features], axis=0)
    return means, np.all([np.isfinite(X).all(1) for X in features], axis=0)


def _flipped(images: Arrays) -> Arrays:
    return {"pixels": images["pixels"][:, :, ::-1]}
