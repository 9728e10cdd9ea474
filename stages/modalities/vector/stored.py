"""Arrays that lie in files: known by shape and type before a number of them is read, and read a few rows at a time."""

from __future__ import annotations

import math
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from frostline.stages.errors import DataError

_DAMAGE = (OSError, ValueError, EOFError, MemoryError, RuntimeError, KeyError, SyntaxError)
_SMALL = 1 << 26  # bytes: an array that may be compressed as well as it can be
_RATIO = 200  # numbers that mean something hardly shrink at all
_BESIDE = 1 << 30  # bytes of ids, labels and the like


@dataclass(frozen=True, eq=False)
class Stored:
    """An array in a file.

    Attributes:
        shape: its shape.
        dtype: its type in the file; ``object`` for texts of any length.
        read: a range of its rows, in memory: ``read(start, stop)``. Raises DataError where the file is damaged.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    read: Callable[[int, int], NDArray[np.generic]]

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    def __str__(self) -> str:
        return f"{'texts' if self.dtype == object else self.dtype} {self.shape}"


@contextmanager
def blamed(file: Path, *known: type[Exception]) -> Iterator[None]:
    """Raise as DataError what a damaged file makes a reader raise: what the system and NumPy do, and ``known``."""
    kinds: tuple[type[Exception], ...] = (*_DAMAGE, *known)
    try:
        yield
    except kinds as error:
        raise DataError(
            f"can't read {file}: {error or type(error).__name__}; expected an undamaged {file.suffix} file"
        ) from error


def whole(file: Path, name: str, array: Stored) -> NDArray[np.generic]:
    """Return all of an array of ids, labels or the like. Raises DataError where it is too large to be that."""
    check_beside(file, name, array)
    return array.read(0, array.shape[0])


def check_beside(file: Path, name: str, array: Stored) -> None:
    """Raise DataError for an array that is too large for ids, labels and the like."""
    if array.nbytes > _BESIDE:
        raise DataError(
            f"{file}: {name} takes {array.nbytes:,} bytes; expected at most {_BESIDE:,} for an array next to the "
            "vectors"
        )


@dataclass(frozen=True)
class Layout:
    """How an array's bytes lie in a file: from ``offset`` on; ``order``: C or F."""

    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    order: Literal["C", "F"] = "C"
    offset: int = 0

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def mapped(source: Path, layout: Layout, copy: Callable[[], BinaryIO] | None = None) -> Stored:
    """Return the array whose bytes lie so in a file, or in a ``copy`` of what it holds. Nothing is read until asked."""
    shape, dtype = layout.shape, layout.dtype

    def read(start: int, stop: int) -> NDArray[np.generic]:
        if 0 in shape:
            return np.empty((max(0, min(stop, shape[0]) - start), *shape[1:]), dtype)
        # Mapped anew each time, so that what was read does not stay in memory.
        with blamed(source):
            where: Any = copy() if copy else source
            there = np.memmap(where, dtype, "r", layout.offset, shape, layout.order)
            return np.array(there[start:stop])

    return Stored(shape, dtype, read)


def check_sound(file: Path, name: str, wanted: int, held: int) -> None:
    """Raise DataError for an array that is said to be far larger than the compressed bytes that it lies in."""
    if wanted > _SMALL and wanted > _RATIO * held:
        raise DataError(
            f"{file}: {name} declares {wanted:,} bytes, but is stored in {held:,}; no embeddings compress that "
            "well, so it is not opened"
        )


class Spool:
    """A copy of an array on disk, made at its first use, for one that can't be read from its file in any order.

    ``write`` writes its ``size`` bytes into a file. The copy goes when nothing refers to it any more.
    """

    def __init__(self, source: Path, size: int, write: Callable[[BinaryIO], None]) -> None:
        self._source, self._size, self._write = source, size, write
        self._copy: BinaryIO | None = None

    def file(self) -> BinaryIO:
        """Return the copy. Raises DataError if there is no room for it, or the source is damaged."""
        if self._copy is None:
            place = tempfile.gettempdir()
            free = shutil.disk_usage(place).free
            if self._size > 0.9 * free:
                raise DataError(
                    f"{self._source} has to be unpacked to {self._size:,} bytes, and {place} has room for {free:,}; "
                    "set TMPDIR, or save it as .npy, which is read without a copy"
                )
            copy: Any = tempfile.TemporaryFile()  # noqa: SIM115
            weakref.finalize(self, copy.close)
            self._write(copy)
            copy.flush()
            self._copy = copy
        return self._copy
