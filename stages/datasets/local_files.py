"""The local files that a dataset is read from, as its name says."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from frostline.stages.buckets.address import is_address
from frostline.stages.datasets.containers.places import expand
from frostline.stages.datasets.parquet_table import ENDING
from frostline.stages.errors import DataError


def local_files(dataset: str) -> list[Path]:
    """Return the files, or the folder of samples, that a dataset's name means; none for one without a place.

    >>> local_files("digits"), local_files("tar:s3://bucket/a.tar")
    ([], [])
    """
    prefix, _, place = dataset.partition(":")
    if not place or is_address(place):
        return []
    path = Path(place).expanduser()
    if path.exists():
        return sorted(path.rglob(f"*{ENDING}")) if prefix == "parquet" and path.is_dir() else [path]
    with suppress(DataError):
        return [Path(blob.name) for blob in expand(place)]
    return []
