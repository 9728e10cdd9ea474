"""Batches of items, decoded in threads or not, whichever is faster here."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from types import TracebackType
from typing import TypeVar

from frostline.stages.errors import UnreadableSample
from frostline.stages.modalities.base import Arrays, Item
from frostline.stages.modalities.items import by_shape, placed, shape_of

T = TypeVar("T")
_BLOCK_BYTES = 32 << 20
_PIECES = 4  # of a block, per thread
_MIN_PIECE = 4  # rows: to hand one to a thread costs as much as to decode a thumbnail
_TRIALS = (False, False, True)  # blocks decoded in threads or not, to find out; the first one warms up


@dataclass(frozen=True, eq=False)
class Batch:
    """Rows and their items, all of one shape, or why there is none: ``faults``, row to reason."""

    rows: Sequence[int]
    items: dict[int, Item]
    faults: dict[int, str]

    def stacked(self, size: int) -> Arrays:
        """Return ``size`` items, arrays by name (size, …), in the order of the rows.

        Zeros are at the end and in place of faults: with one ``size`` for all batches of a shape each row gets the
        same bits in any company. There must be an item.
        """
        return placed({place: self.items[row] for place, row in enumerate(self.rows) if row in self.items}, size)


@dataclass(frozen=True, eq=False)
class _Block:
    """Rows on their way: ``futures`` fill in their ``items`` and ``faults``."""

    rows: Sequence[int]
    items: dict[int, Item] = field(default_factory=dict)
    faults: dict[int, str] = field(default_factory=dict)
    futures: list[Future[None]] = field(default_factory=list)

    def batch(self, rows: Sequence[int]) -> Batch:
        """Return some of the rows as a batch."""
        own = {row: self.items[row] for row in rows if row in self.items}
        return Batch(rows, own, {row: self.faults[row] for row in rows if row in self.faults})


class Loader:
    """Decodes rows into batches.

    ``decode`` gives a row's item or raises UnreadableSample. ``item_bytes``: how much one
    holds, about. ``finish``: where all items come out with one shape once that is done to them, what it is; None where
    their shapes are their own: then those of a block are grouped by shape. ``workers`` threads decode, unless the
    first blocks show that one thread
    alone is faster: for thumbnails, whose decoding is mostly Python. A block is several
    batches, since a processor that changes between decoding and the network loses time at
    each change. ``ahead``: blocks decoded while the caller works. ``loader_wait``: for how many
    seconds the caller waited for items; a GPU may have had batches to work on meanwhile.
    """

    def __init__(
        self,
        decode: Callable[[int], Item],
        item_bytes: int,
        batch_size: int,
        workers: int,
        *,
        finish: Callable[[Item], Item] | None = None,
        ahead: int = 0,
    ) -> None:
        self._decode, self._finish, self._batch_size, self._ahead = decode, finish, batch_size, ahead
        self._block = max(1, _BLOCK_BYTES // (batch_size * max(1, item_bytes)))
        self._workers = workers
        self._threads = ThreadPoolExecutor(workers, "frostline-decode")
        self._times: list[float] = []
        self.loader_wait = 0.0

    def __enter__(self) -> Loader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._threads.shutdown(cancel_futures=True)

    def batches(self, groups: Iterable[Sequence[int]]) -> Iterator[Batch]:
        """Yield the rows of each group, at most ``batch_size`` at a time; a group is asked for when it is needed.

        In order where all items have one shape; else block by block those of one shape, the largest first, and then
        those without an item.
        """
        blocks = (block for rows in groups for block in _parts(rows, self._block * self._batch_size))
        pending: deque[_Block] = deque()
        while True:
            fresh = list(islice(blocks, self._ahead + 1 - len(pending)))
            started = time.perf_counter()
            pending += [self._begin(rows) for rows in fresh]
            if not pending:
                return
            block = pending.popleft()
            for future in block.futures:
                future.result()
            self.loader_wait += time.perf_counter() - started
            yield from self._cut(block)

    def _cut(self, block: _Block) -> Iterator[Batch]:
        """Yield a block's batches, which hold on to nothing of the others."""
        found = {row: block.items[row] for row in block.rows if row in block.items}  # threads fill in as they please
        without = [row for row in block.rows if row in block.faults]
        several = [block.rows] if self._finish else [*by_shape(found), without]
        for part in (part for rows in several for part in _parts(rows, self._batch_size)):
            yield self._alike(block.batch(part))

    def _alike(self, batch: Batch) -> Batch:
        """Return a batch whose items have one shape."""
        if self._finish and len(set(map(shape_of, batch.items.values()))) > 1:
            batch.items.update({row: self._finish(item) for row, item in batch.items.items()})
        return batch

    def _begin(self, rows: Sequence[int]) -> _Block:
        block = _Block(rows)
        if self._ahead:
            block.futures.extend(self._submit(block))
            return block
        started = time.perf_counter()
        if self._in_threads():
            for future in self._submit(block):
                future.result()
        else:
            self._fill(block, rows)
        self._times.append((time.perf_counter() - started) / len(rows))
        return block

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

    def _submit(self, block: _Block) -> list[Future[None]]:
        piece = max(_MIN_PIECE, len(block.rows) // (_PIECES * self._workers))
        return [self._threads.submit(self._fill, block, part) for part in _parts(block.rows, piece)]

    def _fill(self, block: _Block, rows: Sequence[int]) -> None:
        for row in rows:
            try:
                block.items[row] = self._decode(row)
            except UnreadableSample as error:
                block.faults[row] = str(error)


def _parts(values: Sequence[T], size: int) -> list[Sequence[T]]:
    return [values[i : i + size] for i in range(0, len(values), size)]
