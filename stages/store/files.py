"""Writing a file so that it is there whole or not at all, through a crash or a power loss."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stages.errors import StoreError

TEMPORARY = ".tmp"


def write_atomic(path: Path, data: bytes) -> None:
    """Write ``data`` under ``path``, replacing what was there, durably.

    An O_EXCL temporary name in the same folder, fsync, rename, fsync of the folder.
    Raises StoreError when the system can't (disk full, read-only, no permission).
    """
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
    """Make a folder and its parents, each durable in its own parent."""
    if path.is_dir():
        return
    make_folder(path.parent)
    with explained(path):
        path.mkdir(exist_ok=True)
        sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn the system's error into a StoreError that says which file and what to do."""
    try:
        yield
    except OSError as error:
        advice = "free space or choose another place with --data-dir, then run again; what is committed is kept"
        raise StoreError(f"can't write {path}: {error.strerror}; {advice}") from error


def _write_new(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(handle, view) :]
        os.fsync(handle)
    finally:
        os.close(handle)
