"""A Parquet file as a table: its columns of texts, numbers and lists of texts."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from frostline.stages.datasets.json_lines import cell
from frostline.stages.errors import ConfigError, DataError, listing

ENDING = ".parquet"
Parsed = tuple[tuple[str, ...], tuple[tuple[str, ...], ...], tuple[int, ...]]


def parsed_parquet(file: Path) -> Parsed:
    """Return the header, the rows as texts and their numbers, from 1. Columns of anything else are left out.

    Raises ConfigError if pyarrow is not installed, DataError if the file can't be read.
    """
    if find_spec("pyarrow") is None:
        raise ConfigError(f"{file} needs pyarrow; `pip install 'frostline[parquet]'`")
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(file) as opened:
            names = [field.name for field in opened.schema_arrow if _is_plain(field.type)]
            columns = opened.read(names).to_pydict()
    except (OSError, pyarrow.ArrowException, MemoryError) as error:
        raise DataError(f"can't read the table {file}: {error}") from error
    return tuple(names), _rows(file, columns), tuple(range(1, len(next(iter(columns.values()), [])) + 1))


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
