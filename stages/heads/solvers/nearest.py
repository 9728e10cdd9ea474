"""The nearest rows by cosine, from matrix products in float32, a block of rows at a time.

A similarity and the place of its row are packed into one float64, of which a float32 leaves 29 bits free. Then the
largest are found by one partition, and ordered by one sort.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

QUERIES = 2048
_ROWS, _GROUPS, _FINE = 8192, 256, 4
_FREE = 2**29 - 1
_EXCLUDED = np.float32(-2)  # below every cosine
_MANY = 2  # candidates for each place

Floats = NDArray[np.float32]
Packed = NDArray[np.float64]


class Search:
    """Searches for the ``count`` nearest of rows.

    Args:
        rows: (n, d) float16 or float32, of length 1 or 0.
        count: how many are wanted; all of them if there are fewer.
    """

    def __init__(self, rows: NDArray[Any], count: int) -> None:
        self.rows, self.count = rows, min(count, len(rows))
        self._groups = _FINE * max(_GROUPS, 1 << (2 * self.count - 1).bit_length())
        self._buffer = np.empty(0, np.float32)

    def nearest(self, queries: Floats, own: NDArray[np.int64]) -> tuple[Floats, NDArray[np.int64]]:
        """Return similarities and places of the nearest rows, (b, count), the nearest first.

        ``queries``: (b, d), at most ``QUERIES``, of length 1 or 0. Row ``own`` (b,) is excluded: it comes last, with a
        similarity of -inf; -1 excludes none.
        """
        best, least = np.empty((len(queries), 0)), np.full(len(queries), -np.inf, np.float32)
        for start, found in self._blocks(queries, own):
            row, column, similarity = self._candidates(found, least)
            best = self._merged(best, row, _packed(similarity, start + column))
            if best.shape[1] == self.count:
                least = np.nextafter(_unpacked(best.min(1))[0], np.float32(np.inf))
        similarity, places = _unpacked(np.sort(best, 1)[:, ::-1])
        return np.where(similarity == _EXCLUDED, np.float32(-np.inf), similarity), places

    def _blocks(self, queries: Floats, own: NDArray[np.int64]) -> Iterator[tuple[int, Floats]]:
        """Yield a block's first row and its similarities in groups, (b, length, groups); valid until the next."""
        b = len(queries)
        for start in range(0, len(self.rows), _ROWS):
            block = self.rows[start : start + _ROWS].astype(np.float32, copy=False)
            width = len(block)
            groups = self._groups if width >= 2 * self._groups else width
            padded = -(-width // groups) * groups
            found = self._space(b * padded).reshape(b, padded)
            np.matmul(queries, block.T, out=found[:, :width])
            found[:, width:] = _EXCLUDED
            mine = np.flatnonzero((own >= start) & (own < start + width))
            found[mine, own[mine] - start] = _EXCLUDED
            yield start, found.reshape(b, -1, groups)

    def _space(self, size: int) -> Floats:
        if len(self._buffer) < size:
            self._buffer = np.empty(size, np.float32)
        return self._buffer[:size]

    def _candidates(self, found: Floats, least: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
        """Return row, column and similarity of all that may be among the largest; each row's are at least ``least``.

        Groups whose maximum is too small are skipped.
        """
        b, length, groups = found.shape
        largest, in_groups = found.max(1), length > 1
        if in_groups and not np.isfinite(least).all():
            least = self._floor(largest)
        near = np.flatnonzero(largest >= least[:, None])
        each = np.diff(np.searchsorted(near, np.arange(b + 1) * groups))
        many = np.flatnonzero(each > _MANY * self.count)
        if in_groups and len(many):
            least = least.copy()
            least[many] = np.maximum(least[many], self._floor(largest[many]))
            near = np.flatnonzero(largest >= least[:, None])
        row, group = np.divmod(near, groups)
        inside = found.ravel()[(near + row * ((length - 1) * groups))[:, None] + np.arange(length) * groups]
        hit, place = np.divmod(np.flatnonzero(inside >= least[row, None]), length)
        return row[hit], place * groups + group[hit], inside[hit, place]

    def _floor(self, largest: Floats) -> Floats:
        """Return a similarity that ``count`` of each row reach, (b,), from the largest of their groups, (b, groups)."""
        wide = self._groups // _FINE
        coarse = largest.reshape(len(largest), _FINE, wide).max(1)
        floor: Floats = np.partition(coarse, wide - self.count, 1)[:, wide - self.count]
        return floor

    def _merged(self, best: Packed, row: NDArray[np.int64], packed: Packed) -> Packed:
        """Return the largest of (b, at most count) and of others, whose rows ascend, in no order."""
        if not len(row):
            return best
        each = np.bincount(row, minlength=len(best))
        more = np.full((len(best), int(each.max())), float(_EXCLUDED))
        more[row, np.arange(len(row)) - np.repeat(np.cumsum(each) - each, each)] = packed
        best = np.concatenate((best, more), 1)
        return np.partition(best, -self.count, 1)[:, -self.count :] if best.shape[1] > self.count else best


def _packed(similarity: Floats, place: NDArray[np.int64]) -> Packed:
    """Return numbers in the order of the similarities."""
    packed: Packed = (similarity.astype(np.float64).view(np.int64) | (_FREE - place)).view(np.float64)
    return packed


def _unpacked(packed: Packed) -> tuple[Floats, NDArray[np.int64]]:
    bits = np.ascontiguousarray(packed).view(np.int64)
    return (bits & ~_FREE).view(np.float64).astype(np.float32), _FREE - (bits & _FREE)
