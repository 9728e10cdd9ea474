"""Commits in a bucket with a fault each, for the campaign to notice."""

from __future__ import annotations

from typing import Any

from frostline.stages.buckets.address import Address
from frostline.stages.buckets.client import create, delete, put
from frostline.stages.errors import StoreError
from frostline.stages.records.sealed import sealed
from frostline.stages.store.places.bucket import BucketPlace


def record_first(place: BucketPlace, shard: int, data: bytes, record: Any) -> None:
    """A commit in the wrong order."""
    create(place._record_at(shard), sealed(record))
    put(place._at(place._named(shard, record["sha256"])), data)


def loser_deletes(place: BucketPlace, shard: int, data: bytes, record: Any) -> None:
    """A commit that removes its object where it comes second."""
    name = place._at(place._named(shard, record["sha256"]))
    put(name, data)
    if create(place._record_at(shard), sealed(record)) is None:
        delete(name)


def loser_deletes_its_own(place: BucketPlace, shard: int, data: bytes, record: Any) -> None:
    """A commit that removes its object where another's record stays, and that names another."""
    name, text = place._at(place._named(shard, record["sha256"])), sealed(record)
    put(name, data)
    place._commit_record(shard, record, text)
    if place._get_record(shard) != text:
        delete(name)


def last_wins(place: BucketPlace, shard: int, data: bytes, record: Any) -> None:
    """A commit that writes over the record of another."""
    put(place._at(place._named(shard, record["sha256"])), data)
    put(place._record_at(shard), sealed(record))


def unnamed_objects(place: BucketPlace, shard: int, data: bytes, record: Any) -> None:
    """A commit of objects whose names don't say what they hold."""
    put(place._at(f"{shard:05d}-{'0' * 12}.h5"), data)
    create(place._record_at(shard), sealed(record))


def no_reading_back(place: BucketPlace, shard: int, record: Any, text: bytes) -> None:
    """A record that is there is taken for another's, which does not happen."""
    if create(place._record_at(shard), text) is None:
        raise StoreError("another one has it")


def put_over(address: Address, seen: bytes, data: bytes) -> bool:
    """A record is mended, whatever it is by now."""
    put(address, data)
    return True
