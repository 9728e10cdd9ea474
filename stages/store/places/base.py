"""The contract of a place: it keeps shards, each there whole or not at all, and says which are committed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from frostline.stages.store.locks import Lock


class Place(Protocol):
    """The shards of one feature set. A record present means committed; who reads goes by the records.

    What can't be asked or written raises StoreError, in words for the user.

    Attributes:
        publishes: whether ``features.h5`` lies beside the shards.
    """

    publishes: bool

    def check(self) -> None:
        """Raise StoreError if shards can't be committed here safely. Called before any is computed."""

    def sizes(self) -> Mapping[str, int]:
        """Return the sizes of files, by one listing: ``00017.h5`` and ``00017.json``, of those that are there."""

    def has_record(self, shard: int) -> bool:
        """Whether there is anything under the name of a shard's record."""

    def record(self, shard: int) -> dict[str, Any]:
        """Return what the record of a shard says. Raises OSError or ValueError if there is no sound one."""

    def size(self, shard: int, sha256: str, /) -> int:
        """Return the size of a shard's file. Raises OSError if it is not there."""

    def data(self, shard: int, size: int, sha256: str) -> bytes:
        """Return a shard's bytes. Raises OSError if they are not there, ValueError if they are not these."""

    def expect(self, shards: Sequence[int]) -> None:
        """Have shards at hand that will be read soon."""

    def reread(self) -> None:
        """See to it that what is read next comes from the place itself."""

    def claim(self, shard: int, *, wait: bool) -> AbstractContextManager[Lock]:
        """Hold a shard against other processes, as far as can be: it saves double work, and nothing depends on it."""

    def clear(self, shard: int) -> None:
        """Remove what a killed process left half written under a shard that is held."""

    def commit(self, shard: int, data: bytes, record: Mapping[str, Any]) -> None:
        """Make a shard's file durable, and then its record."""

    def drop(self, shard: int) -> None:
        """Forget a shard: its record first, so that no reader takes the rest for committed."""

    def in_use(self) -> bool:
        """Whether a process holds a shard right now. Raises StoreError if that can't be found out."""

    def finish(self) -> None:
        """Tidy up after the last shard."""

    def unnamed(self) -> list[Path]:
        """Return files of shards that no record names, as far as they are known to be useless."""

    def holds_any(self) -> bool:
        """Whether there is a file of a shard, committed or not."""

    def name(self, shard: int, ending: str) -> Path:
        """Return where a file of a shard lies, ``h5`` or ``json``, as a user names it."""


def checked(data: bytes, size: int, sha256: str) -> bytes:
    """Return a shard's bytes. Raises ValueError if they are not those recorded."""
    if (len(data), hashlib.sha256(data).hexdigest()) != (size, sha256):
        raise ValueError("its size or its SHA-256 is not the one recorded")
    return data
