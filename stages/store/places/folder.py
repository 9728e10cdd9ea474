"""Shards in a folder: ``shards/00017.h5``, then ``shards/00017.json``, both by rename; locks are the kernel's."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from frostline.stages.records.safe_read import read_file, read_sealed
from frostline.stages.records.sealed import sealed
from frostline.stages.store.files import TEMPORARY, explained, make_folder, write_atomic
from frostline.stages.store.listed import file_sizes
from frostline.stages.store.locks import Lock, is_taken, locked
from frostline.stages.store.places.base import checked


class FolderPlace:
    """See ``Place``."""

    publishes = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._settled = False

    def check(self) -> None:
        """Any folder will do."""

    def sizes(self) -> Mapping[str, int]:
        """By one listing of the folder."""
        return file_sizes(self._folder / "shards")

    def has_record(self, shard: int) -> bool:
        """A link that leads nowhere counts."""
        return os.path.lexists(self.name(shard, "json"))

    def record(self, shard: int) -> dict[str, Any]:
        """From its file."""
        return read_sealed(self.name(shard, "json"))

    def size(self, shard: int, _sha256: str, /) -> int:
        """As the file system says."""
        return self.name(shard, "h5").stat().st_size

    def data(self, shard: int, size: int, sha256: str) -> bytes:
        """From its file."""
        return checked(read_file(self.name(shard, "h5"), size), size, sha256)

    def expect(self, shards: Sequence[int]) -> None:
        """They are at hand."""

    def reread(self) -> None:
        """Nothing else is ever read."""

    @contextmanager
    def claim(self, shard: int, *, wait: bool) -> Iterator[Lock]:
        """By a lock file; on a file system that has no locks, not at all."""
        path = self._folder / "locks" / f"{shard:05d}.lock"
        with explained(path):
            path.parent.mkdir(exist_ok=True)  # not durable: a lock means nothing after a restart
        with locked(path, wait=wait) as lock:
            yield lock

    def clear(self, shard: int) -> None:
        """Remove temporary files."""
        for path in (self._folder / "shards").glob(f"{shard:05d}.*{TEMPORARY}"):
            path.unlink(missing_ok=True)

    def commit(self, shard: int, data: bytes, record: Mapping[str, Any]) -> None:
        """Both replace what was there."""
        self._settle()
        write_atomic(self.name(shard, "h5"), data)
        write_atomic(self.name(shard, "json"), sealed(record))

    def drop(self, shard: int) -> None:
        """Remove both files."""
        for ending in ("json", "h5"):
            with explained(self.name(shard, ending)):
                self.name(shard, ending).unlink(missing_ok=True)

    def in_use(self) -> bool:
        """Raises StoreError where a lock file is none, such as a link that leads nowhere."""
        return any(is_taken(path) for path in (self._folder / "locks").glob("*.lock"))

    def finish(self) -> None:
        """Make the shards' folder durable before a file that is written over them."""
        self._settle()

    def unnamed(self) -> list[Path]:
        """Temporary files: a shard's own name is never another's."""
        return list(self._folder.rglob(f"*{TEMPORARY}"))

    def holds_any(self) -> bool:
        """Anything that is called like one."""
        return any(self._folder.glob("shards/*.h5"))

    def name(self, shard: int, ending: str) -> Path:
        """The path."""
        return self._folder / "shards" / f"{shard:05d}.{ending}"

    def _settle(self) -> None:
        """Make the shards' folder, and durable what a killed process left there: once is enough."""
        if not self._settled:
            make_folder(self._folder / "shards")
            self._settled = True
