"""The blobs that a place or a pattern names."""

from __future__ import annotations

import glob
import itertools
import math
import re
from collections.abc import Sequence
from pathlib import Path

from frostline.stages.buckets.address import is_address
from frostline.stages.datasets.buckets.places import is_object_pattern, matching_objects, objects_at, open_object
from frostline.stages.datasets.containers.blob import Blob, LocalBlob
from frostline.stages.errors import DataError, counted, listing

_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_MOST = 1_000_000


def open_blob(place: str) -> Blob:
    """Return what lies at a path or an address. Raises DataError: nothing, or no file."""
    return open_object(place) if is_address(place) else LocalBlob(Path(place).expanduser())


def expand(pattern: str) -> list[Blob]:
    """Return the blobs that a pattern names, in its order; those of ``*``, ``?`` and ``[…]`` sorted by name.

    ``shards-{000..999}.tar`` counts, ``{train,extra}`` lists. A file of the very name is meant first. Raises DataError:
    no file, or the files of a range that are missing.
    """
    if is_address(pattern):
        return _objects(pattern)
    if Path(pattern).expanduser().is_file():
        return [open_blob(pattern)]
    names = braced(pattern)
    found = [(name, _matching(name)) for name in names]
    missing = [name for name, files in found if not files]
    if len(missing) == len(names):
        raise DataError(
            f"no file {pattern}; expected a file, or a pattern: * stands for anything, {{00..99}} for numbers"
        )
    if missing:
        raise DataError(f"{counted(len(missing), 'file')} of {pattern} not found:\n{listing(missing)}")
    return [open_blob(file) for file in dict.fromkeys(file for _, files in found for file in files)]


def _objects(pattern: str) -> list[Blob]:
    """Return the objects that an address, with a pattern or without, names. Braces are not listed. Raises DataError."""
    names = list(dict.fromkeys(braced(pattern)))
    found = {name: matching_objects(name) for name in names if is_object_pattern(name)}
    plain = [name for name in names if name not in found]
    found |= dict(zip(plain, ([blob] if blob else [] for blob in objects_at(plain)), strict=True))
    missing = [name for name in names if not found[name]]
    if missing and len(missing) == len(names) and not plain:
        raise DataError(f"no object matches {pattern}; check the names, or give one without * and ?")
    if missing:
        raise DataError(f"{counted(len(missing), 'object')} of {pattern} not found:\n{listing(missing)}")
    return [blob for name in names for blob in found[name]]


def is_pattern(place: str) -> bool:
    """Return whether a place is written as a pattern."""
    return glob.has_magic(place) or bool(_BRACES.search(place))


def _matching(name: str) -> list[str]:
    """Return the files that a name without braces stands for, sorted."""
    path = str(Path(name).expanduser())
    if Path(path).is_file():
        return [path]
    found = glob.glob(path, recursive=True)  # noqa: PTH207 (a Path has no pattern that is absolute)
    return sorted(file for file in found if Path(file).is_file())


def braced(pattern: str) -> list[str]:
    """Return what a pattern's braces stand for, those of the last changing first. Raises DataError: too many."""
    start, *rest = _BRACES.split(pattern)
    choices = [_choices(inner) for inner in rest[::2]]
    if math.prod(map(len, choices)) > _MOST:
        raise DataError(f"{pattern} names more than {_MOST:,} files; expected fewer")
    return [
        start + "".join(one + after for one, after in zip(chosen, rest[1::2], strict=True))
        for chosen in itertools.product(*choices)
    ]


def _choices(inner: str) -> Sequence[str]:
    """Return what one pair of braces stands for; a range counts with as many digits as its first number has."""
    found = _RANGE.fullmatch(inner)
    if not found:
        return inner.split(",")
    first, last = int(found[1]), int(found[2])
    if last - first >= _MOST:
        raise DataError(f"{{{inner}}} counts more than {_MOST:,} files; expected fewer")
    return [f"{number:0{len(found[1])}d}" for number in range(first, last + 1)]
