"""What lies in containers, in columns: 100 million samples are planned for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.stages.datasets.containers.blob import Blob
from frostline.stages.datasets.files import Called, indexed_samples
from frostline.stages.datasets.index import Indexed, examine
from frostline.stages.datasets.samples import Samples, of_rows
from frostline.stages.modalities.registry import MODALITIES
from frostline.stages.records.packed_names import PackedNames
from frostline.stages.targets.values import Targets

TABLES = (".csv", ".tsv", ".jsonl", ".ndjson")
"""The endings of tables, which may say something of the samples beside them."""
Place = NDArray[np.int64]
"""Where one sample lies in its container: numbers that the container's own reader knows, such as offset and size."""


@dataclass(frozen=True, eq=False)
class Part:
    """The n samples of one container, in its order.

    Attributes:
        names: their ids.
        places: int64 (n, k), where each lies.
        digests: uint8 (n, 32), the SHA-256 of each one's bytes.
        modality: of them all.
        problems: the rows known to be unreadable, each with its reason.
        codecs: see ``Samples``.
        cells: what the container says of each sample besides, one text a row, by the names of columns.
        notes: what was skipped, or assumed.
        tables: the places of tables in the container, by their names.
        is_choice: whether other samples would have been found had another modality been asked for.
    """

    names: PackedNames
    places: NDArray[np.int64]
    digests: NDArray[np.uint8]
    modality: str
    problems: dict[int, str] = field(default_factory=dict)
    codecs: dict[int, str] = field(default_factory=dict)
    cells: Mapping[str, PackedNames] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    tables: Mapping[str, Sequence[int]] = field(default_factory=dict)
    is_choice: bool = False

    def __len__(self) -> int:
        return len(self.names)

    def take(self, rows: NDArray[np.int64]) -> Part:
        """Return some rows, in the given order."""
        cells = {name: cells.take(rows) for name, cells in self.cells.items()}
        problems, codecs = of_rows(self.problems, rows), of_rows(self.codecs, rows)
        columns: dict[str, Any] = {"names": self.names.take(rows), "places": self.places[rows]}
        columns |= {"digests": self.digests[rows], "problems": problems, "codecs": codecs, "cells": cells}
        return replace(self, **columns)


@dataclass(frozen=True)
class Member:
    """One file in a container. ``fault``: why its bytes can't be read, or nothing."""

    name: str
    offset: int
    size: int
    fault: str = ""


class PartBuilder:
    """Takes in the samples of one container one by one."""

    def __init__(self, modality: str, width: int = 2) -> None:
        self.modality = modality
        self._kind = MODALITIES.load(modality)
        self._width = width
        self._names: list[bytes] = []
        self._places: list[Sequence[int]] = []
        self._digests = bytearray()
        self._problems: dict[int, str] = {}
        self._codecs: dict[int, str] = {}

    def add(self, name: str, place: Sequence[int], content: Callable[[], bytes]) -> None:
        """Take in a sample. ``content`` returns its bytes, or raises UnreadableSample: why it has none."""
        seen = examine(content, self._kind)
        seen.tell(len(self._names), self._problems, self._codecs)
        self._names.append(name.encode(errors="surrogateescape"))
        self._places.append(place)
        self._digests += seen.digest

    def part(
        self,
        cells: Mapping[str, PackedNames] | None = None,
        notes: Sequence[str] = (),
        tables: Mapping[str, Sequence[int]] | None = None,
    ) -> Part:
        """Return what was taken in."""
        places = np.array(self._places, np.int64).reshape(-1, self._width)
        digests = np.frombuffer(bytes(self._digests), np.uint8).reshape(-1, 32)
        names = PackedNames.of_bytes(self._names)
        about = self._problems, self._codecs, cells or {}, tuple(notes), tables or {}
        return Part(names, places, digests, self.modality, *about)


@dataclass(frozen=True, eq=False)
class Members:
    """The samples of several containers, one after the other.

    Attributes:
        blobs: the containers.
        container: int32 (n,), which of the blobs each sample lies in.
        joined: their samples as if they were in one.
        tables: the tables in them: the blob's number, the name and the place of each.
    """

    blobs: Sequence[Blob]
    container: NDArray[np.int32]
    joined: Part
    tables: Sequence[tuple[int, str, Sequence[int]]] = ()

    def __len__(self) -> int:
        return len(self.joined)

    @property
    def nbytes(self) -> int:
        """How many bytes of memory the index takes: ids, places and digests."""
        part = self.joined
        return part.names.nbytes + part.places.nbytes + part.digests.nbytes + self.container.nbytes

    def blob_of(self, row: int) -> Blob:
        """Return what a sample lies in."""
        return self.blobs[int(self.container[row])]

    def take(self, rows: NDArray[np.int64]) -> Members:
        """Return some samples, in the given order."""
        return replace(self, container=self.container[rows], joined=self.joined.take(rows))

    def named(self, names: PackedNames) -> Members:
        """Return the same samples under other ids."""
        return replace(self, joined=replace(self.joined, names=names))


