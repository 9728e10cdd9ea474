"""Samples that are texts in a column of a table."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from frostline.stages.datasets.names import folded
from frostline.stages.datasets.samples import Samples
from frostline.stages.datasets.table import Table, read_table
from frostline.stages.errors import ConfigError
from frostline.stages.modalities.registry import MODALITIES
from frostline.stages.targets.values import Targets

TEXT = "text"
COLUMNS = ("text", "sentence", "question", "document", "content", "review", "tweet", "comment", "abstract", "utterance")
"""What a column of texts is called, where nobody names one."""


def text_column(table: Table, asked: str | None) -> str | None:
    """Return the column whose cells are the samples; None where the table names files.

    That is the one asked for; else, in a table without paths, the first that is called as columns of texts are. Raises
    DataError where there is no such column.
    """
    if asked is not None:
        table.column(asked, "--input")
        return asked
    if table.find("path") is not None:
        return None
    return next((name for name in COLUMNS if table.find(name) is not None), None)


def text_samples(dataset: str, targets: Targets, table: Table, column: str) -> Samples:
    """Return the cells of a column as samples; their ids are those of a column ``id``, or their lines."""
    encoded = _encoded(table, column)
    kind = MODALITIES.load(TEXT)
    digests = b"".join(hashlib.sha256(data).digest() for data in encoded)
    faults = ((row, kind.find_fault(data)) for row, data in enumerate(encoded))
    return Samples(
        dataset,
        "all",
        targets,
        row_names(table),
        np.frombuffer(digests, np.uint8).reshape(-1, 32),
        lambda row: kind.decode(encoded[row]),
        {row: fault for row, fault in faults if fault},
        lambda row: encoded[row],
        TEXT,
    )


def row_names(table: Table) -> list[str]:
    """Return what the rows are called: by the column ``id``, if it tells them all apart, else by their lines."""
    return named_rows(table) or [table.where(row) for row in range(len(table))]


def named_rows(table: Table) -> list[str]:
    """Return the column ``id``, if it tells all rows apart; else nothing."""
    at = next((i for i, name in enumerate(table.header) if folded(name) == "id"), None)
    ids = list(table.columns[at]) if at is not None else []
    return ids if all(ids) and len(set(ids)) == len(ids) else []


def texts_of(
    file: Path, column: str | None, columns: Mapping[str, str] | None = None
) -> tuple[list[tuple[str, bytes]], tuple[str, ...]]:
    """Return the texts of a table, each with what its row is called, and notes on it.

    Raises DataError if it has no column of texts.
    """
    table = read_table(file, (column or TEXT,), columns, "a column of texts; see --input", COLUMNS)
    found = column or next(name for name in COLUMNS if table.find(name) is not None)
    return list(zip(row_names(table), _encoded(table, found), strict=True)), table.notes


def check_no_files(asked: Mapping[str, object], column: str) -> None:
    """Raise ConfigError for settings, by name, that mean something to files alone."""
    given = [f"--{name.replace('_', '-')}" for name, value in asked.items() if value]
    if given:
        raise ConfigError(f"{', '.join(given)} with the texts of column {column}, which are not files; leave it out")


def _encoded(table: Table, column: str) -> list[bytes]:
    """Return a column's cells as bytes; of a lone surrogate, which JSON can hold, such as are no UTF-8."""
    return [cell.encode(errors="surrogatepass") for cell in table.column(column, "--input")]
