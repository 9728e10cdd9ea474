"""One of several tasks reads a dataset that nobody has read before; the others take what it remembers."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from frostline.pipeline.workspace import reopened
from frostline.stages.buckets.address import Address
from frostline.stages.buckets.cache import address_at, named
from frostline.stages.buckets.mirror import is_there
from frostline.stages.store import make_folder
from frostline.stages.store.locks import Lock, is_taken, locked
from frostline.stages.store.places.claims import Claims

log = logging.getLogger("frostline")
_LOOK = 0.2  # seconds
_LOOK_AT_BUCKET = 2.0
_WAITING = "another task reads the dataset; waiting for its index"


@contextmanager
def one_reader(index: Path) -> Iterator[None]:
    """Hold the lock of an index that is not there yet, or wait until who holds it has written it, or ended.

    Where nothing is remembered of a dataset, or the file system has no locks, each reads it for itself. In a bucket,
    a claim is held instead.
    """
    address = address_at(index)
    if is_there(index):
        yield
    elif address is not None:
        with _claimed(index, address):
            yield
    else:
        with _locked(index):
            yield


@contextmanager
def _locked(index: Path) -> Iterator[None]:
    make_folder(index.parent)
    path = index.with_name(f"{index.name}.lock")
    with locked(path, wait=False) as lock:
        if lock is not Lock.TAKEN:
            yield
            path.unlink(missing_ok=True)
            return
    log.info(_WAITING)
    while not index.exists() and is_taken(path):
        time.sleep(_LOOK)
    if index.exists():
        path.unlink(missing_ok=True)  # a look at a lock that had just been removed makes its file again
    yield


@contextmanager
def _claimed(index: Path, address: Address) -> Iterator[None]:
    """Hold the claim, as above; what others wrote meanwhile is seen by looking at the bucket again."""
    workspace = named(index.parents[1])
    claims = Claims(address._replace(key=f"{address.key.rpartition('/index/')[0]}/claims".lstrip("/")))
    number = int(index.stem, 16)
    with claims.held(number, wait=False) as lock:
        if lock is not Lock.TAKEN:
            reopened(workspace)  # it may have been written just before
            yield
            return
    log.info(_WAITING)
    while not is_there(index) and _is_claimed(claims, number):
        time.sleep(_LOOK_AT_BUCKET)
        reopened(workspace)
    yield


def _is_claimed(claims: Claims, number: int) -> bool:
    with claims.held(number, wait=False) as lock:
        return lock is Lock.TAKEN
