"""What rows are called: by their file and number, without an object for each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import overload

import numpy as np
from numpy.typing import NDArray

from frostline.stages.records.packed_names import PackedNames


class RowNames(Sequence[str]):
    """``train-00000-of-00002:17`` for the 18th row of that file.

    ``files``: what each is called; ``firsts``: its first row, int64 (files + 1,), the number of all at the end.
    """

    def __init__(self, files: Sequence[str], firsts: NDArray[np.int64]) -> None:
        self._files, self._firsts = files, firsts

    def __len__(self) -> int:
        return int(self._firsts[-1])

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> list[str]: ...
    def __getitem__(self, row: int | slice) -> str | list[str]:
        if isinstance(row, slice):
            return [self[one] for one in range(*row.indices(len(self)))]
        row = range(len(self))[row]
        file = int(np.searchsorted(self._firsts, row, "right")) - 1
        return f"{self._files[file]}:{row - int(self._firsts[file])}"

    @property
    def counts(self) -> list[int]:
        """How many rows each file has."""
        found: list[int] = np.diff(self._firsts).tolist()
        return found

    def packed(self) -> PackedNames:
        """Return them all, as bytes."""
        counts = zip(self._files, self.counts, strict=True)
        return PackedNames.of(f"{name}:{row}" for name, count in counts for row in range(count))


def stems(paths: Sequence[str]) -> list[str]:
    """Return what files are called below the folder that they share, without their endings.

    >>> stems(["/data/en/train-0.parquet", "/data/de/train-0.parquet"])
    ['en/train-0', 'de/train-0']
    """
    parts = [PurePath(path).parts for path in paths]
    deep = 0
    while all(len(one) > deep + 1 and one[deep] == parts[0][deep] for one in parts):
        deep += 1
    return [PurePath(*one[deep:]).with_suffix("").as_posix() for one in parts]
