"""A feature set: one split's rows through one backbone, as shards in a folder, or in a bucket: see ``places``.

key.json            the key's fields, names and sizes; written first
made.json           when, where and with which versions it was begun
targets.h5          the targets that it was made with, for other tools; see ``targets``
speed.json          how its rows are computed, and how many a second when that was last done
shards/00000.h5     rows 0 to shard_rows - 1
shards/00000.json   its record, written after it: a record present means committed
features.h5         all shards and the targets as one virtual file, for other tools; written last

Sets of format 1, which had labels in their keys and shards, are read as they are; see ``format_1``.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from frostline.stages.buckets.cache import local, named
from frostline.stages.buckets.mirror import opened, remove_objects
from frostline.stages.errors import DamagedShard, StoreError
from frostline.stages.records.safe_read import read_file, read_sealed
from frostline.stages.records.sealed import sealed
from frostline.stages.store.files import write_atomic
from frostline.stages.store.key import FORMAT
from frostline.stages.store.layout import Layout, layout_from
from frostline.stages.store.locks import Lock
from frostline.stages.store.places.base import Place
from frostline.stages.store.places.opened import place_at
from frostline.stages.store.provenance import PROVENANCE, Provenance, provenance_from
from frostline.stages.store.shard import Shard, from_bytes, to_bytes
from frostline.stages.store.targets import array_name, read_targets
from frostline.stages.store.virtual import VirtualArray, spread_over, virtual_file
from frostline.stages.targets.values import ALL, Targets

TARGETS = "targets.h5"


@dataclass(frozen=True)
class Bad:
    """A quarantined sample: its row in the split, its id, and why."""

    row: int
    id: str
    reason: str


@dataclass(frozen=True)
class Record:
    """What makes a shard committed: whose it is, and its file's size and SHA-256."""

    key: str
    start: int
    rows: int
    size: int
    sha256: str
    quarantined: tuple[Bad, ...]


