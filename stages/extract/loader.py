"""Batches of items, decoded in as many threads as is fastest here."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain, islice
from threading import Lock
from types import TracebackType
from typing import TypeVar

from frostline.stages.errors import UnreadableSample
from frostline.stages.extract.threads import ThreadTrial
from frostline.stages.modalities.base import Arrays, Item
from frostline.stages.modalities.items import Stack, by_shape, bytes_of, shape_of

T = TypeVar("T")
_BLOCK_BYTES = 32 << 20
_MOST_BYTES = 256 << 20  # of a block that is no full batch yet
_PIECES = 4  # of a block, per thread
_MIN_PIECE = 4  # rows: to hand one to a thread costs as much as to decode a thumbnail
_TRIAL_ROWS = 256  # of a block, at most: decoded by what may be too few threads, to find out


@dataclass(frozen=True, eq=False)
class Batch:
    """Rows and their items, all of one shape, or why there is none: ``faults``, row to reason.

    ``size``: how many rows the network is given.
    """

    rows: Sequence[int]
    items: dict[int, Item]
    faults: dict[int, str]
    size: int

    def stacked(self, *, bare: bool = False) -> Arrays:
        """Return ``size`` items, or if ``bare`` as many as there are rows, arrays by name (size, …), in their order.

        Zeros are at the end and in place of faults: with one ``size`` for all batches of a shape each row gets the
        same bits in any company. They are stacked when they are asked for. There must be an item.
        """
        size = len(self.rows) if bare else self.size
        return Stack({place: self.items[row] for place, row in enumerate(self.rows) if row in self.items}, size)


@dataclass(eq=False)
class _Block:
    """Rows on their way: ``futures`` fill in their ``items`` and ``faults``; ``held``: the bytes of the items."""

    rows: Sequence[int]
    items: dict[int, Item] = field(default_factory=dict)
    faults: dict[int, str] = field(default_factory=dict)
    futures: list[Future[None]] = field(default_factory=list)
    held: int = 0
    _lock: Lock = field(default_factory=Lock)

    def add(self, row: int, item: Item) -> None:
        with self._lock:
            self.items[row] = item
            self.held += bytes_of(item)

    def left(self) -> list[int]:
        """Return the rows that were not decoded, since the block was full before."""
        return [row for row in self.rows if row not in self.items and row not in self.faults]

    def batch(self, rows: Sequence[int], size: int) -> Batch:
        """Return some of the rows as a batch."""
        own = {row: self.items[row] for row in rows if row in self.items}
        return Batch(rows, own, {row: self.faults[row] for row in rows if row in self.faults}, size)


class Loader:
    """Decodes rows into batches.

    ``decode`` gives a row's item or raises UnreadableSample. ``item_bytes``: how much one
    holds, about. ``finish``: where all items come out with one shape once that is done to them, what it is; None where
    their shapes are their own: then those of a block are grouped by shape. ``size``: of an item, how many of its
    shape are a batch; None: ``batch_size``. ``workers`` threads decode, unless the first blocks show that fewer are
    faster: for thumbnails, whose decoding is mostly Python. A block is several
    batches, since a CPU that changes between decoding and the network loses time at
    each change; where shapes are the items' own, it ends when its items hold 32 MiB and fill a batch,
    at the latest when they hold 256 MiB, however small the first ones were. ``ahead``: blocks
    decoded while the caller works, once the number of threads is known. ``loader_wait``: for how many seconds the
    caller waited for items; a GPU may have had batches to work on meanwhile.
    """

    def __init__(
        self,
        decode: Callable[[int], Item],
        item_bytes: int,
        batch_size: int,
        workers: int,
        *,
        finish: Callable[[Item], Item] | None = None,
        size: Callable[[Item], int] | None = None,
        ahead: int = 0,
    ) -> None:
        self._decode, self._finish, self._batch_size, self._ahead = decode, finish, batch_size, ahead
        self._size = size
        self._block = max(1, _BLOCK_BYTES // (batch_size * max(1, item_bytes)))
        self._trial = ThreadTrial(workers)
        self._pool_size, self._pool = workers, _pool(workers)
        self.loader_wait = 0.0

    def __enter__(self) -> Loader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._pool.shutdown(cancel_futures=True)

    def batches(self, groups: Iterable[Sequence[int]]) -> Iterator[Batch]:
        """Yield the rows of each group, at most ``batch_size`` at a time; a group is asked for when it is needed.

        In order where all items have one shape; else block by block those of one shape, the largest first, and then
        those without an item.
        """
        blocks: Iterator[Sequence[int]] = (
            block for rows in groups for block in _parts(rows, self._block * self._batch_size)
        )
        pending: deque[_Block] = deque()
        while True:
            wanted = 1 if self._trial.candidate else self._ahead + 1
            fresh = list(islice(blocks, wanted - len(pending)))
            started = time.perf_counter()
            pending += [self._begin(rows) for rows in fresh]
            if not pending:
                return
            block = pending.popleft()
            for future in block.futures:
                future.result()
            self.loader_wait += time.perf_counter() - started
            if left := block.left():
                blocks = chain([left], blocks)
            yield from self._cut(block)

    def _cut(self, block: _Block) -> Iterator[Batch]:
        """Yield a block's batches, which hold on to nothing of the others."""
        found = {row: block.items[row] for row in block.rows if row in block.items}  # threads fill in as they please
        without = [row for row in block.rows if row in block.faults]
        for rows in [block.rows] if self._finish else [*by_shape(found), without]:
            size = self._size(found[rows[0]]) if self._size and rows and rows[0] in found else self._batch_size
            for part in _parts(rows, size):
                yield self._alike(block.batch(part, size))

    def _alike(self, batch: Batch) -> Batch:
        """Return a batch whose items have one shape."""
        if self._finish and len(set(map(shape_of, batch.items.values()))) > 1:
            batch.items.update({row: self._finish(item) for row, item in batch.items.items()})
        return batch

    def _begin(self, rows: Sequence[int]) -> _Block:
        block, tried = _Block(rows), 0
        if candidate := self._trial.candidate:
            tried = _TRIAL_ROWS
            self._try(block, rows[:tried], candidate)
        block.futures += self._started(block, rows[tried:], self._trial.best)
        return block

    def _try(self, block: _Block, rows: Sequence[int], threads: int) -> None:
        started = time.perf_counter()
        for future in self._started(block, rows, threads):
            future.result()
        self._trial.tell((time.perf_counter() - started) / (len(block.items) + len(block.faults)))

    @property
    def workers(self) -> int:
        """How many threads decode, as far as that has been found out."""
        return self._trial.best

    def _started(self, block: _Block, rows: Sequence[int], threads: int) -> list[Future[None]]:
        """Have so many threads decode rows of a block; where one does and nothing is ahead, it is this one."""
        if threads == 1 and not self._ahead:
            self._fill(block, rows)
            return []
        if threads != self._pool_size:
            self._pool.shutdown()
            self._pool_size, self._pool = threads, _pool(threads)
        piece = max(_MIN_PIECE, len(rows) // (_PIECES * threads))
        return [self._pool.submit(self._fill, block, part) for part in _parts(rows, piece)]

    def _fill(self, block: _Block, rows: Sequence[int]) -> None:
        for row in rows:
            if self._is_full(block):
                return
            try:
                block.add(row, self._decode(row))
            except UnreadableSample as error:
                block.faults[row] = str(error)

    def _is_full(self, block: _Block) -> bool:
        if self._finish or block.held < _BLOCK_BYTES:
            return False
        return block.held >= _MOST_BYTES or len(block.items) >= self._batch_size


def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "frostline-decode")


def _parts(values: Sequence[T], size: int) -> list[Sequence[T]]:
    return [values[i : i + size] for i in range(0, len(values), size)]
