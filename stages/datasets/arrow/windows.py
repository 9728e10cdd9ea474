"""A column's rows in any order: the windows that were read last stay in memory, and reading resumes where it was."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from threading import RLock
from typing import Any

from frostline.stages.datasets.arrow.chunks import Stored
from frostline.stages.errors import DataError

_KEPT = 128 << 20
_MOST_KEPT = 512 << 20
_SPAN = 1024  # rows: as far apart threads may read that share out a few batches
_CURSORS = 4


@dataclass(frozen=True, eq=False)
class _Window:
    """Rows ``start`` to ``stop`` of a chunk."""

    chunk: int
    start: int
    stop: int
    array: Any


class _Cursor:
    """Reads a chunk from its beginning on, a window at a time."""

    def __init__(self, chunk: int, arrays: Iterator[Any]) -> None:
        self.chunk, self.at, self._arrays = chunk, 0, arrays

    def next(self) -> _Window:
        array = next(self._arrays, None)
        if array is None:
            raise DataError("a row group has fewer rows than its file declares; copy or download it again")
        start, self.at = self.at, self.at + len(array)
        return _Window(self.chunk, start, self.at, array)


class Windows:
    """One column of stored rows, for all threads of a process.

    Rows that are asked for in their order, or nearly so, are each decoded once. To go back behind what is kept, about
    ``_KEPT`` bytes, is to read a chunk again from its beginning.
    """

    def __init__(self, stored: Stored, column: str) -> None:
        self._stored, self._column, self._lock = stored, column, RLock()
        self._kept: OrderedDict[tuple[int, int], _Window] = OrderedDict()
        self._of_chunk: dict[int, list[_Window]] = {}
        self._bytes = self._rows = 0
        self._cursors: OrderedDict[int, _Cursor] = OrderedDict()

    def find(self, row: int) -> tuple[Any, int]:
        """Return an array that holds a row, and at which place. Raises DataError where it can't be read any more."""
        chunks = self._stored.chunks
        with self._lock:
            chunk = chunks.of(row)
            at = row - chunks[chunk].start
            window = self._known(chunk, at) or self._read(chunk, at)
            self._kept.move_to_end((chunk, window.start))
            return window.array, at - window.start

    def _known(self, chunk: int, at: int) -> _Window | None:
        return next((one for one in reversed(self._of_chunk.get(chunk, ())) if one.start <= at < one.stop), None)

    def _read(self, chunk: int, at: int) -> _Window:
        cursor = self._cursors.pop(chunk, None)
        if cursor is None or cursor.at > at:
            cursor = _Cursor(chunk, self._stored.windows(chunk, self._column))
        window = cursor.next()
        while at >= window.stop:
            window = cursor.next()
        self._keep(window)
        if cursor.at < self._stored.chunks[chunk].rows:
            self._cursors[chunk] = cursor
        while len(self._cursors) > _CURSORS:
            self._cursors.popitem(last=False)
        return window

    def _keep(self, window: _Window) -> None:
        self._kept[window.chunk, window.start] = window
        self._of_chunk.setdefault(window.chunk, []).append(window)
        self._bytes += window.array.nbytes
        self._rows += len(window.array)
        while self._is_full() and len(self._kept) > 1:
            _, gone = self._kept.popitem(last=False)
            self._of_chunk[gone.chunk].remove(gone)
            self._of_chunk = {chunk: some for chunk, some in self._of_chunk.items() if some}
            self._bytes -= gone.array.nbytes
            self._rows -= len(gone.array)

    def _is_full(self) -> bool:
        return self._bytes > _KEPT and (self._rows > _SPAN or self._bytes > _MOST_KEPT)
