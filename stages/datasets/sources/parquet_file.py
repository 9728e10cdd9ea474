"""``parquet:PATTERN``: rows of images, recordings, texts or paths, in one Parquet file or many."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from itertools import repeat
from pathlib import Path, PurePath

from frostline.stages.datasets.buckets.address import is_address, path_of
from frostline.stages.datasets.containers.blob import Blob
from frostline.stages.datasets.containers.places import expand, is_pattern
from frostline.stages.datasets.parquet_table import ENDING, parquet_rows
from frostline.stages.datasets.samples import Dataset
from frostline.stages.datasets.sources.base import Request
from frostline.stages.datasets.sources.csv_file import CSV
from frostline.stages.datasets.sources.file_splits import file_splits
from frostline.stages.datasets.sources.row_files import open_rows

_NO_NAMES = ("data", "default")


def open_parquet(request: Request) -> Dataset:
    """Return the dataset of Parquet files: one, those of a pattern, or all below a folder; see ``row_files``.

    Files whose names, or folders, say train and test are these splits; else the column ``split`` says, or a fraction.
    Raises DataError that lists all that is wrong.
    """
    blobs = _blobs(request)
    split = file_splits([blob.name for blob in blobs]) if len(blobs) > 1 else None
    used = blobs if split is None else [blobs[number] for number in split.files]
    rows = parquet_rows(used)
    firsts = rows.stored.chunks.first_rows(len(used))
    if split is not None:
        counts = zip(split.splits, (firsts[1:] - firsts[:-1]).tolist(), strict=True)
        cells = [one for name, count in counts for one in repeat(name, count)] if any(split.splits) else []
        rows = replace(rows, splits=cells, notes=split.notes)
    folder = _folder(blobs)
    return open_rows(request, rows, path_of(blobs[0].name) if len(blobs) == 1 else _called(folder), folder)


def _blobs(request: Request) -> Sequence[Blob]:
    """Return the files that are asked for. Raises DataError."""
    is_prefix = is_address(request.place) and not is_pattern(request.place) and request.path.suffix.lower() != ENDING
    return expand(f"{request.path}/**/*{ENDING}" if is_prefix or request.path.is_dir() else request.place)


def _folder(blobs: Sequence[Blob]) -> Path:
    """Return the folder that files have in common."""
    return path_of(os.path.commonpath([PurePath(blob.name).parent for blob in blobs]))


def _called(folder: Path) -> Path:
    """Return the folder whose name is that of the dataset: the one above that of data."""
    return folder.parent if folder.name in _NO_NAMES else folder


PARQUET = replace(
    CSV,
    form="parquet:PATTERN",
    summary="images, recordings, texts or paths in Parquet: a file, files by a pattern, or all of a folder",
    open=open_parquet,
)
