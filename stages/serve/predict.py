"""Predict: a frozen backbone and a fitted head on images whose labels nobody knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from frostline.stages.backbones import Embedder, finished, pixels_for, raw_or_pixels
from frostline.stages.backbones.inference.batches import BatchLimit, in_turn
from frostline.stages.extract.loader import Batch, Loader, Pixels
from frostline.stages.heads import Head
from frostline.stages.modalities.image.spec import View


@dataclass(frozen=True, eq=False)
class Predicted:
    """One image: the head's ``confidence`` float64 (classes,), or None and the ``fault`` that left it out.

    Of a head that predicts numbers these are its values.
    """

    row: int
    confidence: NDArray[np.float64] | None
    fault: str | None = None


def predict(
    head: Head,
    backbone: Embedder,
    read: Callable[[int], Image],
    rows: Sequence[int],
    *,
    views: Sequence[View] = ("plain",),
    batch_size: int = 16,
    workers: int = 2,
    on_halved: Callable[[int, str], object] | None = None,
) -> Iterator[Predicted]:
    """Yield the head's confidence in each class for the rows, in order, averaged over the views.

    ``read`` gives a row's image or raises UnreadableSample. No more than a block of images is
    held at a time. ``on_halved`` is told whenever a batch takes too much memory: how many images at
    once are tried from then on, and why. Raises ConfigError where one takes too much.
    """
    image_bytes = 3 * prod(backbone.spec.size)
    limit = BatchLimit(
        batch_size, on_halved, remedy="free some, or see --device, and run again"
    )  # the head fixes the size
    flipped = "hflip" in views  # which needs the finished pixels

    def decode(row: int) -> Pixels:
        return pixels_for(read(row), backbone.spec) if flipped else raw_or_pixels(read(row), backbone)

    with Loader(decode, image_bytes, batch_size, workers) as loader:
        for batch in loader.batches([rows]):
            means, finite = _means(head, backbone, batch, views, batch_size, limit)
            for place, row in enumerate(batch.rows):
                fault = batch.faults.get(row)
                if not fault and not finite[place]:
                    fault = "the backbone gave NaN or infinity"
                elif not fault and np.isnan(means[place]).any():
                    fault = "the head gave NaN"
                yield Predicted(row, None if fault else means[place], fault)


def _means(
    head: Head, backbone: Embedder, batch: Batch, views: Sequence[View], batch_size: int, limit: BatchLimit
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the confidences of a batch, averaged over the views, and which rows have finite features.

    Zeros where none has an image. A confidence may be infinite: of a class never trained on, of a label that all have.
    """
    if not batch.images:
        return np.zeros((len(batch.rows), len(head.classes))), np.ones(len(batch.rows), bool)
    plain = batch.stacked(batch_size, partial(finished, spec=backbone.spec))
    images = [plain if view == "plain" else plain[:, :, ::-1] for view in views]
    features = [*in_turn(backbone.embed, images, limit)]
    means: NDArray[np.float64] = np.mean([head.confidence(X) for X in features], axis=0)
    return means, np.all([np.isfinite(X).all(1) for X in features], axis=0)
