"""The small files of a workspace in a bucket, as local files: fetched when it is opened, sent as they are written.

A file is sent before it is written here, so that what is here is in the bucket. What other machines write is seen by
the next command. Large files are fetched when they are read.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePath

from frostline.stages.buckets import cache
from frostline.stages.buckets.address import Address, address_of, is_address
from frostline.stages.buckets.client import Facts, delete, get, inside, listed, put
from frostline.stages.buckets.failures import NoObject
from frostline.stages.buckets.pool import POOL
from frostline.stages.errors import DataError, StoreError

_NOT_FETCHED = {"shards", "claims", "downloads", "locks"}
_FEATURES = "features"
_OF_WORKSPACE = {_FEATURES, "backbones", "bench", "heads", "health", "index", "runs", "targets", "vocabularies"}
_DESCRIBED_BY = {"head.json", "key.json", "run.json"}  # of what is in a folder that is opened alone
_SMALL = 4 << 20


class _Opened:
    """What this process has fetched, and the files that it left for later."""

    def __init__(self) -> None:
        self._forget()
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self.lock = threading.RLock()
        self.places: set[Path] = set()
        self.left: dict[Path, tuple[Address, Facts]] = {}


_OPENED = _Opened()


def opened(place: str | PurePath, *, again: bool = False) -> Path:
    """Return a workspace, or a folder in it, as a local path; of an address, what has changed is fetched.

    Once in a process, unless ``again``: then all of it is fetched. Raises StoreError, ConfigError.
    """
    path = cache.local(place)
    if is_address(place):
        with _OPENED.lock:
            if again or not any(path.is_relative_to(one) for one in _OPENED.places):
                _fetch(address_of(str(place).rstrip("/")), again)
                _OPENED.places.add(path)
    return path


def look_again() -> None:
    """Forget what was opened: who opens it next sees what others wrote meanwhile."""
    with _OPENED.lock:
        _OPENED.places.clear()


def is_there(path: Path) -> bool:
    """Whether there is a file, here or where it is fetched from when it is read."""
    return path in _OPENED.left or path.exists()


def fetched(path: Path) -> None:
    """Fetch a file that was too large to be fetched unasked, if this is one. Raises StoreError."""
    if path in _OPENED.left:
        with _OPENED.lock:
            address, facts = _OPENED.left.get(path, (None, None))
            if address is not None and facts is not None:
                _copy(address)
                _OPENED.left.pop(path)


@contextmanager
def sent(path: Path, data: bytes) -> Iterator[None]:
    """Send a file to its bucket, if it is a copy of one there; its caller writes it here. Raises StoreError."""
    address = cache.address_at(path)
    if address is None:
        yield
        return
    with told_as_store():
        stamp = put(address, data)
    _OPENED.left.pop(path, None)
    yield
    cache.stamp(address, Facts(len(data), stamp))


def stored_bytes(path: Path) -> int:
    """Return the size of what lies in a folder, or in the bucket that it has copies of. Raises StoreError."""
    address = cache.address_at(path)
    if address is None:
        return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
    with told_as_store():
        return sum(facts.size for _, facts in listed(address))


def remove_objects(path: Path) -> None:
    """Remove what a local file or folder is a copy of from its bucket, ``key.json`` first: half a set is no set."""
    address = cache.address_at(path)
    if address is None or not address.key:
        return
    with told_as_store():
        keys = [key for key, _ in listed(address)] or [address.key]
        for key in sorted(keys, key=lambda key: not key.endswith("/key.json")):
            delete(address._replace(key=key))
            if cache.is_plain(key):
                cache.drop_copy(address._replace(key=key))


@contextmanager
def told_as_store() -> Iterator[None]:
    """Raise what goes wrong with a bucket as StoreError."""
    try:
        yield
    except NoObject:
        raise
    except DataError as error:
        raise StoreError(str(error)) from error


def together(work: Iterable[partial[None]]) -> None:
    """Do requests side by side. Raises what the first one raised that failed."""
    futures = [POOL.submit(one) for one in work]
    try:
        for future in futures:
            POOL.result(future)
    finally:
        for future in futures:
            future.cancel()


def _fetch(address: Address, again: bool) -> None:
    """Make the local copies those of the objects below a folder, but for shards."""
    with told_as_store():
        before, there = _copies(address), _listed(address)
        for gone in before - set(there):
            cache.drop_copy(gone)
        old = [one for one, facts in there.items() if again or not cache.is_fresh(one, facts)]
        large = {one for one in old if there[one].size > _SMALL and not again}
        together(partial(_copy, one) for one in old if one not in large)
        _OPENED.left |= {cache.copy_of(one): (one, there[one]) for one in large}


def _copies(address: Address) -> set[Address]:
    """Return what was copied before, shards left out. What another process copies from now on is none of it."""
    depth = len(address.key.split("/")) if address.key else 0
    return {one for one in cache.stamped(address) if not _NOT_FETCHED & {*one.key.split("/")[depth:-1]}}


def _copy(address: Address) -> None:
    with told_as_store():
        try:
            data, facts = get(address)
        except NoObject:  # removed meanwhile
            cache.drop_copy(address)
            return
    cache.keep(address, data, facts)


def _listed(address: Address) -> dict[Address, Facts]:
    """Return the objects of a workspace, or of a folder in it: a request for each folder in it, and each feature set.

    Whatever else lies in a bucket is left alone: a workspace has folders of known names, and no files right in it.
    """
    folders, right_in = inside(address)
    if _name(address.key) == _FEATURES:
        found = right_in | _all(partial(_right_in, address._replace(key=key)) for key in folders)
    elif _DESCRIBED_BY & {_name(key) for key in right_in}:
        found = right_in | _of_folders(address, folders, {_name(key) for key in folders} - _NOT_FETCHED)
    else:
        found = _of_folders(address, folders, _OF_WORKSPACE)
    return {address._replace(key=key): facts for key, facts in found.items() if cache.is_plain(key)}


def _of_folders(address: Address, folders: Iterable[str], wanted: set[str]) -> dict[str, Facts]:
    """Return the objects below those of the folders that have wanted names; of feature sets, those right in them."""
    some = [address._replace(key=key) for key in folders if _name(key) in wanted]
    sets = [one for one in some if _name(one.key) == _FEATURES]
    found = _all(partial(_all_in, one) for one in some if one not in sets)
    for one in sets:
        of_sets, right_in = inside(one)
        found |= right_in | _all(partial(_right_in, address._replace(key=key)) for key in of_sets)
    return found


def _name(key: str) -> str:
    return key.rstrip("/").rpartition("/")[2]


def _right_in(address: Address) -> dict[str, Facts]:
    return inside(address)[1]


def _all_in(address: Address) -> dict[str, Facts]:
    return dict(listed(address))


def _all(work: Iterable[partial[dict[str, Facts]]]) -> dict[str, Facts]:
    found: dict[str, Facts] = {}
    futures: list[Future[dict[str, Facts]]] = [POOL.submit(one) for one in work]
    for future in futures:
        own: dict[str, Facts] = POOL.result(future)
        found |= own
    return found
