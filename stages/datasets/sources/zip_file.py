"""``zip:PATTERN``: images or recordings in zip files, in class folders or named by a table that is in there too."""

from __future__ import annotations

from frostline.stages.datasets.containers.zip import VERSION, scan_zip, zip_content
from frostline.stages.datasets.samples import Dataset, Samples
from frostline.stages.datasets.sources.base import Request, Source
from frostline.stages.datasets.sources.containers import SETTINGS, Format, open_containers, unlabelled_containers


def open_zip(request: Request) -> Dataset:
    """Return the dataset of zip files; see ``docs/sources.md``."""
    return open_containers(request, _FORMAT)


def zip_samples(request: Request) -> tuple[Samples, tuple[str, ...]]:
    """Return all samples of zip files, without labels, and notes."""
    return unlabelled_containers(request, _FORMAT)


_LABELS = "class folders, or a table in the zip file with the columns path and label"
_FORMAT = Format(VERSION, scan_zip, zip_content, _LABELS)


ZIP = Source(
    "zip:FILE",
    "images or recordings in a zip file, in folders as for folder:PATH, or listed in a table inside it",
    open_zip,
    settings=SETTINGS,
    at_hand=True,
    samples=zip_samples,
)
