"""A Parquet file as a table: its columns of texts, numbers and lists of texts, each read when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from frostline.stages.datasets.arrow.cells import table_columns
from frostline.stages.datasets.arrow.features import features_of
from frostline.stages.datasets.arrow.names import RowNames, stems
from frostline.stages.datasets.arrow.parquet_rows import ParquetRows
from frostline.stages.datasets.arrow.rows import RowFiles
from frostline.stages.datasets.containers.blob import Blob, LocalBlob

ENDING = ".parquet"


def parquet_columns(file: Path) -> dict[str, Sequence[str]]:
    """Return the columns of a file by their names. Those of anything else are left out.

    Raises ConfigError if pyarrow is not installed, DataError if the file can't be read.
    """
    return {**table_columns(parquet_rows([LocalBlob(file)]))}


def parquet_rows(blobs: Sequence[Blob]) -> RowFiles:
    """Return the rows of files. Raises ConfigError if pyarrow is not installed, DataError if one can't be read."""
    stored = ParquetRows(blobs)
    names = RowNames(stems([blob.name for blob in blobs]), stored.chunks.first_rows(len(blobs)))
    return RowFiles(stored, names, features_of(stored.schema.metadata), is_table=len(blobs) == 1)
