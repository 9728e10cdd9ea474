"""``parquet:PATTERN``: rows of images, recordings, texts or paths, in one Parquet file or many."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from itertools import repeat
from pathlib import Path, PurePath

from frostline.stages.buckets.address import is_address, path_of
from frostline.stages.datasets.containers.blob import Blob
from frostline.stages.datasets.containers.places import expand, is_pattern
from frostline.stages.datasets.parquet_table import ENDING, parquet_rows
from frostline.stages.datasets.samples import Dataset, Samples
from frostline.stages.datasets.sources.base import Request
from frostline.stages.datasets.sources.container_splits import named_blobs
from frostline.stages.datasets.sources.csv_file import CSV
from frostline.stages.datasets.sources.row_files import all_rows, open_rows

_NO_NAMES = ("data", "default")


def open_parquet(request: Request) -> Dataset:
    """Return the dataset of Parquet files: one, those of a pattern, or all below a folder; see ``row_files``.

    Files whose names, or folders, say train and test are these splits, or ``--test`` names those of test; else the
    column ``split`` says, or a fraction. Raises DataError that lists all that is wrong.
    """
    test = request.test and _pattern(request.test)
    named = named_blobs(replace(request, place=_pattern(request.place), test=test))
    rows = parquet_rows(named.blobs)
    cells = [one for name, n in zip(named.splits, rows.names.counts, strict=False) for one in repeat(name, n)]
    return open_rows(request, replace(rows, splits=cells, notes=named.notes), *_places(named.blobs))


def parquet_samples(request: Request) -> tuple[Samples, tuple[str, ...]]:
    """Return the samples of all files of a request without labels, and notes. Raises DataError."""
    blobs = expand(_pattern(request.place))
    return all_rows(request, parquet_rows(blobs), *_places(blobs))


def _pattern(place: str) -> str:
    """Return a place as a pattern: of a folder, here or in a bucket, all files of Parquet below it."""
    if is_address(place):
        is_folder = not is_pattern(place) and not place.lower().endswith(ENDING)
    else:
        is_folder = Path(place).expanduser().is_dir()
    return f"{place.rstrip('/')}/**/*{ENDING}" if is_folder else place


def _places(blobs: Sequence[Blob]) -> tuple[Path, Path]:
    """Return what a dataset is called by, its file or the folder of all, above that of data, and where it lies."""
    folder = path_of(os.path.commonpath([PurePath(blob.name).parent for blob in blobs]))
    if len(blobs) == 1:
        return path_of(blobs[0].name), folder
    return folder.parent if folder.name in _NO_NAMES else folder, folder


PARQUET = replace(
    CSV,
    form="parquet:PATTERN",
    summary="images, recordings, texts or paths in Parquet: a file, files by a pattern, or all of a folder",
    open=open_parquet,
    samples=parquet_samples,
)
