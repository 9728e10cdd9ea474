"""Shards in a bucket: ``shards/00017-<sha12>.h5``, then ``shards/00017.json``, created only where there is none.

The first writer wins: a record that is there stays. An object's name says its content, so that whoever writes it again
writes the same. Nobody removes an object while others may write: what lost a race stays until ``frostline gc``.
"""

from __future__ import annotations

import re
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from frostline.stages.buckets.address import Address
from frostline.stages.buckets.cache import copy_of, drop_copy, is_fresh, keep, named, write_copy
from frostline.stages.buckets.client import Facts, create, delete, get, head, inside, put, replace
from frostline.stages.buckets.failures import NoObject
from frostline.stages.buckets.mirror import together, told_as_store
from frostline.stages.errors import StoreError
from frostline.stages.records.safe_read import RECORD_BYTES, read_file
from frostline.stages.records.sealed import sealed, unsealed
from frostline.stages.store.locks import Lock
from frostline.stages.store.places.base import checked
from frostline.stages.store.places.claims import Claims
from frostline.stages.store.places.probe import check_creates

_DATA = re.compile(r"(\d{5,})-([0-9a-f]{12})\.h5")
_TRIES = 10
_OURS = ("key", "start", "rows")


class BucketPlace:
    """See ``Place``. What is read is kept on this machine under its digest, and read from there again."""

    publishes = False

    def __init__(self, address: Address) -> None:
        self._address = address
        self._shards = address._replace(key=f"{address.key}/shards")
        self._claims = Claims(address._replace(key=f"{address.key}/claims"))
        self._known: dict[str, Facts] | None = None
        self._asked: set[int] = set()  # shards that are asked for, whatever the listing says

    def check(self) -> None:
        """Raise StoreError if the server does not create an object only where there is none."""
        check_creates(self._address._replace(key=self._address.key.rpartition("/")[0]))

    def sizes(self) -> Mapping[str, int]:
        """By one listing; of several objects of a shard, that counts which its record names."""
        known, found = self._list(), dict[str, int]()
        for shard, names in self._data_names().items():
            with suppress(OSError, ValueError, KeyError, TypeError):
                one = names[0] if len(names) == 1 else self._named(shard, self.record(shard)["sha256"])
                found[f"{shard:05d}.h5"] = known[one].size
        return found | {name: facts.size for name, facts in known.items() if name.endswith(".json")}

    def has_record(self, shard: int) -> bool:
        """By the last listing."""
        return f"{shard:05d}.json" in self._listing

    def record(self, shard: int) -> dict[str, Any]:
        """From the local copy if that is of the object that was listed last; else from the bucket."""
        address, facts = self._record_at(shard), self._listing.get(f"{shard:05d}.json")
        if facts and shard not in self._asked and is_fresh(address, facts):
            return unsealed(read_file(copy_of(address), RECORD_BYTES))
        return unsealed(self._get_record(shard))

    def size(self, shard: int, sha256: str, /) -> int:
        """By the last listing, or by asking."""
        name = self._named(shard, sha256)
        if shard not in self._asked and name in self._listing:
            return self._listing[name].size
        with _as_files(self._at(name)):
            return head(self._at(name)).size

    def data(self, shard: int, size: int, sha256: str) -> bytes:
        """From the local copy if that is of this digest; else from the bucket."""
        address = self._at(self._named(shard, sha256))
        with suppress(OSError, ValueError):
            return checked(read_file(copy_of(address), size), size, sha256)
        with _as_files(address):
            data = checked(get(address, size)[0], size, sha256)
        with suppress(StoreError):  # the local disk is full: it is fetched again next time
            write_copy(copy_of(address), data)
        return data

    def expect(self, shards: Sequence[int]) -> None:
        """Fetch the records and objects that are not here, side by side. What can't be fetched is told when read."""
        together(partial(self._expect, shard) for shard in shards)

    def reread(self) -> None:
        """Remove the local copies."""
        self._known = None
        shutil.rmtree(copy_of(self._shards), ignore_errors=True)

    @contextmanager
    def claim(self, shard: int, *, wait: bool) -> Iterator[Lock]:
        """By an object that is renewed."""
        self.check()
        with self._claims.held(shard, wait=wait) as lock:
            self._asked.add(shard)
            yield lock

    def clear(self, shard: int) -> None:
        """Nothing is ever half written in a bucket."""

    def commit(self, shard: int, data: bytes, record: Mapping[str, Any]) -> None:
        """Put the object, then create the record; of another writer's sound record, that one counts."""
        self.check()
        address, text = self._at(self._named(shard, record["sha256"])), sealed(record)
        self._asked.add(shard)
        with told_as_store():
            put(address, data)
            self._commit_record(shard, record, text)
        with suppress(StoreError):
            write_copy(copy_of(address), data)

    def drop(self, shard: int) -> None:
        """Remove the record. The object stays: another writer may just have written it again, whole."""
        self._asked.add(shard)
        with told_as_store():
            delete(self._record_at(shard))
        drop_copy(self._record_at(shard))

    def in_use(self) -> bool:
        """Whether a claim is being renewed."""
        with told_as_store():
            return self._claims.in_use()

    def finish(self) -> None:
        """Remove all claims: there is nothing left to do."""
        with told_as_store():
            self._claims.clear()

    def unnamed(self) -> list[Path]:
        """Objects that lost a race, of shards whose records name others."""
        self._list()
        return [named(copy_of(self._at(name))) for shard in self._data_names() for name in self._lost(shard)]

    def holds_any(self) -> bool:
        """By a listing."""
        self._list()
        return bool(self._data_names())

    def name(self, shard: int, ending: str) -> Path:
        """The address."""
        name = f"{shard:05d}.{ending}"
        if ending == "h5":
            with suppress(OSError, ValueError, KeyError, TypeError, StoreError):
                name = self._named(shard, self.record(shard)["sha256"])
        return named(copy_of(self._at(name)))

    @property
    def _listing(self) -> dict[str, Facts]:
        return self._list() if self._known is None else self._known

    def _list(self) -> dict[str, Facts]:
        with told_as_store():
            found = inside(self._shards)[1]
        self._asked.clear()
        self._known = {key.rpartition("/")[2]: facts for key, facts in found.items()}
        return self._known

    def _data_names(self) -> dict[int, list[str]]:
        found: defaultdict[int, list[str]] = defaultdict(list)
        for name in self._listing:
            if said := _DATA.fullmatch(name):
                found[int(said[1])].append(name)
        return found

    def _lost(self, shard: int) -> list[str]:
        try:
            kept = self._named(shard, self.record(shard)["sha256"])
        except (OSError, ValueError, KeyError, TypeError):
            return []
        return [name for name in self._data_names()[shard] if name != kept]

    def _expect(self, shard: int) -> None:
        with suppress(OSError, ValueError, KeyError, TypeError):
            record = self.record(shard)
            copy = copy_of(self._at(self._named(shard, record["sha256"])))
            if not copy.exists():
                self.data(shard, record["size"], record["sha256"])

    def _get_record(self, shard: int) -> bytes:
        """Return the bytes of the record that is in the bucket now. Raises FileNotFoundError, ValueError."""
        address = self._record_at(shard)
        with _as_files(address):
            data, facts = get(address, RECORD_BYTES)
        with suppress(StoreError):
            keep(address, data, facts)
        return data

    def _commit_record(self, shard: int, record: Mapping[str, Any], text: bytes) -> None:
        for _ in range(_TRIES):
            if create(self._record_at(shard), text) is not None:
                return
            try:
                there = self._get_record(shard)
            except FileNotFoundError:  # dropped meanwhile
                continue
            if there == text or self._is_sound(shard, there, record) or replace(self._record_at(shard), there, text):
                return
        shown = self._record_at(shard).shown
        raise StoreError(f"{shown} keeps appearing and disappearing; another command may be repairing it: run again")

    def _is_sound(self, shard: int, there: bytes, ours: Mapping[str, Any]) -> bool:
        """Whether another's record is of this shard and names an object that is there."""
        try:
            found = unsealed(there)
            if any(found[name] != ours[name] for name in _OURS):
                return False
            return bool(head(self._at(self._named(shard, found["sha256"]))).size == found["size"])
        except (NoObject, ValueError, KeyError, TypeError):
            return False

    def _named(self, shard: int, sha256: str) -> str:
        """Return the name of a shard's object. Raises ValueError for what is no digest."""
        name = f"{shard:05d}-{str(sha256)[:12]}.h5"
        if not _DATA.fullmatch(name):
            raise ValueError("a record without a SHA-256")
        return name

    def _record_at(self, shard: int) -> Address:
        return self._at(f"{shard:05d}.json")

    def _at(self, name: str) -> Address:
        return self._shards._replace(key=f"{self._shards.key}/{name}")


@contextmanager
def _as_files(address: Address) -> Iterator[None]:
    """Raise FileNotFoundError for an object that is not there, StoreError for what else goes wrong."""
    try:
        with told_as_store():
            yield
    except NoObject as error:
        raise FileNotFoundError(f"no object {address.shown}") from error
