"""Locks that save double work, where the file system grants any."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto
from functools import cache
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from frostline.stages.errors import StoreError
from frostline.stages.store.files import explained

log = logging.getLogger("frostline")
_ENOTSUPP = 524  # the kernel's own number; network file systems let it out
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, _ENOTSUPP}
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}


class Lock(Enum):
    """Ours; another process's; or none, because the file system has none to give."""

    HELD = auto()
    TAKEN = auto()
    NONE = auto()


@contextmanager
def locked(path: Path, *, wait: bool) -> Iterator[Lock]:
    """Hold a lock file against other processes; it is the kernel's, and dies with its process.

    Where the file system has no locks (NFS without its lock daemon, Lustre mounted so), that is said once. Raises
    StoreError where the file can't be made.
    """
    lock = FileLock(path)
    try:
        yield _acquired(lock, path, wait=wait)
    finally:
        lock.release()


def is_taken(path: Path) -> bool:
    """Whether another process holds a lock file.

    Never where the file system has no locks, or can't be written: nobody can tell, or nobody can. Raises StoreError
    where the file can't be opened for another reason.
    """
    try:
        with locked(path, wait=False) as lock:
            return lock is Lock.TAKEN
    except StoreError as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno in _READ_ONLY:
            return False
        raise


def _acquired(lock: BaseFileLock, path: Path, *, wait: bool) -> Lock:
    with explained(path):
        try:
            lock.acquire(timeout=-1 if wait else 0)
        except Timeout:
            return Lock.TAKEN
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            _say(error.strerror)
            return Lock.NONE
    return Lock.HELD


@cache
def _say(reason: str) -> None:
    log.warning("no locks on this file system (%s); going on without: other processes may do the same work", reason)
