"""The splits of samples in several files, by what these are called, or by which setting names them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath

from frostline.stages.datasets.containers.blob import Blob
from frostline.stages.datasets.containers.places import expand
from frostline.stages.datasets.sources.base import Request
from frostline.stages.datasets.sources.split_names import role
from frostline.stages.errors import DataError, listing

_BETWEEN = re.compile(r"[\s_.-]+")
_COUNTS = re.compile(r"[{*?[]")


@dataclass(frozen=True)
class Named:
    """The files of a dataset, and the split of each; no splits where their names say nothing of it."""

    blobs: list[Blob]
    splits: list[str]


def named_blobs(request: Request) -> Named:
    """Return the files that a request names, training first.

    With ``--test`` what it names is the test split, and all else training; else ``train-000.tar`` and ``test/000.tar``
    are what they are called. Raises DataError where only some are called so, or a file is on both sides.
    """
    blobs = expand(request.place)
    if request.test is None:
        return _by_name(blobs)
    held = expand(request.test)
    both = sorted({blob.name for blob in blobs} & {blob.name for blob in held})
    if both:
        raise DataError(f"files of training are named by --test, too:\n{listing(both)}")
    return Named([*blobs, *held], ["train"] * len(blobs) + ["test"] * len(held))


def _by_name(blobs: list[Blob]) -> Named:
    roles = [role_of_file(blob.name) for blob in blobs]
    if len(blobs) == 1 or not any(roles):
        return Named(blobs, [])
    if not all(roles):
        unclear = [blob.name for blob, own in zip(blobs, roles, strict=True) if own is None]
        said = next(own for own in roles if own)
        raise DataError(
            f"some files are called as splits are ({said}), and others not; say which are which by --train and --test:\n"
            f"{listing(unclear)}"
        )
    splits = [own for own in roles if own]
    return Named(blobs, splits) if len(set(splits)) > 1 else Named(blobs, [])


def role_of_file(name: str) -> str | None:
    """Return the split that a file is called by, or else its folder.

    >>> role_of_file("data/cifar-train-0001.tar"), role_of_file("val/0001.tar"), role_of_file("0001.tar")
    ('train', 'val', None)
    """
    path = PurePath(name)
    found = {own for part in _BETWEEN.split(path.name) if (own := role(part))}
    return found.pop() if len(found) == 1 else role(path.parent.name)


def name_of(place: str) -> str:
    """Return what the dataset at a place is called: its file's name without what counts, or else its folder's.

    >>> name_of("data/cifar-{000..009}.tar"), name_of("pets/*.tar"), name_of("pets/train-*.tar"), name_of("a/flowers.zip")
    ('cifar', 'pets', 'pets', 'flowers')
    """
    path = PurePath(place)
    stem = _COUNTS.split(path.name)[0].rstrip("-_. ")
    stem = PurePath(stem).stem if stem == path.name else stem
    return stem if stem and not role(stem) else path.parent.name or stem or "samples"
