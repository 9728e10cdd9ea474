"""Predict: a frozen backbone and a fitted head on images whose labels nobody knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from stages.backbones import pixels_for
from stages.heads import LinearHead
from stages.loading import Batch, Loader
from stages.specs import BackboneSpec, View


class Embedder(Protocol):
    """What prediction needs of a backbone."""

    spec: BackboneSpec
    width: int

    def embed(self, pixels: NDArray[np.uint8], /) -> NDArray[np.float32]: ...


@dataclass(frozen=True, eq=False)
class Predicted:
    """One image: ``probabilities`` float64 (classes,), or None and the ``fault`` that left it out."""

    row: int
    probabilities: NDArray[np.float64] | None
    fault: str | None = None


def predict(
    head: LinearHead,
    backbone: Embedder,
    read: Callable[[int], Image],
    rows: Sequence[int],
    *,
    views: Sequence[View] = ("plain",),
    batch_size: int = 16,
    workers: int = 2,
) -> Iterator[Predicted]:
    """Yield the class probabilities of the rows, in order, averaged over the views.

    ``read`` gives a row's image or raises UnreadableImage. No more than a block of images is
    held at a time.
    """
    shape = (*backbone.spec.size, 3)
    with Loader(lambda row: pixels_for(read(row), backbone.spec), shape, batch_size, workers) as loader:
        for batch in loader.batches(rows):
            yield from _predicted(head, backbone, batch, views)


def _predicted(head: LinearHead, backbone: Embedder, batch: Batch, views: Sequence[View]) -> Iterator[Predicted]:
    images = [batch.pixels if view == "plain" else batch.pixels[:, :, ::-1] for view in views]
    means = np.mean([head.probabilities(backbone.embed(pixels)) for pixels in images], axis=0)
    for row, mean in zip(batch.rows, means, strict=False):
        fault = batch.faults.get(row) or (None if np.isfinite(mean).all() else "the backbone gave NaN or infinity")
        yield Predicted(row, None if fault else mean, fault)
