"""Files that a table names: below a root, or an error that says what is wrong with the path."""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from frostline.stages.datasets.names import folded
from frostline.stages.datasets.walk import Files
from frostline.stages.errors import counted
from frostline.stages.modalities.registry import MODALITIES

_DRIVE = re.compile(r"[A-Za-z]:[\\/]|\\\\")


@dataclass(frozen=True)
class Located:
    """The files of a table's rows. ``faults``: what is wrong with a row's path. ``notes``: how paths were understood.

    ``files``: those of the rows without a fault, in order.
    """

    files: Files = field(default_factory=Files)
    faults: dict[int, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def absolute(folder: Path) -> Path:
    """Return a folder's path from the top of the file system, links left as they are."""
    return Path(os.path.normpath(folder.expanduser().absolute()))


def locate(root: Path, paths: Sequence[str]) -> Located:
    """Return the files that paths lead to. They stay below the root, after links are followed, too."""
    found, real = Located(), cache(Path.resolve)
    ways: Counter[str] = Counter()
    for row, path in enumerate(paths):
        try:
            place, info, way = _find(root, path, real)
            found.files.add(place, info)
            ways[way] += 1
        except ValueError as error:
            found.faults[row] = str(error)
    notes = tuple(f"{counted(n, 'path')} {way}" for way, n in ways.items() if way)
    return Located(found.files, found.faults, notes)


def _find(root: Path, path: str, real: Callable[[Path], Path]) -> tuple[str, os.stat_result, str]:
    """Return a row's file, below the root, its status, and how its path was understood. Raises ValueError: why not."""
    if not path:
        raise ValueError("no path")
    for spelled, way in _spellings(path):
        full = Path(os.path.normpath(root / spelled))
        if not full.is_relative_to(root):
            raise ValueError(f"{path} leads out of the folder of the images")
        try:
            info = full.stat()
        except (OSError, ValueError):  # ValueError: a NUL in the path
            continue
        if not stat.S_ISREG(info.st_mode):
            raise ValueError(f"{path} is not a regular file")
        if not real(full if full.is_symlink() else full.parent).is_relative_to(real(root)):
            raise ValueError(f"{path} is a link that leads out of the folder of the images")
        return full.relative_to(root).as_posix(), info, way
    raise ValueError(f"{path}: no such file{_hint(root, path)}")


def _spellings(path: str) -> Iterator[tuple[str, str]]:
    """Yield a path as it is written, then as it may be meant, each with how that is said."""
    yield path, ""
    slashed = path.replace("\\", "/")
    if slashed != path and not _DRIVE.match(path):
        yield slashed, "with backslashes are read with slashes"
    for form in ("NFC", "NFD"):
        if not slashed.isascii():
            yield unicodedata.normalize(form, slashed), "found in another Unicode form"


def _hint(root: Path, path: str) -> str:
    """Return what a path that leads nowhere may have meant."""
    if "://" in path:
        return "; an address: download the images, and name the files"
    if _DRIVE.match(path):
        return "; a path of Windows: write it from the folder of the images on, or name that by --root"
    try:
        full = Path(os.path.normpath(root / path.replace("\\", "/")))
        near = [name for name in _names(full.parent) if _is_meant(full.name, name)]
    except (OSError, ValueError):
        return ""
    return f"; {near[0]} is there" if near else ""


@cache
def _names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def _is_meant(name: str, found: str) -> bool:
    """Whether a file's name differs in case alone, or in an ending that the table leaves out."""
    file = Path(found)
    is_image = file.suffix.lower() in MODALITIES.load("image").extensions
    return folded(found) == folded(name) or (file.stem == name and is_image)
