"""Whether a server keeps the promise that commits in a bucket stand on: an object is created once."""

from __future__ import annotations

import os
import secrets
import threading
from contextlib import suppress

from frostline.stages.buckets.address import Address
from frostline.stages.buckets.client import create, delete, get
from frostline.stages.buckets.mirror import told_as_store
from frostline.stages.errors import DataError, StoreError

_FIRST, _SECOND = b"first", b"second"
_TRIED: set[str] = set()
_LOCK = threading.Lock()
os.register_at_fork(after_in_child=_TRIED.clear)


def check_creates(folder: Address) -> None:
    """Create an object below a folder twice; the second must fail. Once in a process for each bucket.

    Raises StoreError if it does not, or if the server does not know how to.
    """
    with _LOCK:
        if folder.top not in _TRIED:
            _try(folder._replace(key=f"{folder.key}/probe-{secrets.token_hex(8)}".lstrip("/")))
            _TRIED.add(folder.top)


def _try(scratch: Address) -> None:
    try:
        with told_as_store():
            create(scratch, _FIRST)
            again = create(scratch, _SECOND)
            left = get(scratch)[0]
    finally:
        with suppress(DataError, StoreError):
            delete(scratch)
    if again is not None or left != _FIRST:
        raise StoreError(
            f"the server of {scratch.top} stores an object where there is one already, though it was asked not to "
            "(If-None-Match: *); two machines could replace each other's work. Use another server, or a folder"
        )
