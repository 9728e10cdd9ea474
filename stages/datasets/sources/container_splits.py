"""The splits of samples in several files, by what these are called, or by which setting names them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from frostline.stages.datasets.containers.blob import Blob
from frostline.stages.datasets.containers.places import expand
from frostline.stages.datasets.sources.base import Request
from frostline.stages.datasets.sources.file_splits import file_splits
from frostline.stages.datasets.sources.split_names import role
from frostline.stages.errors import DataError, listing

_COUNTS = re.compile(r"[{*?[]")


@dataclass(frozen=True)
class Named:
    """The files of a dataset, and the split of each; no splits where their names say nothing of it."""

    blobs: list[Blob]
    splits: list[str]
    notes: tuple[str, ...] = ()


def named_blobs(request: Request) -> Named:
    """Return the files that a request names, training first.

    What ``test`` names is the test split, and the place is training then; else files are of the splits that they are
    called by, see ``file_splits``. Raises DataError where a file is on both sides.
    """
    blobs = expand(request.place)
    if request.test is None:
        return _by_name(blobs)
    held = expand(request.test)
    both = sorted({blob.name for blob in blobs} & {blob.name for blob in held})
    if both:
        raise DataError(f"files of training are named by --test, too:\n{listing(both)}")
    return Named([*blobs, *held], ["train"] * len(blobs) + ["test"] * len(held))


def _by_name(blobs: Sequence[Blob]) -> Named:
    found = file_splits([blob.name for blob in blobs])
    used = [blobs[number] for number in found.files]
    return Named(used, list(found.splits) if any(found.splits) else [], found.notes)


def name_of(place: str) -> str:
    """Return what the dataset at a place is called: its file's name without what counts, or else its folder's.

    >>> name_of("data/cifar-{000..009}.tar"), name_of("pets/train-*.tar"), name_of("data/flowers.zip")
    ('cifar', 'pets', 'flowers')
    """
    path = PurePath(place)
    stem = _COUNTS.split(path.name)[0].rstrip("-_. ")
    stem = PurePath(stem).stem if stem == path.name else stem
    return stem if stem and not role(stem) else path.parent.name or stem or "samples"
