"""Batches through a network, as many images at once as memory has room for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from frostline.stages.backbones.inference.pixels import Embedder
from frostline.stages.errors import ConfigError

if TYPE_CHECKING:
    import torch


T = TypeVar("T")


Pixels = NDArray[Any]


Embeddings = NDArray[np.float32]


_SAID = ("out of memory", "can't allocate memory", "ALLOC_FAILED")  # torch's errors of it are RuntimeErrors


def out_of_memory(error: MemoryError | RuntimeError) -> bool:
    """Whether an error means that memory ran out."""
    return isinstance(error, MemoryError) or any(words in str(error) for words in _SAID)


def _nothing() -> None:
    """Release nothing."""


class BatchLimit:
    """How many ``images`` go through a network at once: as many as are asked for, halved whenever memory runs out.

    ``on_halved`` gets how many from now on, and the error's message. ``remedy``: what to do where one takes too much.
    """

    def __init__(
        self,
        images: int,
        on_halved: Callable[[int, str], object] | None = None,
        remedy: str = "free some, or see --resize, and run again; finished shards are kept",
    ) -> None:
        self.images = images
        self._on_halved, self._remedy = on_halved, remedy

    def run(self, work: Callable[[int], T], release: Callable[[], object] = _nothing) -> T:
        """Return what ``work`` gives for so many images at once; where memory runs out, ``release`` some and try less.

        Raises ConfigError where there is no room for one image.
        """
        while True:
            try:
                return work(self.images)
            except (MemoryError, RuntimeError) as error:
                self._halve(error)
            release()  # only here: until now the error held on to what failed

    def _halve(self, error: MemoryError | RuntimeError) -> None:
        message = str(error).partition("\n")[0] or type(error).__name__
        if not out_of_memory(error):
            raise error
        if self.images == 1:
            raise ConfigError(f"not enough memory for a batch of 1 image ({message}); {self._remedy}") from error
        self.images //= 2
        if self._on_halved:
            self._on_halved(self.images, message)


class Streamer(Embedder, Protocol):
    """What extraction needs of a backbone."""

    def stream(self, batches: Iterable[Pixels], limit: BatchLimit, /) -> Iterator[Embeddings]: ...


class Network(Streamer, Protocol):
    """A backbone with a device. ``features``: of images that are there, uint8 (batch, height, width, 3)."""

    device: torch.device

    def features(self, images: torch.Tensor, /) -> torch.Tensor: ...


def in_turn(
    embed: Callable[[Pixels], Embeddings], batches: Iterable[Pixels], limit: BatchLimit
) -> Iterator[Embeddings]:
    """Yield the features of each batch, one after the other; ``embed`` gives those of images, always as many."""
    for pixels in batches:
        yield limit.run(partial(_embedded, embed, pixels))


def _embedded(embed: Callable[[Pixels], Embeddings], pixels: Pixels, at_once: int) -> Embeddings:
    return np.concatenate([embed(part) for part in parts(pixels, at_once)])[: len(pixels)]


def parts(pixels: Pixels, at_once: int) -> list[Pixels]:
    """Return a batch, or so many images of it at a time, zeros at the end of the last: each part has one shape."""
    if len(pixels) <= at_once:
        return [pixels]
    cut = [pixels[i : i + at_once] for i in range(0, len(pixels), at_once)]
    cut[-1] = np.concatenate([cut[-1], np.zeros((at_once - len(cut[-1]), *pixels.shape[1:]), pixels.dtype)])
    return cut
