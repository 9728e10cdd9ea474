"""One of several tasks reads a dataset that nobody has read before; the others take what it remembers."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from frostline.stages.store import make_folder
from frostline.stages.store.locks import Lock, is_taken, locked

log = logging.getLogger("frostline")
_LOOK = 0.2  # seconds


@contextmanager
def one_reader(index: Path) -> Iterator[None]:
    """Hold the lock of an index that is not there yet, or wait until who holds it has written it, or ended.

    Where nothing is remembered of a dataset, or the file system has no locks, each reads it for itself.
    """
    if index.exists():
        yield
        return
    make_folder(index.parent)
    path = index.with_name(f"{index.name}.lock")
    with locked(path, wait=False) as lock:
        if lock is not Lock.TAKEN:
            yield
            path.unlink(missing_ok=True)
            return
    log.info("another task reads the dataset; waiting for its index")
    while not index.exists() and is_taken(path):
        time.sleep(_LOOK)
    yield
