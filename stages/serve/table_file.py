"""A table of any number of rows as one CSV or Parquet file, written a block at a time, there whole or not at all."""

from __future__ import annotations

import csv
import os
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.stages.buckets.address import check_local
from frostline.stages.errors import ConfigError
from frostline.stages.metrics.predictions import harmless
from frostline.stages.store.files import sync_folder

SEPARATOR = ";"


@dataclass(frozen=True, eq=False)
class Column:
    """One column of a block of rows.

    Attributes:
        name: the same in every block.
        values: a text for each row, several texts for each row (lists), or numbers, float64 (n,).
        there: bool (n,), which rows have a value; None: all.
        form: how a number is written in CSV.
    """

    name: str
    values: Sequence[str] | Sequence[Sequence[str]] | NDArray[np.float64]
    there: NDArray[np.bool_] | None = None
    form: str = ".6f"

    @property
    def kind(self) -> str:
        """``number``, ``texts`` or ``text``; there must be a row."""
        if isinstance(self.values, np.ndarray):
            return "number"
        return "text" if isinstance(self.values[0], str) else "texts"


Blocks = Iterable[Sequence[Column]]


def check_table_file(file: Path) -> None:
    """Raise ConfigError where ``write_table`` could not write such a file."""
    check_local(file)
    if file.suffix.lower() not in _WRITERS:
        raise ConfigError(f"can't write {file.name!r}; expected a name that ends in {' or '.join(_WRITERS)}")
    if file.is_dir() or not file.absolute().parent.is_dir():
        found = "it is a folder" if file.is_dir() else f"there is no folder {file.absolute().parent}"
        raise ConfigError(f"can't write {file}: {found}")
    if file.suffix.lower() == ".parquet" and find_spec("pyarrow") is None:
        raise ConfigError("a Parquet file needs pyarrow; `pip install 'frostline[parquet]'`, or name a .csv")


def write_table(file: Path, blocks: Blocks, about: Mapping[str, str]) -> None:
    """Write blocks of the same columns into one file; the same blocks give the same bytes.

    In CSV several texts are separated by ``;``, and what a spreadsheet would take for a formula has an apostrophe
    before it. In Parquet they are lists, numbers are float64, and ``about`` is in the schema's metadata. What is no
    UTF-8 in a text is written out (``\\xff``). A file that is there stays until the new one is whole. Raises
    ConfigError: a full disk, no permission.
    """
    part = file.with_name(f".{file.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        try:
            _WRITERS[file.suffix.lower()](part, blocks, about)
            with part.open("rb") as written:
                os.fsync(written.fileno())
            part.replace(file)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise
        sync_folder(file.absolute().parent)
    except OSError as error:
        raise ConfigError(f"can't write {file}: {error.strerror or error}") from error


def _text(name: str) -> str:
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")


def _to_csv(file: Path, blocks: Blocks, _about: Mapping[str, str]) -> None:
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        for number, columns in enumerate(blocks):
            if not number:
                writer.writerow([harmless(_text(column.name)) for column in columns])
            writer.writerows(zip(*map(_cells, columns), strict=True))


def _cells(column: Column) -> list[str]:
    values: Any = column.values
    if column.kind == "number":
        found = [f"{value:{column.form}}" for value in values.tolist()]
    elif column.kind == "texts":
        found = [SEPARATOR.join(harmless(_text(one)) for one in several) for several in values]
    else:
        found = [harmless(_text(value)) for value in values]
    there = [True] * len(found) if column.there is None else column.there.tolist()
    return [cell if is_there else "" for cell, is_there in zip(found, there, strict=True)]


def _to_parquet(file: Path, blocks: Blocks, about: Mapping[str, str]) -> None:
    import pyarrow
    from pyarrow import parquet

    writer = None
    try:
        for columns in blocks:
            arrays = [_array(column) for column in columns]
            fields = [(_text(column.name), array.type) for column, array in zip(columns, arrays, strict=True)]
            if writer is None:
                writer = parquet.ParquetWriter(file, pyarrow.schema(fields, metadata=dict(about)))
            writer.write_table(pyarrow.Table.from_arrays(arrays, schema=writer.schema))
    finally:
        if writer is not None:
            writer.close()


def _array(column: Column) -> Any:
    import pyarrow

    values: Any = column.values
    gone = None if column.there is None else ~column.there
    if column.kind == "number":
        return pyarrow.array(values, pyarrow.float64(), mask=gone)
    texts: list[Any] = [[*map(_text, one)] if column.kind == "texts" else _text(one) for one in values]
    if gone is not None:
        texts = [None if missing else text for text, missing in zip(texts, gone.tolist(), strict=True)]
    return pyarrow.array(texts, pyarrow.list_(pyarrow.string()) if column.kind == "texts" else pyarrow.string())


_WRITERS: dict[str, Callable[[Path, Blocks, Mapping[str, str]], None]] = {".parquet": _to_parquet, ".csv": _to_csv}
