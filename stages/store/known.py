"""Where the rows of samples lie already, by the digests of the samples: in columns, for there may be 100 million."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from frostline.stages.store.featureset import FeatureSet

Digests = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class KnownRows:
    """n rows of other feature sets; of several with one digest the last counts. About 52 bytes a row.

    Attributes:
        sets: those that they lie in.
        digests: uint8 (n, 32), of their samples.
        places: int32 (n, 3), the number of the set, the shard, and the position in the shard.
    """

    sets: Sequence[FeatureSet] = ()
    digests: Digests = field(default_factory=lambda: np.empty((0, 32), np.uint8))
    places: NDArray[np.int32] = field(default_factory=lambda: np.empty((0, 3), np.int32))

    def __len__(self) -> int:
        return len(self.digests)

    def find(self, digests: Digests) -> NDArray[np.int64]:
        """Return which row has each digest, int64 (m,), -1 where none has; ``digests``: uint8 (m, 32)."""
        if not len(self):
            return np.full(len(digests), -1, np.int64)
        order, begins = self._ordered
        wanted = _begin(digests)
        at = np.searchsorted(begins, wanted, side="right") - 1
        found = np.where(at >= 0, order[at], -1)
        same = (at >= 0) & (self.digests[found] == digests).all(axis=1)
        for i in np.flatnonzero(~same & (at >= 0) & (begins[at] == wanted)).tolist():
            found[i] = self._before(int(at[i]), digests[i])  # another digest begins alike
            same[i] = True
        found[~same] = -1
        return found

    def _before(self, at: int, digest: Digests) -> int:
        """Return the last row of a digest among those that begin alike, of which ``at`` is the last in order."""
        order, begins = self._ordered
        first = int(np.searchsorted(begins, begins[at]))
        alike = [int(row) for row in order[first : at + 1] if np.array_equal(self.digests[row], digest)]
        return alike[-1] if alike else -1

    @cached_property
    def _ordered(self) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """The rows in the order of what their digests begin with, and that; rows that begin alike in their own."""
        begins = _begin(self.digests)
        order = np.argsort(begins, kind="stable")
        return order, begins[order]


def _begin(digests: Digests) -> NDArray[np.uint64]:
    """Return the first eight bytes of digests as numbers: few digests share them."""
    return np.ascontiguousarray(digests[:, :8]).view(np.uint64).ravel()


def joined(sets: Sequence[FeatureSet], parts: Sequence[tuple[int, int, NDArray[np.int64], Digests]]) -> KnownRows:
    """Return the rows of shards; ``parts``: the number of a set, a shard, positions in it, and their digests."""
    if not parts:
        return KnownRows()
    places = np.empty((sum(len(positions) for _, _, positions, _ in parts), 3), np.int32)
    start = 0
    for number, shard, positions, _ in parts:
        here = places[start : start + len(positions)]
        here[:, 0], here[:, 1], here[:, 2] = number, shard, positions
        start += len(positions)
    return KnownRows(tuple(sets), np.concatenate([digests for *_, digests in parts]), places)
