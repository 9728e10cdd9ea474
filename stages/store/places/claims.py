"""Claims in a bucket: an object that its holder changes again and again. They save double work, nothing more.

Who finds one waits until it is gone, or until it has not changed for a while: then its holder counts as dead. Only
this machine's own clock is looked at, and for how long, not for the time.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from frostline.stages.buckets.address import Address
from frostline.stages.buckets.client import create, delete, get, listed, put, replace
from frostline.stages.buckets.failures import NoObject
from frostline.stages.errors import DataError
from frostline.stages.store.locks import Lock

log = logging.getLogger("frostline")
RENEW_SECONDS = 10.0
DEAD_SECONDS = 40.0
_POLL_SECONDS = 1.0
_MOST_BYTES = 1 << 10


class Claims:
    """The claims below a folder of a bucket, as this process sees them."""

    def __init__(self, folder: Address) -> None:
        self._folder = folder
        self._seen: dict[int, tuple[bytes, float]] = {}

    @contextmanager
    def held(self, shard: int, *, wait: bool) -> Iterator[Lock]:
        """Hold a shard, renewed until it is let go of. Where a server refuses, it is done without."""
        address, token = self._of(shard), secrets.token_hex(8)
        lock = self._acquired(shard, address, token, wait)
        over = threading.Event()
        if lock is Lock.HELD:
            threading.Thread(target=_renew, args=(address, token, over), daemon=True).start()
        try:
            yield lock
        finally:
            over.set()
            if lock is Lock.HELD:
                _let_go(address)

    def in_use(self) -> bool:
        """Whether a claim is changing: it takes a moment to see that."""
        before = dict(listed(self._folder))
        if before:
            time.sleep(2 * RENEW_SECONDS)
        return bool(before) and any(before.get(key) != facts for key, facts in listed(self._folder))

    def clear(self) -> None:
        """Remove all claims, once every shard is committed: who still holds one has nothing to do any more."""
        for key, _ in listed(self._folder):
            _let_go(self._folder._replace(key=key))

    def _acquired(self, shard: int, address: Address, token: str, wait: bool) -> Lock:
        try:
            while not self._is_ours(shard, address, token.encode()):
                if not wait:
                    return Lock.TAKEN
                time.sleep(_POLL_SECONDS)
        except DataError as error:
            log.debug("no claim: %s", error)
            return Lock.NONE
        return Lock.HELD

    def _is_ours(self, shard: int, address: Address, token: bytes) -> bool:
        if create(address, token) is not None:
            return True
        try:
            found = get(address, _MOST_BYTES)[0]
        except (NoObject, ValueError):
            return False
        if found == token:  # the answer was lost, or the request repeated
            return True
        now = time.monotonic()
        before, since = self._seen.get(shard, (b"", now))
        self._seen[shard] = (found, since if before == found else now)
        if before != found or now - since < DEAD_SECONDS:
            return False
        return replace(address, found, token)  # of several that take it over, one

    def _of(self, shard: int) -> Address:
        return self._folder._replace(key=f"{self._folder.key}/{shard:05d}")


def _renew(address: Address, token: str, over: threading.Event) -> None:
    count = 0
    while not over.wait(RENEW_SECONDS):
        count += 1
        with suppress(DataError):
            put(address, f"{token} {count}".encode())
        if over.is_set():  # let go of meanwhile
            _let_go(address)


def _let_go(address: Address) -> None:
    with suppress(DataError):
        delete(address)
