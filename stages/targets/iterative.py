"""Iterative stratification: rows with several labels each, dealt to parts so that every label is dealt in their shares.

Sechidis, Tsoumakas and Vlahavas, "On the stratification of multi-label data" (ECML PKDD 2011), algorithm 1: the label
with the fewest rows left is dealt first, each row to the part that lacks that label most, then that lacks rows most.
Where the paper draws by chance, a lot decides: the order of the rows does not matter, nor do their names.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.float64]
_LACKING = 1e-9  # rows; less is rounding


def iterative_parts(values: NDArray[np.int8], lots: NDArray[np.bytes_], shares: Sequence[float]) -> NDArray[np.int64]:
    """Return the part of each row, int64 (n,).

    ``values``: int8 (n, labels), of which 1 counts. ``lots``: bytes (n,), by chance; rows of equal lots, copies or a
    group, are dealt as one. ``shares``: of each part, which sum to 1.
    """
    _, first, unit = np.unique(lots, return_index=True, return_inverse=True)
    having = np.zeros((len(first), values.shape[1]))
    np.add.at(having, unit, values == 1)
    rows = np.bincount(unit, minlength=len(first)).astype(np.float64)
    return _dealt(having, rows, _tie_breaks(lots[first]), np.asarray(shares, np.float64))[unit]


def rarest_labels(values: NDArray[np.int8]) -> NDArray[np.int64]:
    """Return the label of each row with which it would be dealt, int64 (n,): of those that it has, the first to be
    the rarest among the rows left; the number of labels for a row without any.
    """
    own = np.full(len(values), values.shape[1])
    for label, rows in _by_rarity((values == 1).astype(np.float64)):
        own[rows] = label
    return own


def _by_rarity(having: Counts) -> list[tuple[int, NDArray[np.int64]]]:
    """Return (label, its rows that are left), the label of the fewest rows left first."""
    left = np.ones(len(having), bool)
    order: list[tuple[int, NDArray[np.int64]]] = []
    while True:
        counts = having[left].sum(0)
        if not counts.any():
            return order
        label = int(np.where(counts > 0, counts, np.inf).argmin())
        rows = np.flatnonzero(left & (having[:, label] > 0))
        order.append((label, rows))
        left[rows] = False


def _dealt(having: Counts, rows: Counts, ties: list[int], shares: Counts) -> NDArray[np.int64]:
    """Return the part of each unit, which ``having`` (m, labels) counts the labels of and ``rows`` (m,) the rows."""
    part = np.full(len(rows), -1)
    wanted, room = shares[:, None] * having.sum(0), shares * rows.sum()
    for label, units in _by_rarity(having):
        for unit in units.tolist():
            best = _most(_most(range(len(shares)), wanted[:, label]), room)
            part[unit] = chosen = best[ties[unit] % len(best)]
            wanted[chosen] -= having[unit]
            room[chosen] -= rows[unit]
    for unit in np.flatnonzero(part < 0).tolist():
        best = _most(range(len(shares)), room)
        part[unit] = chosen = best[ties[unit] % len(best)]
        room[chosen] -= rows[unit]
    return part


def _most(parts: Sequence[int], lacking: Counts) -> list[int]:
    most = max(lacking[part] for part in parts)
    return [part for part in parts if lacking[part] >= most - _LACKING]


def _tie_breaks(lots: NDArray[np.bytes_]) -> list[int]:
    return [int.from_bytes(lot[-4:], "big") for lot in lots.tolist()]
