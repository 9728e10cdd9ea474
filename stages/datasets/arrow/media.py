"""A column of samples: bytes, as they are or next to a path, or texts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from frostline.stages.datasets.arrow.chunks import Stored
from frostline.stages.datasets.arrow.windows import Windows
from frostline.stages.errors import DataError, UnreadableSample

BYTES, PATH = "bytes", "path"


class Media:
    """The samples of one column, by row. ``outside``: returns the content of a file that a row names instead."""

    def __init__(self, stored: Stored, column: str, outside: Callable[[str], bytes]) -> None:
        if column in stored.differing:
            raise DataError(f"{stored.differing[column]}; expected files of one schema: convert one of them")
        self._windows, self._outside = Windows(stored, column), outside
        self._read = _reader(stored.schema.field(column).type)

    def read(self, row: int) -> tuple[bytes | None, str | None]:
        """Return a row's bytes, if it has some, and what its file is called, if it says so.

        Raises DataError where they can't be read.
        """
        return self._read(*self._windows.find(row))

    def content(self, row: int) -> bytes:
        """Return a row's bytes, or those of the file that it names. Raises UnreadableSample: it has neither."""
        data, path = self.read(row)
        if data is not None:
            return data
        if path is None:
            raise UnreadableSample("neither bytes nor a path: the cell is null")
        return self._outside(path)


def _reader(kind: Any) -> Callable[[Any, int], tuple[bytes | None, str | None]]:
    from pyarrow import types

    if types.is_struct(kind):
        return _of_struct
    return _of_text if is_text(kind) else _of_bytes


def _of_struct(array: Any, at: int) -> tuple[bytes | None, str | None]:
    if not array[at].is_valid:
        return None, None
    path = array.field(PATH)[at] if array.type.get_field_index(PATH) >= 0 else None
    return _bytes(array.field(BYTES)[at]), _text(path)


def _of_bytes(array: Any, at: int) -> tuple[bytes | None, str | None]:
    return _bytes(array[at]), None


def _of_text(array: Any, at: int) -> tuple[bytes | None, str | None]:
    """Return a text without the spaces around it, as a cell of any table; what is no UTF-8 as it is."""
    data = _bytes(array[at]) or b""
    try:
        return data.decode().strip().encode(), None
    except UnicodeDecodeError:
        return data, None


def _bytes(scalar: Any) -> bytes | None:
    if not scalar.is_valid:
        return None
    found: bytes = scalar.as_buffer().to_pybytes()
    return found


def _text(scalar: Any) -> str | None:
    data = None if scalar is None else _bytes(scalar)
    return None if not data else data.decode(errors="surrogateescape")


def media_columns(schema: Any) -> list[str]:
    """Return the columns that hold bytes, as they are or as ``datasets`` keeps files: ``struct<bytes, path>``."""
    return [field.name for field in schema if _is_bytes(field.type) or is_file(field.type)]


def is_file(kind: Any) -> bool:
    """Return whether a type is that of a file: a struct with bytes, and maybe a path."""
    from pyarrow import types

    if not types.is_struct(kind) or kind.get_field_index(BYTES) < 0:
        return False
    path = kind.get_field_index(PATH)
    return _is_bytes(kind.field(BYTES).type) and (path < 0 or is_text(kind.field(path).type))


def _is_bytes(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def is_text(kind: Any) -> bool:
    """Return whether a type is that of texts."""
    from pyarrow import types

    return bool(types.is_string(kind) or types.is_large_string(kind))
