"""A Parquet file as a table: its columns of texts, numbers and lists of texts."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from frostline.stages.datasets.json_lines import cell
from frostline.stages.errors import ConfigError, DataError, listing

ENDING = ".parquet"
_FEW_ROWS = 1 << 22
_SMALL, _RATIO = 256 << 20, 100  # bytes that any table may take, and how many times its file's
Parsed = tuple[tuple[str, ...], tuple[tuple[str, ...], ...], tuple[int, ...]]


def parsed_parquet(file: Path) -> Parsed:
    """Return the header, the rows as texts and their numbers, from 1. Columns of anything else are left out.

    Raises ConfigError if pyarrow is not installed, DataError if the file can't be read, or would unfold without end.
    """
    if find_spec("pyarrow") is None:
        raise ConfigError(f"{file} needs pyarrow; `pip install 'frostline[parquet]'`")
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(file) as opened:
            fields = [field for field in opened.schema_arrow if _is_plain(field.type)]
            _check_declared(file, opened.metadata)
        names = [field.name for field in fields]
        with parquet.ParquetFile(file, read_dictionary=[one.name for one in fields if _is_text(one.type)]) as opened:
            table = opened.read(names)
        _check_size(file, "its texts", sum(map(_text_bytes, table.columns)))
        columns = table.to_pydict()
    except (OSError, pyarrow.ArrowException, MemoryError) as error:
        raise DataError(f"can't read the table {file}: {error}") from error
    return tuple(names), _rows(file, columns), tuple(range(1, len(next(iter(columns.values()), [])) + 1))


def _check_declared(file: Path, about: Any) -> None:
    """Raise DataError for far more rows, or bytes before texts that repeat are unfolded, than a file's size allows."""
    if about.num_rows > max(_FEW_ROWS, file.stat().st_size):
        raise DataError(f"{file} is said to have {about.num_rows:,} rows, and has {file.stat().st_size:,} bytes")
    groups = [about.row_group(place) for place in range(about.num_row_groups)]
    _check_size(
        file,
        "its columns",
        sum(one.column(i).total_uncompressed_size for one in groups for i in range(one.num_columns)),
    )


def _check_size(file: Path, what: str, size: int) -> None:
    held = file.stat().st_size
    if size > max(_SMALL, _RATIO * held):
        raise DataError(
            f"{file}: {what} take {size:,} bytes, and lie in {held:,}; no table shrinks so much, so it is not read"
        )


def _text_bytes(column: Any) -> int:
    """Return how many bytes the texts of a column take once those that repeat are unfolded."""
    from pyarrow import compute, int64, types

    if not types.is_dictionary(column.type):
        return int(column.nbytes)
    total = 0
    for chunk in column.chunks:
        lengths = compute.binary_length(chunk.dictionary).cast(int64())
        total += compute.sum(compute.take(lengths, chunk.indices)).as_py() or 0
    return total


def _rows(file: Path, columns: dict[str, list[Any]]) -> tuple[tuple[str, ...], ...]:
    cells: list[list[str]] = []
    wrong: list[str] = []
    for name, values in columns.items():
        cells.append([])
        for row, value in enumerate(values, 1):
            try:
                cells[-1].append(cell(name, _number(value)))
            except ValueError as error:
                wrong.append(f"row {row}: {error}")
                cells[-1].append("")
    if wrong:
        raise DataError(f"{file} can't be used:\n{listing(wrong)}")
    return tuple(zip(*cells, strict=True))


def _number(value: Any) -> Any:
    return repr(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _is_plain(kind: Any) -> bool:
    from pyarrow import types

    if types.is_list(kind) or types.is_large_list(kind):
        return bool(_is_text(kind.value_type))
    return bool(_is_text(kind) or types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind))


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_string(kind) or types.is_large_string(kind))
