"""Reading what lies in a workspace and may be a stranger's: regular files alone, so that nothing hangs or runs over."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from frostline.stages.buckets.mirror import fetched
from frostline.stages.records.sealed import unsealed

RECORD_BYTES = 1 << 26  # of one description, record or memory
_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


def read_file(path: Path, max_bytes: int | None = None) -> bytes:
    """Return the bytes of a regular file; links to one are not followed, on the last step of the path.

    Of the local copy of a large object in a bucket, that is fetched first. Raises OSError if it can't be read,
    ValueError if it is anything else or holds more than ``max_bytes`` bytes, StoreError if it can't be fetched.
    """
    fetched(path)
    _check(path, path.lstat(), max_bytes)
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        _check(path, os.fstat(file.fileno()), max_bytes)  # it may have been replaced in between
        try:
            return file.read()
        except MemoryError as error:
            raise ValueError(f"{path.name} needs more memory than is available") from error


def read_sealed(path: Path) -> dict[str, Any]:
    """Return what a sealed file says. Raises OSError or ValueError if it can't be read or isn't sound."""
    return unsealed(read_file(path, RECORD_BYTES))


def _check(path: Path, found: os.stat_result, max_bytes: int | None) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "something else")
        raise ValueError(f"{path.name} is {kind}; expected a regular file")
    if max_bytes is not None and found.st_size > max_bytes:
        raise ValueError(f"{path.name} holds {found.st_size:,} bytes; expected at most {max_bytes:,}")
