"""Names in two arrays: millions of sample ids without a Python object for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import overload

import numpy as np
from numpy.typing import NDArray

_BLOCK = 1 << 16
_PRIME = np.uint64(0x9E3779B97F4A7C15)
_ERRORS = "surrogateescape"  # file names need not be UTF-8


class PackedNames(Sequence[str]):
    """A sequence of texts that is equal to any other of the same texts.

    Attributes:
        data: uint8 (bytes,), all names after each other, as UTF-8 with surrogates for other bytes.
        ends: int64 (n,), where each name ends.

    >>> names = PackedNames.of(["b", "a", "ä"])
    >>> names[2], names.take(np.array([1, 0])) == ["a", "b"], names.find(["ä", "c"]).tolist()
    ('ä', True, [2, -1])
    """

    def __init__(self, data: NDArray[np.uint8], ends: NDArray[np.int64]) -> None:
        self.data = data
        self.ends = ends

    @classmethod
    def of(cls, names: Iterable[str]) -> PackedNames:
        """Return names, packed; those that are packed already as they are."""
        return names if isinstance(names, cls) else cls.of_bytes(name.encode(errors=_ERRORS) for name in names)

    @classmethod
    def of_bytes(cls, names: Iterable[bytes]) -> PackedNames:
        """Return the names of which these are the bytes."""
        data, ends = bytearray(), []
        for name in names:
            data += name
            ends.append(len(data))
        return cls(np.frombuffer(bytes(data), np.uint8), np.array(ends, np.int64))

    @classmethod
    def joined(cls, parts: Sequence[PackedNames]) -> PackedNames:
        """Return the names of all parts, in their order."""
        if len(parts) == 1:
            return parts[0]
        starts = np.cumsum([0, *(len(part.data) for part in parts)])
        ends = [part.ends + start for part, start in zip(parts, starts[:-1].tolist(), strict=True)]
        data = [part.data for part in parts]
        return cls(np.concatenate([np.zeros(0, np.uint8), *data]), np.concatenate([np.zeros(0, np.int64), *ends]))

    @property
    def nbytes(self) -> int:
        """How many bytes of memory they take."""
        return self.data.nbytes + self.ends.nbytes

    @property
    def starts(self) -> NDArray[np.int64]:
        """int64 (n,), where each name begins."""
        return np.concatenate([np.zeros(1, np.int64), self.ends[:-1]]) if len(self) else self.ends

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> PackedNames: ...
    def __getitem__(self, row: int | slice) -> str | PackedNames:
        if isinstance(row, slice):
            return self.take(np.arange(*row.indices(len(self)), dtype=np.int64))
        return self.encoded(range(len(self))[row]).decode(errors=_ERRORS)

    def encoded(self, row: int) -> bytes:
        """Return one name's bytes. Rows count from 0."""
        return self.data[self.ends[row - 1] if row else 0 : self.ends[row]].tobytes()

    def __iter__(self) -> Iterator[str]:
        return (name.decode(errors=_ERRORS) for name in self.all_encoded())

    def all_encoded(self) -> Iterator[bytes]:
        """Yield every name's bytes."""
        for first in range(0, len(self), _BLOCK):
            ends = self.ends[first : first + _BLOCK].tolist()
            start = int(self.ends[first - 1]) if first else 0
            data = self.data[start : ends[-1]].tobytes()
            yield from (data[a - start : b - start] for a, b in zip(chain((start,), ends), ends, strict=False))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, PackedNames):
            return np.array_equal(self.ends, other.ends) and np.array_equal(self.data, other.data)
        if isinstance(other, list | tuple):
            return len(self) == len(other) and all(one == two for one, two in zip(self, other, strict=True))
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"PackedNames({len(self):,}{': ' + ', '.join(self[:3]) if len(self) else ''})"

    def take(self, rows: NDArray[np.int64]) -> PackedNames:
        """Return the names of some rows, in the given order."""
        starts, lengths = self.starts[rows], self.lengths[rows]
        ends = np.cumsum(lengths)
        data = np.empty(int(ends[-1]) if len(ends) else 0, np.uint8)
        for first in range(0, len(rows), _BLOCK):
            some = slice(first, first + _BLOCK)
            places = _ranges(starts[some], lengths[some])
            begin = int(ends[first] - lengths[first])
            data[begin : begin + len(places)] = self.data[places]
        return PackedNames(data, ends)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """int64 (n,), the bytes of each name."""
        return np.diff(self.ends, prepend=0)

    def find(self, names: Iterable[str]) -> NDArray[np.int64]:
        """Return the first row of each name, int64; -1 where it is not among these. It is a sorted search."""
        wanted = PackedNames.of(names)
        order, ordered = self._sorted
        places = np.searchsorted(ordered, wanted.hashes())
        return np.array([self._match(wanted, i, at, order) for i, at in enumerate(places.tolist())], np.int64)

    def _match(self, wanted: PackedNames, i: int, at: int, order: NDArray[np.int64]) -> int:
        """Return which row, among those whose hash is the one at this place, has a name."""
        name, ordered = wanted.encoded(i), self._sorted[1]
        here = ordered[at] if at < len(ordered) else None
        while at < len(ordered) and ordered[at] == here:
            if self.encoded(int(order[at])) == name:
                return int(order[at])
            at += 1
        return -1

    def repeated(self) -> NDArray[np.int64]:
        """Return the rows whose name an earlier row has, int64, ascending."""
        order, ordered = self._sorted
        alike = np.flatnonzero(ordered[1:] == ordered[:-1])
        suspects = np.unique(np.concatenate([order[alike], order[alike + 1]]))
        seen: set[bytes] = set()
        found = []
        for row in suspects.tolist():
            name = self.encoded(row)
            if name in seen:
                found.append(row)
            seen.add(name)
        return np.array(found, np.int64)

    @cached_property
    def _sorted(self) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """The rows in the order of their hashes, rows of one hash in their own, and those hashes."""
        hashes = self.hashes()
        order = np.argsort(hashes, kind="stable")
        return order, hashes[order]

    def hashes(self) -> NDArray[np.uint64]:
        """Return a number for each name, uint64 (n,): alike for names that are alike, seldom for others."""
        found = np.empty(len(self), np.uint64)
        starts, lengths = self.starts, self.lengths
        for first in range(0, len(self), _BLOCK):
            some = slice(first, first + _BLOCK)
            found[some] = _hashes(self.data, starts[some], lengths[some])
        return found


def _ranges(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return start, start + 1, …, one after the other, for each start and length."""
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts - before, lengths) + np.arange(int(lengths.sum()))


def _hashes(data: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return hashes of pieces of data: the sum of mixed (byte, position) pairs, and the length."""
    place = _ranges(np.zeros_like(starts), lengths).astype(np.uint64)
    mixed = (data[_ranges(starts, lengths)].astype(np.uint64) + np.uint64(1)) * _PRIME + place * place * _PRIME + place
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(32)
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(mixed)])
    ends = np.cumsum(lengths)
    return np.asarray(sums[ends] - sums[ends - lengths] + lengths.astype(np.uint64) * _PRIME)


def taken(names: Sequence[str], rows: NDArray[np.int64]) -> Sequence[str]:
    """Return the names of some rows: packed if they were, else as a list."""
    return names.take(rows) if isinstance(names, PackedNames) else [names[row] for row in rows.tolist()]


def encoded_names(names: Sequence[str]) -> Iterator[bytes]:
    """Yield every name's bytes."""
    if isinstance(names, PackedNames):
        return names.all_encoded()
    return (name.encode(errors=_ERRORS) for name in names)
