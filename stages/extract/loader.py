"""Batches of decoded images, in order, in threads or not, whichever is faster here."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from frostline.stages.errors import UnreadableSample

T = TypeVar("T")
Pixels = NDArray[Any]
_BLOCK_BYTES = 32 << 20
_PIECES = 4  # of a block, per thread
_MIN_PIECE = 4  # images: to hand one to a thread costs as much as to decode a thumbnail
_TRIALS = (False, False, True)  # blocks decoded in threads or not, to find out; the first one warms up


@dataclass(frozen=True, eq=False)
class Batch:
    """Rows and their images, or why there is none: ``faults``, row to reason."""

    rows: Sequence[int]
    images: dict[int, Pixels]
    faults: dict[int, str]

    def stacked(self, size: int, finish: Callable[[Pixels], Pixels]) -> Pixels:
        """Return ``size`` images, (size, height, width, 3), in the order of the rows.

        There are always as many, zeros at the end and in place of faults: with one shape each
        row gets the same bits in any company. Images that differ in shape are all finished.
        There must be an image.
        """
        images = self.images
        if len({image.shape for image in images.values()}) > 1:
            images = {row: finish(image) for row, image in images.items()}
        first = next(iter(images.values()))
        result = np.zeros((size, *first.shape), first.dtype)
        for place, row in enumerate(self.rows):
            if row in images:
                result[place] = images[row]
        return result


class Loader:
    """Decodes rows into batches.

    ``decode`` gives a row's image or raises UnreadableSample. ``image_bytes``: how much one
    holds at most. ``workers`` threads decode, unless the first blocks show that one thread
    alone is faster: for thumbnails, whose decoding is mostly Python. A block is several
    batches, since a processor that changes between decoding and the network loses time at
    each change. ``ahead``: blocks decoded while the caller works. ``loader_wait``: for how many
    seconds the caller waited for images; a GPU may have had batches to work on meanwhile.
    """

    def __init__(
        self, decode: Callable[[int], Pixels], image_bytes: int, batch_size: int, workers: int, *, ahead: int = 0
    ) -> None:
        self._decode, self._batch_size, self._ahead = decode, batch_size, ahead
        self._block = max(1, _BLOCK_BYTES // (batch_size * image_bytes))
        self._workers = workers
        self._threads = ThreadPoolExecutor(workers, "frostline-decode")
        self._times: list[float] = []
        self.loader_wait = 0.0

    def __enter__(self) -> Loader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._threads.shutdown(cancel_futures=True)

    def batches(self, groups: Iterable[Sequence[int]]) -> Iterator[Batch]:
        """Yield the rows of each group in order, ``batch_size`` at a time; a group is asked for when it is needed."""
        blocks = (block for rows in groups for block in _parts(rows, self._block * self._batch_size))
        pending: deque[tuple[list[Batch], list[Future[None]]]] = deque()
        while True:
            fresh = list(islice(blocks, self._ahead + 1 - len(pending)))
            started = time.perf_counter()
            pending += [self._begin(block) for block in fresh]
            if not pending:
                return
            batches, futures = pending.popleft()
            for future in futures:
                future.result()
            self.loader_wait += time.perf_counter() - started
            yield from batches

    def _begin(self, rows: Sequence[int]) -> tuple[list[Batch], list[Future[None]]]:
        batches = [Batch(part, {}, {}) for part in _parts(rows, self._batch_size)]
        places = [(batch, row) for batch in batches for row in batch.rows]
        if self._ahead:
            return batches, self._submit(places)
        started = time.perf_counter()
        if self._in_threads():
            for future in self._submit(places):
                future.result()
        else:
            self._fill(places)
        self._times.append((time.perf_counter() - started) / len(rows))
        return batches, []

    @property
    def workers(self) -> int:
        """How many threads decode, as far as that has been found out."""
        return self._workers if self._ahead or self._in_threads() else 1

    def _in_threads(self) -> bool:
        if self._workers == 1:
            return False
        if len(self._times) < len(_TRIALS):
            return _TRIALS[len(self._times)]
        return self._times[2] < self._times[1]

    def _submit(self, places: list[tuple[Batch, int]]) -> list[Future[None]]:
        piece = max(_MIN_PIECE, len(places) // (_PIECES * self._workers))
        return [self._threads.submit(self._fill, part) for part in _parts(places, piece)]

    def _fill(self, places: Sequence[tuple[Batch, int]]) -> None:
        for batch, row in places:
            try:
                batch.images[row] = self._decode(row)
            except UnreadableSample as error:
                batch.faults[row] = str(error)


def _parts(values: Sequence[T], size: int) -> list[Sequence[T]]:
    return [values[i : i + size] for i in range(0, len(values), size)]
