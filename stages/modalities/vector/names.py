"""What the vectors of a file are called, for millions of them: in columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from frostline.stages.modalities.vector.cells import cells
from frostline.stages.modalities.vector.stored import Stored, check_beside
from frostline.stages.records.packed_names import PackedNames

_BLOCK = 1 << 16
_DIGITS = 6


def numbered(count: int) -> PackedNames:
    """Return the numbers from 1 on as names, all of one length.

    >>> list(numbered(2))
    ['000001', '000002']
    """
    digits = max(_DIGITS, len(str(count)))
    data = np.empty((count, digits), np.uint8)
    for start in range(0, count, _BLOCK):
        left = np.arange(start + 1, min(start + _BLOCK, count) + 1)
        for place in reversed(range(digits)):
            data[start : start + _BLOCK, place] = left % 10 + ord("0")
            left //= 10
    return PackedNames(data.reshape(-1), np.arange(1, count + 1) * digits)


def named(file: Path, arrays: Sequence[tuple[str, Stored]]) -> PackedNames:
    """Return the texts or numbers of arrays (n,), one after the other, as names; a block of them at a time is read."""
    return PackedNames.of(name for own, array in arrays for name in _cells(file, own, array))


def _cells(file: Path, name: str, array: Stored) -> Iterator[str]:
    check_beside(file, name, array)
    step = _BLOCK if array.dtype.kind in "US" else max(1, array.shape[0])  # how numbers are written, all of them say
    for start in range(0, array.shape[0], step):
        yield from cells(f"{file}: {name}", array.read(start, min(start + step, array.shape[0])))
