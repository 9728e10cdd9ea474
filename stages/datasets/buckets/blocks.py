"""Reading ahead in large objects: who reads one piece after the other finds the next ones here already.

An object is fetched in blocks once reads of it lie side by side, or begin at its beginning, and then some blocks ahead.
Reads here and there get what they ask for and no more. What is held is bounded for the whole process.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from itertools import pairwise

from frostline.stages.buckets.pool import POOL

BLOCK = 2 << 20
AHEAD = 6
_NEAR = 4 << 20  # bytes between reads that count as side by side
_HELD = 32  # blocks, of all objects together
_KNOWN = 1024  # objects of which it is known where they were read last

Fetch = Callable[[int, int], bytes]
"""From an offset on, so many bytes."""
Name = tuple[str, str]


class Blocks:
    """The blocks that this process holds, or waits for, those used last."""

    def __init__(self) -> None:
        self.forget()
        os.register_at_fork(after_in_child=self.forget)

    def forget(self) -> None:
        """Let go of all blocks."""
        self._lock = threading.Lock()
        self._held: OrderedDict[tuple[Name, int], Future[bytes]] = OrderedDict()
        self._ends: OrderedDict[Name, int] = OrderedDict()

    def read(self, name: Name, size: int, offset: int, length: int, fetch: Fetch) -> bytes:
        """Return bytes of an object of this name and size. Raises what ``fetch`` raises."""
        if length > BLOCK * AHEAD // 2 or not self._follows(name, offset, length):
            return self._direct(name, offset, length, fetch)
        first, last = offset // BLOCK, (offset + length - 1) // BLOCK
        futures = self._blocks(name, size, range(first, last + 1), fetch)
        data = b"".join(map(POOL.result, futures))
        return data[offset - first * BLOCK :][:length]

    def _direct(self, name: Name, offset: int, length: int, fetch: Fetch) -> bytes:
        """Return bytes that are not kept; many of them in pieces, fetched together, less those of blocks at hand."""
        if length <= BLOCK:
            return fetch(offset, length)
        ends = [offset, *range((offset // BLOCK + 1) * BLOCK, offset + length, BLOCK), offset + length]
        with self._lock:
            held = [self._held.get((name, start // BLOCK)) for start, _ in pairwise(ends)]
        pieces = [
            (future or POOL.submit(partial(fetch, start, end - start)), start % BLOCK if future else 0, end - start)
            for future, (start, end) in zip(held, pairwise(ends), strict=True)
        ]
        return b"".join(POOL.result(piece)[skip:][:size] for piece, skip, size in pieces)

    def expect(self, name: Name, size: int, offset: int, fetch: Fetch) -> None:
        """Have the block at an offset fetched, and know that the next read is there."""
        with self._lock:
            self._ends[name] = offset
            self._fetch(name, size, offset // BLOCK, fetch)

    def _follows(self, name: Name, offset: int, length: int) -> bool:
        """Return whether a read is one of a row of reads side by side, and note where it ends."""
        with self._lock:
            before = self._ends.pop(name, 0)
            self._ends[name] = offset + length
            if len(self._ends) > _KNOWN:
                self._ends.popitem(last=False)
        return abs(offset - before) <= _NEAR

    def _blocks(self, name: Name, size: int, wanted: range, fetch: Fetch) -> list[Future[bytes]]:
        """Return blocks on their way, and have those behind them fetched, too."""
        with self._lock:
            for number in range(wanted.start, min(wanted.stop + AHEAD, -(-size // BLOCK))):
                self._fetch(name, size, number, fetch)
            found = [self._held[name, number] for number in wanted]
        return found

    def _fetch(self, name: Name, size: int, number: int, fetch: Fetch) -> None:
        """Have a block fetched, unless it is here or on its way."""
        key, start = (name, number), number * BLOCK
        if start < size and (key not in self._held or _failed(self._held[key])):
            self._held[key] = POOL.submit(partial(fetch, start, min(BLOCK, size - start)))
        if key in self._held:
            self._held.move_to_end(key)
        while len(self._held) > _HELD:
            self._held.popitem(last=False)


def _failed(future: Future[bytes]) -> bool:
    """Return whether a block did not come: whoever asks for it again has it fetched again."""
    return future.cancelled() or (future.done() and future.exception() is not None)


BLOCKS = Blocks()