class FeatureSet:
    """One folder of shards; FeatureStore finds and begins them.

    Attributes:
        folder: where it lies, as a user names it: an address for one in a bucket.
        local: the same, or the folder of local copies.
        layout: what it holds.
    """

    def __init__(self, folder: Path, layout: Layout, place: Place | None = None) -> None:
        """``place``: of the shards; by default that of the folder."""
        self.local = local(folder)
        self.folder = named(self.local)
        self.layout = layout
        self._place = place or place_at(self.local)

    @property
    def mends(self) -> str:
        """The command that computes a damaged shard again; the split ``all`` is that of ``predict``."""
        return "`frostline extract`" if self.layout.split != ALL else "`frostline predict` with --keep-features"

    @property
    def shards(self) -> range:
        """The numbers of all shards, committed or not."""
        return range(-(-self.layout.rows // self.layout.shard_rows))

    def span(self, shard: int) -> range:
        """Return the rows of a shard."""
        start = shard * self.layout.shard_rows
        return range(start, min(start + self.layout.shard_rows, self.layout.rows))

    def missing(self) -> list[int]:
        """Return the shards that are not committed: no sound record, or no file of its size.

        By one listing of the folder: files with the sizes of a shard that is found sound count as sound. What
        is in them is checked when they are read.
        """
        sizes, sound = self._place.sizes(), dict[int, tuple[int, int]]()
        return [shard for shard in self.shards if not self._is_listed(shard, sizes, sound)]

    @property
    def complete(self) -> bool:
        """Whether every shard is committed."""
        return not self.missing()

    @cached_property
    def provenance(self) -> Provenance:
        """When, where and with which versions the set was begun; of defaults if that is lost."""
        return provenance_from(_sealed_in(self.local / PROVENANCE))

    @property
    def speed(self) -> float | None:
        """Rows per second of the last extraction, if one was measured."""
        speed = self.pace.get("rows_per_second")
        return speed if isinstance(speed, int | float) and speed > 0 else None

    @property
    def pace(self) -> dict[str, Any]:
        """What ``keep_pace`` was told last; empty if that is lost."""
        return _sealed_in(self._speed)

    def keep_pace(self, pace: Mapping[str, Any]) -> None:
        """Remember how rows are computed, for those that resume the set, and ``rows_per_second``, for plans."""
        write_atomic(self._speed, sealed(pace))

    @contextmanager
    def claim(self, shard: int, *, wait: bool) -> Iterator[bool]:
        """Hold a shard against other processes; yield whether it is ours to compute.

        The lock only saves double work: without it, as on a file system that has none, the result is the same.
        """
        with self._place.claim(shard, wait=wait) as lock:
            ours = lock is not Lock.TAKEN and not self._committed(shard)
            if ours and lock is Lock.HELD:  # else another process may be writing it
                self._place.clear(shard)
            yield ours

    def commit(self, shard: int, content: Shard, quarantined: tuple[Bad, ...] = ()) -> None:
        """Make a shard's rows durable: first its file, then its record."""
        span = self.span(shard)
        data = to_bytes(content, {"key": self.layout.digest, "start": span.start})
        sha256 = hashlib.sha256(data).hexdigest()
        record = Record(self.layout.digest, span.start, len(span), len(data), sha256, quarantined)
        self._place.commit(shard, data, asdict(record))

    def record(self, shard: int) -> Record:
        """Return a committed shard's record. Raises DamagedShard if it is missing or another's."""
        span = self.span(shard)
        try:
            fields = self._place.record(shard)
            bad = tuple(Bad(**b) for b in fields.pop("quarantined"))
            record = Record(quarantined=bad, **fields)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise self._damaged(shard, "json", f"no record ({error})") from error
        described = record.key, record.start, record.rows, type(record.size)
        if described != (self.layout.digest, span.start, len(span), int):
            raise self._damaged(shard, "json", "the record of another shard or feature set")
        return record

    def read(self, shard: int) -> Shard:
        """Return a committed shard, its bytes checked against its record.

        Raises DamagedShard, naming the file, if it is missing or a bit of it differs.
        """
        record = self.record(shard)
        try:
            data = self._place.data(shard, record.size, record.sha256)
            content = from_bytes(data, record.rows, self.layout.width, self.layout.key["dtype"])
            content.check(len(record.quarantined))
            return content
        except (OSError, ValueError) as error:
            raise self._damaged(shard, "h5", str(error)) from error

    def expect(self, shards: Sequence[int]) -> None:
        """Have committed shards at hand that will be read soon."""
        self._place.expect(shards)

    def damaged(self) -> list[DamagedShard]:
        """Read every committed shard and return what is wrong, shard by shard.

        In a set that was once complete, a shard without a record is damage too.
        """
        found = []
        self._place.reread()
        self._place.expect(self.shards)
        was_complete = os.path.lexists(self.local / "features.h5")
        for shard in self.shards:
            try:
                if was_complete or self._place.has_record(shard):
                    self.read(shard)
            except DamagedShard as error:
                found.append(error)
        return found

    def quarantined(self) -> list[Bad]:
        """Return the quarantined samples of a complete set, in row order."""
        return [bad for shard in self.shards for bad in self.record(shard).quarantined]

    def drop(self, shard: int) -> None:
        """Forget a shard: its record first, so that no reader takes the rest for committed."""
        self._place.drop(shard)

    def unnamed(self) -> list[Path]:
        """Return files that no record names: left by killed writes, or of shards that another writer committed."""
        return self._place.unnamed()

    def keep_targets(self, data: bytes) -> None:
        """Write a file of targets as those that the set was made with, where there is none."""
        path = self.local / TARGETS
        if not os.path.lexists(path):
            with suppress(StoreError):  # a read-only disk
                write_atomic(path, data)

    def targets(self) -> Targets:
        """Return the targets that the set was made with, row by row. Raises StoreError if they are lost."""
        found = read_targets(self.local / TARGETS).targets
        if len(found) != self.layout.rows:
            raise StoreError(f"{self.folder / TARGETS} holds the targets of {len(found):,} other samples")
        return found

    @property
    def publishes(self) -> bool:
        """Whether ``features.h5`` is to lie beside the shards: in a folder it is."""
        return self._place.publishes

    @property
    def published(self) -> bool:
        """Whether ``features.h5`` is there, byte for byte as it should be; in format 1, whether it is there at all."""
        if not self._place.publishes:
            return True
        if self.layout.format < FORMAT:
            return (self.local / "features.h5").is_file()
        wanted = self._virtual_file()
        try:
            return read_file(self.local / "features.h5", len(wanted)) == wanted
        except (OSError, ValueError):
            return False

    def publish(self) -> None:
        """Write ``features.h5`` over all shards, in a folder. Its names are relative: the folder can be moved.

        A damaged ``speed.json``, which nothing would write again, is removed.
        Raises StoreError if the set is not complete.
        """
        if self.missing() or not (self.local / "key.json").exists():
            raise StoreError(f"files of {self.folder} were removed while it was being made; run the same command again")
        if not (self.publishes and self.published):
            self._place.finish()
            if self.publishes:
                write_atomic(self.local / "features.h5", self._virtual_file())
        if os.path.lexists(self._speed) and not _sealed_in(self._speed):
            with suppress(OSError, StoreError):  # all shards that depend on it are there
                remove_objects(self._speed)
                self._speed.unlink(missing_ok=True)

    def _virtual_file(self) -> bytes:
        layout = self.layout
        about: dict[str, Any] = {"dataset": layout.dataset, "split": layout.split, "digest": layout.digest}
        attributes = {**layout.key, **about, "dataset_content": layout.key["dataset"]}
        sources = [(f"shards/{shard:05d}.h5", self.span(shard)) for shard in self.shards]
        arrays = spread_over(sources, self.read(0).arrays())
        with suppress(StoreError):
            targets = self.targets()
            name = array_name(targets)
            attributes["classes" if name == "labels" else "outputs"] = targets.names
            arrays.append(VirtualArray(name, targets.values, ((TARGETS, range(layout.rows)),)))
        return virtual_file(attributes, arrays)

    def _is_listed(self, shard: int, sizes: Mapping[str, int], sound: dict[int, tuple[int, int]]) -> bool:
        """Whether a shard is committed; ``sound``: what sizes its files have then, by its rows, as far as is known."""
        span, names = self.span(shard), (f"{shard:05d}.h5", f"{shard:05d}.json")
        if not all(name in sizes for name in names):
            return False
        found = sizes[names[0]], sizes[names[1]] - len(str(span.start))  # records differ in that and in bad rows
        if sound.get(len(span)) == found:
            return True
        committed = self._committed(shard)
        if committed and not self.record(shard).quarantined:
            sound.setdefault(len(span), found)
        return committed

    def _committed(self, shard: int) -> bool:
        least = len(self.span(shard)) * self.layout.width * np.dtype(self.layout.key["dtype"]).itemsize
        try:
            record = self.record(shard)
            return bool(least < self._place.size(shard, record.sha256) == record.size)
        except (OSError, ValueError, DamagedShard):
            return False

    def _damaged(self, shard: int, ending: str, found: str) -> DamagedShard:
        return DamagedShard(shard, self._place.name(shard, ending), found, self.mends)

    @property
    def _speed(self) -> Path:
        return self.local / "speed.json"


def holds_shards(folder: Path) -> bool:
    """Whether there are files of shards in a set's folder, be its description readable or not."""
    return place_at(local(folder)).holds_any()


def in_use(folder: Path) -> bool:
    """Whether a process holds one of a set's shards right now, be its description readable or not.

    Raises StoreError where a lock file is none, such as a link that leads nowhere.
    """
    return place_at(local(folder)).in_use()


def _sealed_in(path: Path) -> dict[str, Any]:
    """Return what a sealed file says; nothing if it is missing or damaged."""
    try:
        return read_sealed(path)
    except (OSError, ValueError):
        return {}


def open_set(folder: str | Path) -> FeatureSet:
    """Return the feature set in a folder, or at an address. Raises StoreError if its description is damaged."""
    here = opened(folder)
    path = here / "key.json"
    try:
        return FeatureSet(here, layout_from(read_sealed(path)))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StoreError(
            f"{named(path)} does not describe a feature set of format 1 or {FORMAT} ({error}); "
            f"extracting with the same settings mends it"
        ) from error
