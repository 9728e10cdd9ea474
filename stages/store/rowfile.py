"""Rows that do not fit in memory: one file without a name, read a slice at a time."""

from __future__ import annotations

import os
import tempfile
import weakref
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.stages.errors import StoreError
from frostline.stages.store.files import TEMPORARY, explained, write_all


class RowFile:
    """Rows (n, d) of floats on disk; indexing with a slice, positions or a mask reads those.

    The file has no name and is gone with the process. It is read, not mapped: what is read counts as this
    process's memory only while it is used.
    """

    def __init__(self, width: int, dtype: Any, folder: Path) -> None:
        self.dtype = np.dtype(dtype)
        self.shape: tuple[int, int] = (0, width)
        with explained(folder):
            # Where it needs a name until it is opened, one that ``gc`` knows.
            self._file = tempfile.TemporaryFile(buffering=0, dir=folder, suffix=TEMPORARY)  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        self.folder = folder

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def _row(self) -> int:
        return int(self.shape[1] * self.dtype.itemsize)

    def append(self, rows: NDArray[Any]) -> None:
        """Add rows (b, d). Raises StoreError if the disk is full."""
        with explained(self.folder):
            write_all(self._file.fileno(), np.ascontiguousarray(rows, self.dtype).reshape(-1).view(np.uint8).data)
        self.shape = (self.shape[0] + len(rows), self.shape[1])

    def __getitem__(self, rows: slice | NDArray[Any]) -> NDArray[Any]:
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            return self._read(start, max(start, stop))[::step]
        positions = np.flatnonzero(rows) if rows.dtype == bool else rows
        result = np.empty((len(positions), self.shape[1]), self.dtype)
        for first, last in _runs(positions):
            start = int(positions[first])
            result[first:last] = self._read(start, start + last - first)
        return result

    def _read(self, start: int, stop: int) -> NDArray[Any]:
        result = np.empty((stop - start, self.shape[1]), self.dtype)
        view, done = result.reshape(-1).view(np.uint8).data, 0
        while done < len(view):
            try:
                read = os.preadv(self._file.fileno(), [view[done:]], start * self._row + done)
            except OSError as error:
                raise StoreError(f"can't read back rows of {self.folder}: {error.strerror}; run again") from error
            if not read:
                raise StoreError(f"rows of {self.folder} are cut off; run again")
            done += read
        return result


def _runs(positions: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return the stretches, from first to before last, in which positions follow on each other."""
    ends = np.flatnonzero(np.diff(positions) != 1) + 1
    edges = [0, *ends.tolist(), len(positions)]
    return [(first, last) for first, last in pairwise(edges) if last > first]
