"""Batches through a network, as many rows at once as memory has room for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from frostline.stages.backbones.inference.pixels import Embedder
from frostline.stages.errors import ConfigError
from frostline.stages.gpu import out_of_memory
from frostline.stages.modalities.base import Arrays
from frostline.stages.modalities.items import joined, rows_of, taken, zeros_like

if TYPE_CHECKING:
    import torch


T = TypeVar("T")


Embeddings = NDArray[np.float32]


def _nothing() -> None:
    """Release nothing."""


class BatchLimit:
    """How many ``rows`` go through a network at once: as many as are asked for, halved whenever memory runs out.

    ``on_halved`` gets how many from now on, and the error's message. ``remedy``: what to do where one takes too much.
    ``noun``: what a row is.
    """

    def __init__(
        self,
        rows: int,
        on_halved: Callable[[int, str], object] | None = None,
        remedy: str = "free some memory, or choose a smaller --resize, and run again; finished shards are kept",
        noun: str = "image",
    ) -> None:
        self.rows = rows
        self._on_halved, self._remedy, self._noun = on_halved, remedy, noun

    def run(self, work: Callable[[int], T], release: Callable[[], object] = _nothing) -> T:
        """Return what ``work`` gives for so many rows at once; where memory runs out, ``release`` some and try less.

        Raises ConfigError where there is no room for one.
        """
        while True:
            try:
                return work(self.rows)
            except (MemoryError, RuntimeError) as error:
                self._halve(error)
            release()  # only here: until now the error held on to what failed

    def _halve(self, error: MemoryError | RuntimeError) -> None:
        message = str(error).partition("\n")[0] or type(error).__name__
        if not out_of_memory(error):
            raise error
        if self.rows == 1:
            raise ConfigError(f"not enough memory for a batch of 1 {self._noun} ({message}); {self._remedy}") from error
        self.rows //= 2
        if self._on_halved:
            self._on_halved(self.rows, message)


class Streamer(Embedder, Protocol):
    """What extraction needs of a backbone."""

    def stream(self, batches: Iterable[Arrays], limit: BatchLimit, /) -> Iterator[Embeddings]: ...


class Network(Streamer, Protocol):
    """A backbone with a device. ``features``: of a batch's arrays that are there, float32 (batch, d)."""

    device: torch.device

    def features(self, given: Mapping[str, torch.Tensor], /) -> torch.Tensor: ...


def in_turn(
    embed: Callable[[Arrays], Embeddings], batches: Iterable[Arrays], limit: BatchLimit
) -> Iterator[Embeddings]:
    """Yield the features of each batch, one after the other; ``embed`` gives those of rows, always as many."""
    for batch in batches:
        yield limit.run(partial(_embedded, embed, batch))


def _embedded(embed: Callable[[Arrays], Embeddings], batch: Arrays, at_once: int) -> Embeddings:
    return np.concatenate([embed(part) for part in parts(batch, at_once)])[: rows_of(batch)]


def parts(batch: Arrays, at_once: int) -> list[Arrays]:
    """Return a batch, or so many rows of it at a time, zeros at the end of the last: each part has one shape."""
    rows = rows_of(batch)
    if rows <= at_once:
        return [batch]
    cut = [taken(batch, slice(i, i + at_once)) for i in range(0, rows, at_once)]
    cut[-1] = joined(cut[-1], zeros_like(batch, at_once - rows_of(cut[-1])))
    return [*cut]
