"""A blob as a file that is read from its beginning to its end, a piece ahead."""

from __future__ import annotations

import io

from frostline.stages.datasets.containers.blob import Blob
from frostline.stages.errors import DataError

AHEAD = 1 << 18
_LONGEST = 16 << 20  # bytes that a header of a tar file may have


class Window(io.RawIOBase):
    """What ``tarfile`` and ``zipfile`` need of a file, and content by its place. One piece of the blob is held.

    ``ahead``: bytes of a piece. ``longest``: bytes that are read as a file at once, at most.
    """

    def __init__(self, blob: Blob, ahead: int = AHEAD, longest: int = _LONGEST) -> None:
        super().__init__()
        self._longest = longest
        self._blob = blob
        self._ahead = ahead
        self._at = 0
        self._first = 0
        self._held = b""

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._blob.size}[whence]
        if start + offset < 0:
            raise OSError("a position before its beginning")
        self._at = start + offset
        return self._at

    def read(self, length: int = -1, /) -> bytes:
        """Return the next bytes, fewer at the end. Raises DataError for more than a header can have."""
        length = min(length if length >= 0 else self._blob.size, max(0, self._blob.size - self._at))
        if length > self._longest:
            raise DataError(f"{self._blob.name} is damaged: a header of {length:,} bytes")
        data = self.content(self._at, length)
        self._at += length
        return data

    def content(self, offset: int, length: int) -> bytes:
        """Return bytes by their place; the next read resumes where it was. Raises DataError: see ``Blob.read``."""
        if not self._first <= offset <= offset + length <= self._first + len(self._held):
            if length >= self._ahead:
                return self._blob.read(offset, length)
            self._held = self._blob.read(offset, max(length, min(self._ahead, self._blob.size - offset)))
            self._first = offset
        return self._held[offset - self._first : offset - self._first + length]