def join(blobs: Sequence[Blob], parts: Sequence[Part]) -> Members:
    """Return the samples of all containers. A column that some lack is empty there; notes are told once.

    The modality is that of the first container: the caller has seen that all are of one.
    """
    counts = [len(part) for part in parts]
    firsts = np.cumsum([0, *counts[:-1]]).tolist()
    columns = dict.fromkeys(name for part in parts for name in part.cells)
    joined = Part(
        PackedNames.joined([part.names for part in parts]),
        np.concatenate([part.places for part in parts]),
        np.concatenate([part.digests for part in parts]),
        parts[0].modality,
        {first + row: why for first, part in zip(firsts, parts, strict=True) for row, why in part.problems.items()},
        {first + row: what for first, part in zip(firsts, parts, strict=True) for row, what in part.codecs.items()},
        {name: PackedNames.joined([part.cells.get(name, _empty(len(part))) for part in parts]) for name in columns},
        _told_once(parts),
    )
    tables = [(i, name, place) for i, part in enumerate(parts) for name, place in part.tables.items()]
    return Members(blobs, np.repeat(np.arange(len(counts), dtype=np.int32), counts), joined, tables)


def _empty(n: int) -> PackedNames:
    return PackedNames(np.zeros(0, np.uint8), np.zeros(n, np.int64))


def _told_once(parts: Sequence[Part]) -> tuple[str, ...]:
    counts = Counter(note for part in parts for note in part.notes)
    return tuple(note if n == 1 else f"{note} ({n:,} times)" for note, n in counts.items())


Content = Callable[[Blob, Place], bytes]
"""Reads one sample's bytes. It raises UnreadableSample or DataError."""


def member_samples(
    dataset: str, targets: Targets, members: Members, content: Content, options: Mapping[str, int] | None = None
) -> Samples:
    """Return the samples of containers, read by position. One that is not what was indexed raises DataError."""

    def read(row: int) -> bytes:
        return content(members.blob_of(row), part.places[row])

    part = members.joined
    index = Indexed(part.names, part.digests, part.problems, part.codecs)
    called = Called(read, lambda row: f"{part.names[row]} in {members.blob_of(row).name}")
    return indexed_samples(dataset, "all", targets, index, called, part.modality, options)


def expect_rows(members: Members, rows: Iterable[int]) -> None:
    """Have the containers that rows lie in be told from where on they will be read. Places begin with an offset."""
    some = np.fromiter(rows, np.int64)
    numbers, first = np.unique(members.container[some], return_index=True)
    for number, at in zip(numbers.tolist(), first.tolist(), strict=True):
        members.blobs[number].expect(int(members.joined.places[some[at], 0]))


def arrays_of(part: Part) -> dict[str, NDArray[Any]]:
    """Return a part's columns as arrays by name, for a memory of them."""
    found: dict[str, NDArray[Any]] = {"places": part.places, "digests": part.digests}
    for i, packed in enumerate((part.names, *part.cells.values())):
        found |= {f"texts {i}": packed.data, f"ends {i}": packed.ends}
    return found


def part_of(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> Part:
    """Return the part that arrays and facts were remembered of. Raises KeyError if they are of something else."""
    names, *cells = (PackedNames(arrays[f"texts {i}"], arrays[f"ends {i}"]) for i in range(len(facts["columns"]) + 1))
    problems, codecs = ({int(row): said for row, said in facts[what].items()} for what in ("problems", "codecs"))
    what = problems, codecs, dict(zip(facts["columns"], cells, strict=True)), tuple(facts["notes"]), facts["tables"]
    return Part(names, arrays["places"], arrays["digests"], facts["modality"], *what)


def facts_of(part: Part) -> dict[str, Any]:
    """Return what of a part is in no array, as JSON knows it."""
    said = {"modality": part.modality, "problems": part.problems, "codecs": part.codecs}
    return {**said, "columns": list(part.cells), "notes": list(part.notes), "tables": dict(part.tables)}
