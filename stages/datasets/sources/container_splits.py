"""The splits of samples in several files, by what these are called, or by which setting names them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import PurePath

from frostline.stages.datasets.containers.blob import Blob
from frostline.stages.datasets.containers.places import braced, expand
from frostline.stages.datasets.sources.base import Request
from frostline.stages.datasets.sources.file_splits import file_splits
from frostline.stages.datasets.sources.split_names import role
from frostline.stages.errors import DataError, listing

_COUNTS = re.compile(r"[{*?[]")
_PATTERN = re.compile(r"[{}*?]")


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
        raise DataError(f"some training files are also given with --test:\n{listing(both)}")
    return Named([*blobs, *held], ["train"] * len(blobs) + ["test"] * len(held))


def _by_name(blobs: Sequence[Blob]) -> Named:
    found = file_splits([blob.name for blob in blobs])
    used = [blobs[number] for number in found.files]
    return Named(used, list(found.splits) if any(found.splits) else [], found.notes)


def name_of(place: str) -> str:
    """Return what the dataset at a place is called: its file's name without what counts, or else its folder's.

    >>> name_of("data/cifar-{000..009}.tar"), name_of("pets/train-*.tar"), name_of("data/flowers.zip")
    ('cifar', 'pets', 'flowers')
    >>> name_of("{pets/a-0,pets/more}.tar"), name_of("pets/{train,val}/*.tar"), name_of("{a/one,b/two}.tar")
    ('pets', 'pets', 'one')
    """
    path = PurePath(place)
    stem = _COUNTS.split(path.name)[0].rstrip("-_. ")
    stem = PurePath(stem).stem if stem == path.name else stem
    name = stem if stem and not role(stem) else path.parent.name or stem or "samples"
    return _of_all(braced(place)) if _PATTERN.search(name) else name


def _of_all(places: Sequence[str]) -> str:
    """Return what places are called together: as the folder of all, that is no split, else as the first file."""
    folders = [PurePath(place).parent.parts for place in places]
    shared = [one[0] for one in takewhile(lambda one: len({*one}) == 1, zip(*folders, strict=False))]
    named = [name for name in takewhile(lambda one: not _PATTERN.search(one), shared) if name != "/" and not role(name)]
    return named[-1] if named else _PATTERN.sub("", PurePath(places[0]).stem) or "samples"
