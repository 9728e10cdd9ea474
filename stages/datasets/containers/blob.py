"""Something with bytes that are read by position: a file, or an object in a bucket."""

from __future__ import annotations

import os
import stat
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Protocol

from frostline.stages.errors import DataError

_MOST_OPEN = 64


class Blob(Protocol):
    """Bytes under a name. It can be pickled, and be read by several threads and processes at once.

    Attributes:
        name: what it is called where it lies, in messages and in the memory of its index.
        size: bytes.
        stamp: the facts by which it is known to be unchanged: size and times, or an ETag.
        changed_ns: when it last changed, in ns since 1970; 0 where a stamp of the same value means the same bytes.
    """

    @property
    def name(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def stamp(self) -> str: ...
    @property
    def changed_ns(self) -> int: ...

    def read(self, offset: int, length: int, /) -> bytes:
        """Return so many bytes from a position on. Raises DataError: it can't be read, ends before, or has changed."""

    def expect(self, offset: int, /) -> None:
        """Be told that it will be read from a position on, soon."""


class LocalBlob:
    """A file. It is opened when it is first read, in each process again, and of all of them only some stay open."""

    def __init__(self, path: Path) -> None:
        try:
            info = path.stat()
        except OSError as error:
            raise DataError(f"can't read {path}: {error.strerror}") from error
        if not stat.S_ISREG(info.st_mode):
            raise DataError(f"{path} is not a regular file")
        self.path = path
        self.name = str(path)
        self.size = info.st_size
        self.stamp = _stamp(info)
        self.changed_ns = max(info.st_mtime_ns, info.st_ctime_ns)

    def read(self, offset: int, length: int, /) -> bytes:
        """See ``Blob``."""
        if offset < 0 or length < 0 or offset + length > self.size:
            raise DataError(
                f"{self.name} ends after {self.size:,} bytes; expected {length:,} from {offset:,} on: it is truncated"
            )
        try:
            handle = _HANDLES.of(self)
            data = os.pread(handle.number, length, offset)
            while 0 < len(data) < length and (more := os.pread(handle.number, length - len(data), offset + len(data))):
                data += more
        except OSError as error:
            raise DataError(
                f"{self.name} can no longer be read ({error.strerror}); restore it and run again"
            ) from error
        if len(data) < length:
            raise DataError(f"{self.name} became shorter while it was being read; run again when it no longer changes")
        return data

    def expect(self, offset: int, /) -> None:
        """Do nothing: the system reads ahead."""


class _Handle:
    """An open file, closed when nobody holds it any more. Raises DataError if the file is not the expected one."""

    def __init__(self, blob: LocalBlob) -> None:
        self.number = os.open(blob.path, os.O_RDONLY | os.O_CLOEXEC)
        if _stamp(os.fstat(self.number)) != blob.stamp:
            raise DataError(f"{blob.name} changed while it was being read; run again when it no longer changes")

    def __del__(self) -> None:
        if hasattr(self, "number"):
            os.close(self.number)


class _Handles:
    """The files that this process has open, those used last. A reader keeps its own while others are opened."""

    def __init__(self) -> None:
        self._forget()
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._open: OrderedDict[tuple[str, str], _Handle] = OrderedDict()

    def of(self, blob: LocalBlob) -> _Handle:
        key = blob.name, blob.stamp
        with self._lock:
            handle = self._open.get(key) or _Handle(blob)
            self._open[key] = handle
            self._open.move_to_end(key)
            if len(self._open) > _MOST_OPEN:
                self._open.popitem(last=False)
        return handle


def _stamp(info: os.stat_result) -> str:
    return f"{info.st_size} {info.st_mtime_ns} {info.st_ctime_ns}"


_HANDLES = _Handles()
