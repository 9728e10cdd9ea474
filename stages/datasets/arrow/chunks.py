"""Where rows lie: in files, cut into chunks that are read one by one. Nothing is kept for each row."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from frostline.stages.datasets.containers.blob import Blob, LocalBlob
from frostline.stages.errors import DataError


@dataclass(frozen=True)
class Chunk:
    """Rows that are read together: a row group of Parquet, a record batch of Arrow.

    ``file``: its number. ``place``: the number of the row group, or where the batch begins, in bytes. ``start``: its
    first row, counted through all files. ``rows``: how many it has.
    """

    file: int
    place: int
    start: int
    rows: int


class Chunks:
    """The chunks of all files, in columns, none of them empty."""

    def __init__(self) -> None:
        self._file, self._place, self._start = array("i"), array("q"), array("q")
        self.rows = 0

    def __len__(self) -> int:
        return len(self._file)

    def add(self, file: int, place: int, rows: int) -> None:
        """Add a chunk behind those that there are; one without rows is none."""
        if rows:
            self._file.append(file)
            self._place.append(place)
            self._start.append(self.rows)
            self.rows += rows

    def __getitem__(self, number: int) -> Chunk:
        stop = self._start[number + 1] if number + 1 < len(self) else self.rows
        return Chunk(self._file[number], self._place[number], self._start[number], stop - self._start[number])

    def of(self, row: int) -> int:
        """Return the number of the chunk that a row, counted through all files, is in."""
        return bisect_right(self._start, row) - 1

    def first_rows(self, files: int) -> NDArray[np.int64]:
        """Return the first row of each file, int64 (files + 1,), with the number of all rows at the end."""
        rows = np.diff(np.array(self._start, np.int64), append=self.rows)
        counts = np.bincount(np.array(self._file, np.int64), rows, files).astype(np.int64)
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])


class Stored(Protocol):
    """Files of rows, all of one format.

    Attributes:
        blobs: the files.
        chunks: how they are cut.
        schema: of the first file, a ``pyarrow.Schema``.
        differing: the columns that are not alike in all files, each with how.
    """

    @property
    def blobs(self) -> Sequence[Blob]: ...
    @property
    def chunks(self) -> Chunks: ...
    @property
    def schema(self) -> Any: ...
    @property
    def differing(self) -> Mapping[str, str]: ...

    def windows(self, chunk: int, column: str, /) -> Iterator[Any]:
        """Yield a column of a chunk, some rows at a time and in bounded memory, as ``pyarrow.Array``.

        Raises DataError where the file is damaged, or not any more what it was.
        """


def check_unchanged(blob: Blob) -> None:
    """Raise DataError if a file is not any more what it was. An object in a bucket says so when it is read."""
    if isinstance(blob, LocalBlob) and LocalBlob(blob.path).stamp != blob.stamp:
        raise DataError(f"{blob.name} changed while it was being read; run again when it no longer changes")


@contextmanager
def blamed(blob: Blob) -> Iterator[None]:
    """Raise as DataError what pyarrow raises of a damaged file."""
    import pyarrow

    try:
        yield
    except (OSError, EOFError, ValueError, MemoryError, pyarrow.ArrowException) as error:
        said = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise DataError(
            f"can't read {blob.name}: {said}; expected an undamaged file: copy or download it again"
        ) from error


def differences(blob: Blob, schema: Any, first: Blob, wanted: Any) -> dict[str, str]:
    """Return the columns in which a file's schema is not that of the first file, each with how."""
    names = dict.fromkeys((*wanted.names, *schema.names))
    types = {name: (_type(schema, name), _type(wanted, name)) for name in names}
    return {
        name: f"column {name} is {ours} in {blob.name}, and {theirs} in {first.name}"
        for name, (ours, theirs) in types.items()
        if ours != theirs
    }


def twice(blob: Blob, schema: Any) -> dict[str, str]:
    """Return the names that several columns of a schema have, each with that."""
    again = {name for name in schema.names if len(schema.get_all_field_indices(name)) > 1}
    return {name: f"column {name} appears more than once in {blob.name}" for name in again}


def _type(schema: Any, name: str) -> str:
    found = schema.get_all_field_indices(name)
    return str(schema.field(found[0]).type) if found else "absent"
