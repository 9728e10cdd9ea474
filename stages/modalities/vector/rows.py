"""The vectors of a file, row by row, as float32: a block of them at a time in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from frostline.stages.errors import UnreadableSample
from frostline.stages.modalities.vector.stored import Stored

_BLOCK = 1 << 20  # bytes of numbers at once


def fault_of(row: NDArray[np.float32]) -> str | None:
    """Return why a vector can't be used, or None."""
    bad = np.flatnonzero(~np.isfinite(row))
    if not len(bad):
        return None
    what = "NaN" if np.isnan(row[bad[0]]) else "infinite in float32"
    more = f", and {len(bad) - 1:,} more" if len(bad) > 1 else ""
    return f"number {bad[0] + 1} of {len(row)} is {what}{more}"


class Rows:
    """Rows of one width, of one array after the other."""

    def __init__(self, parts: Sequence[Stored]) -> None:
        self._parts = parts
        self._ends = np.cumsum([part.shape[0] for part in parts])
        self.width = parts[0].shape[1]
        self._step = max(1, _BLOCK // (4 * self.width))
        self._held: tuple[int, NDArray[np.float32]] = (-1, np.empty((0, self.width), np.float32))

    def __len__(self) -> int:
        return int(self._ends[-1])

    def row(self, row: int) -> NDArray[np.float32]:
        """Return one vector, float32 (width,). Raises UnreadableSample for one with NaN or infinite numbers."""
        found = self._row(row)
        if fault := fault_of(found):
            raise UnreadableSample(fault)
        return found

    def encoded(self, row: int) -> bytes:
        """Return the bytes of one vector, as the modality decodes them."""
        return self._row(row).astype("<f4").tobytes()

    def contents(self, progress: Callable[[int, int], None] | None) -> tuple[NDArray[np.uint8], dict[int, str]]:
        """Return the SHA-256 of each row's type, width and bytes, uint8 (n, 32), and what is wrong with rows."""
        digests, faults = np.empty((len(self), 32), np.uint8), dict[int, str]()
        for start, block in self._blocks():
            digests[start : start + len(block)] = digests_of(block)
            for at in np.flatnonzero(~np.isfinite(block).all(axis=1)).tolist():
                faults[start + at] = str(fault_of(block[at]))
            if progress:
                progress(start + len(block), len(self))
        return digests, faults

    def _row(self, row: int) -> NDArray[np.float32]:
        first, block = self._held
        if not (0 <= row - first < len(block) and first >= 0):
            first = row - row % self._step
            block = self._block(first)
            self._held = (first, block)  # at once: other threads read it
        found: NDArray[np.float32] = block[row - first]
        return found

    def _blocks(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        for start in range(0, len(self), self._step):
            yield start, self._block(start)

    def _block(self, start: int) -> NDArray[np.float32]:
        stop, begin, found = min(start + self._step, len(self)), 0, []
        for part, end in zip(self._parts, self._ends.tolist(), strict=True):
            if start < end and begin < stop:
                found.append(_float32(part.read(max(start, begin) - begin, min(stop, end) - begin)))
            begin = end
        block: NDArray[np.float32] = np.concatenate(found) if len(found) > 1 else found[0]
        return block


def digests_of(block: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Return the SHA-256 of the type, width and bytes of each row (n, d) as float32, uint8 (n, 32)."""
    width, digests = block.shape[1], np.empty((len(block), 32), np.uint8)
    head, size = hashlib.sha256(b"float32 %d " % width), 4 * width
    with np.errstate(over="ignore"):
        data = memoryview(block.astype("<f4", order="C", copy=False).tobytes())
    for at in range(len(block)):
        one = head.copy()
        one.update(data[at * size : (at + 1) * size])
        digests[at] = np.frombuffer(one.digest(), np.uint8)
    return digests


def _float32(block: NDArray[np.generic]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        return block.astype(np.float32, order="C")
