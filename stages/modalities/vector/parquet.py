"""Parquet files: columns of lists of numbers as vectors, columns of texts and numbers next to them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from frostline.stages.errors import ConfigError, DataError
from frostline.stages.modalities.vector.stored import Layout, Spool, Stored, blamed, check_sound, mapped

_ROWS = 4096


def open_parquet(file: Path) -> Mapping[str, Stored]:
    """Return the columns of lists of numbers, float32 (n, width), and those of texts and plain numbers, texts (n,).

    Raises ConfigError if pyarrow is not installed, DataError for another file.
    """
    if find_spec("pyarrow") is None:
        raise ConfigError(f"{file} needs pyarrow; `pip install 'frostline[parquet]'`")
    from pyarrow import parquet

    with blamed(file), parquet.ParquetFile(file) as opened:
        rows, fields = opened.metadata.num_rows, list(opened.schema_arrow)
        lists = [field.name for field in fields if _is_vector(field.type)]
        found: dict[str, Stored] = {name: _vectors(file, name, rows) for name in lists}
        plain = [field.name for field in fields if _is_plain(field.type)]
    return found | {name: Stored((rows,), np.dtype(object), partial(_texts, file, name)) for name in plain}


def names_in(file: Path) -> tuple[str, ...]:
    """Return the labels or outputs that ``frostline export-features`` wrote, a column each; none of other files."""
    from pyarrow import parquet

    with blamed(file), parquet.ParquetFile(file) as opened:
        about = (opened.schema_arrow.metadata or {}).get(b"frostline", b"{}")
        said = json.loads(about)
        names = said.get("outputs") or said.get("classes") or [] if isinstance(said, dict) else []
        return tuple(map(str, names)) if set(map(str, names)) <= set(opened.schema_arrow.names) else ()


def _vectors(file: Path, name: str, rows: int) -> Stored:
    check_sound(file, name, _values(file, name) * 4, file.stat().st_size)
    first = next((one for one in _batches(file, name) if len(one) > one.null_count), None)
    width = 0 if first is None else int(first.value_lengths().drop_null()[0].as_py())
    layout = Layout((rows, width), np.dtype(np.float32))
    check_sound(file, name, layout.nbytes, file.stat().st_size)
    return mapped(file, layout, Spool(file, layout.nbytes, partial(_unpack, file, name, width)).file)


def _values(file: Path, name: str) -> int:
    """Return how many numbers a column of lists is said to hold; nothing of it is read."""
    from pyarrow import parquet

    with blamed(file), parquet.ParquetFile(file) as opened:
        about = opened.metadata
        groups = [about.row_group(place) for place in range(about.num_row_groups)]
        columns = [group.column(place) for group in groups for place in range(group.num_columns)]
        return sum(one.num_values for one in columns if one.path_in_schema.split(".")[0] == name)


def _batches(file: Path, name: str) -> Iterator[Any]:
    import pyarrow
    from pyarrow import parquet

    with blamed(file, pyarrow.ArrowException), parquet.ParquetFile(file) as opened:
        for batch in opened.iter_batches(_ROWS, columns=[name]):
            yield _as_lists(batch.column(0))


def _as_lists(column: Any) -> Any:
    """Return a column of lists whose lengths may differ, also where its type fixes them."""
    import pyarrow

    return column.cast(pyarrow.large_list(column.type.value_type))


def _unpack(file: Path, name: str, width: int, copy: BinaryIO) -> None:
    row = 0
    for lists in _batches(file, name):
        lengths = np.asarray(lists.value_lengths().fill_null(width))
        if (lengths != width).any():
            odd = int(np.flatnonzero(lengths != width)[0])
            raise DataError(
                f"{file}: row {row + odd + 1} of {name} holds {lengths[odd]} numbers, earlier rows {width}; expected "
                "lists of equal length"
            )
        copy.write(_numbers(lists, width).tobytes())
        row += len(lists)


def _numbers(lists: Any, width: int) -> NDArray[np.float32]:
    """Return lists as rows; NaN for a list, or a number, that is not there."""
    import pyarrow

    rows = np.full((len(lists), width), np.nan, np.float32)
    values = lists.flatten()
    there = np.asarray(lists.is_valid())
    with np.errstate(over="ignore"):
        numbers = values.cast(pyarrow.float64()) if values.type != pyarrow.float32() else values
        rows[there] = numbers.to_numpy(zero_copy_only=False).reshape(-1, width)
    return rows


def _texts(file: Path, name: str, start: int, stop: int) -> NDArray[np.object_]:
    from pyarrow import parquet

    with blamed(file), parquet.ParquetFile(file) as opened:
        cells = opened.read([name]).column(0).slice(start, stop - start).to_pylist()
    return np.array(list(map(_text, cells)), object)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    return "|".join(map(str, value)) if isinstance(value, list) else str(value)


def _is_vector(kind: Any) -> bool:
    from pyarrow import types

    lists = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    return bool(lists and _is_number(kind.value_type))


def _is_plain(kind: Any) -> bool:
    from pyarrow import types

    if types.is_list(kind) or types.is_large_list(kind):
        return bool(types.is_string(kind.value_type) or types.is_large_string(kind.value_type))
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_boolean(kind) or _is_number(kind))


def _is_number(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_integer(kind) or types.is_floating(kind))
