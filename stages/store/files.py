"""Writing a file so that it is there whole or not at all, through a crash or a power loss."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from frostline.stages.buckets.mirror import sent
from frostline.stages.errors import StoreError

TEMPORARY = ".tmp"
_NO_SYNC = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


def write_atomic(path: Path, data: bytes) -> None:
    """Write ``data`` under ``path``, replacing what was there, durably.

    An O_EXCL temporary name in the same folder, fsync, rename, fsync of the folder. The local copy of an object in a
    bucket is written after the object. Raises StoreError when the system can't (disk full, read-only, no permission).
    """
    with sent(path, data):
        _write_here(path, data)


def _write_here(path: Path, data: bytes) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}{TEMPORARY}")
    with explained(path):
        try:
            _write_new(temporary, data)
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        sync_folder(path.parent)


def make_folder(path: Path) -> None:
    """Make a folder and its parents, and every name on the way to it durable, whoever made it.

    What a killed process made it may not have lived to sync. Folders above that can't be
    opened were not made by us.
    """
    with explained(path):
        path.mkdir(parents=True, exist_ok=True)
        for folder in (path, *path.absolute().parents):
            with suppress(PermissionError):
                sync_folder(folder)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable, as far as its file system lets a folder be synced (some shares do not)."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
    finally:
        os.close(handle)


def write_all(handle: int, view: memoryview) -> None:
    """Write all bytes of a view; the system may take fewer than it is given."""
    while view:
        view = view[os.write(handle, view) :]


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn the system's error into a StoreError that says which file and what to do."""
    try:
        yield
    except IsADirectoryError as error:
        raise StoreError(f"can't write {path}: it is a folder; remove it and run again") from error
    except OSError as error:
        place = "another place (--data-dir, or --out of predictions)"
        advice = f"free space or choose {place}, then run again; what is committed is kept"
        raise StoreError(f"can't write {path}: {error.strerror}; {advice}") from error


def _write_new(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        write_all(handle, memoryview(data))
        os.fsync(handle)
    finally:
        os.close(handle)
