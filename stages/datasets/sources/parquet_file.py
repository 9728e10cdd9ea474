"""``parquet:PATTERN``: rows of images, recordings, texts or paths, in one Parquet file or many."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from itertools import repeat
from pathlib import Path, PurePath

import numpy as np

from frostline.stages.datasets.buckets.address import is_address, path_of
from frostline.stages.datasets.containers.blob import Blob
from frostline.stages.datasets.containers.places import is_pattern
from frostline.stages.datasets.parquet_table import ENDING, parquet_rows
from frostline.stages.datasets.samples import Dataset
from frostline.stages.datasets.sources.base import Request
from frostline.stages.datasets.sources.container_splits import named_blobs
from frostline.stages.datasets.sources.csv_file import CSV
from frostline.stages.datasets.sources.row_files import open_rows

_NO_NAMES = ("data", "default")


def open_parquet(request: Request) -> Dataset:
    """Return the dataset of Parquet files: one, those of a pattern, or all below a folder; see ``row_files``.

    Files whose names, or folders, say train and test are these splits, or ``--test`` names those of test; else the
    column ``split`` says, or a fraction. Raises DataError that lists all that is wrong.
    """
    test = request.test and _pattern(request.test)
    named = named_blobs(replace(request, place=_pattern(request.place), test=test))
    rows = parquet_rows(named.blobs)
    counts = np.diff(rows.stored.chunks.first_rows(len(named.blobs))).tolist()
    cells = [one for name, count in zip(named.splits, counts, strict=False) for one in repeat(name, count)]
    rows = replace(rows, splits=cells, notes=named.notes)
    folder = _folder(named.blobs)
    return open_rows(request, rows, path_of(named.blobs[0].name) if len(counts) == 1 else _called(folder), folder)


def _pattern(place: str) -> str:
    """Return a place as a pattern: of a folder, here or in a bucket, all files of Parquet below it."""
    if is_address(place):
        is_folder = not is_pattern(place) and not place.lower().endswith(ENDING)
    else:
        is_folder = Path(place).expanduser().is_dir()
    return f"{place.rstrip('/')}/**/*{ENDING}" if is_folder else place


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
    settings=(*CSV.settings, "test"),
)
