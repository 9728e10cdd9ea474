"""Files that a table names: below a root, or an error that says what is wrong with the path."""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from pathlib import Path
from urllib.parse import unquote

from frostline.stages.datasets.names import folded
from frostline.stages.datasets.walk import Files, endings_of
from frostline.stages.errors import counted

_DRIVE = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_FILE = re.compile(r"file:(//(localhost)?)?(?=/)", re.IGNORECASE)


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
    found, finder = Located(), _Finder(root)
    ways: Counter[str] = Counter()
    for row, path in enumerate(paths):
        try:
            place, info, way = finder.find(path)
            found.files.add(place, info)
            ways[way] += 1
        except ValueError as error:
            found.faults[row] = str(error)
    notes = tuple(f"{counted(n, 'path')} {way}" for way, n in ways.items() if way)
    return Located(found.files, found.faults, notes)


class _Finder:
    """Finds files below one root, each folder looked at once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._real: Callable[[Path], Path] = cache(Path.resolve)
        self._listed: Callable[[Path], _Names] = cache(_names)

    def find(self, path: str) -> tuple[str, os.stat_result, str]:
        """Return a file, below the root, its status, and how its path was understood. Raises ValueError: why not."""
        if not path:
            raise ValueError("no path")
        for spelled, way in chain(_spellings(path), self._completed(path)):
            full = self._below(path, spelled)
            try:
                info = full.stat()
            except (OSError, ValueError):  # ValueError: a NUL in the path
                continue
            if not stat.S_ISREG(info.st_mode):
                raise ValueError(f"{path} is not a regular file")
            if not self._real(full if full.is_symlink() else full.parent).is_relative_to(self._real(self.root)):
                raise ValueError(f"{path} is a link to a file outside {self.root}")
            return full.relative_to(self.root).as_posix(), info, way
        raise ValueError(f"{path}: no such file{self._hint(path)}")

    def _below(self, path: str, spelled: str) -> Path:
        full = Path(os.path.normpath(self.root / spelled))
        if not full.is_relative_to(self.root):
            raise ValueError(f"{path} leads outside {self.root}")
        return full

    def _completed(self, path: str) -> Iterator[tuple[str, str]]:
        """Yield a path with the ending that it lacks, where one file alone has it."""
        full = Path(path.replace("\\", "/"))
        images = self._beside(path).images.get(full.name, [])
        if len(images) == 1:
            yield f"{full.parent.as_posix()}/{images[0]}", "without an extension match the files of that name"

    def _hint(self, path: str) -> str:
        """Return what a path that leads nowhere may have meant."""
        if path.startswith("~"):
            return "; ~ is not expanded: write the full path, or give its folder with --root"
        if "://" in path and not _FILE.match(path):
            return "; addresses of this kind are not supported: expected s3://, gs://, az:// or https://"
        if _DRIVE.match(path):
            return f"; this is a Windows path: write it relative to {self.root}, or give its folder with --root"
        near = self._beside(path).by_fold.get(folded(Path(path.replace("\\", "/")).name))
        return f"; {near} is there" if near else ""

    def _beside(self, path: str) -> _Names:
        """Return what lies in the folder that a path leads to; nothing outside the root."""
        folder = Path(os.path.normpath(self.root / path.replace("\\", "/"))).parent
        return self._listed(folder) if folder.is_relative_to(self.root) else _Names()


@dataclass(frozen=True)
class _Names:
    """The files of one folder. ``images``: by their names without endings; ``by_fold``: by their names in any case."""

    images: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    by_fold: dict[str, str] = field(default_factory=dict)


def _names(folder: Path) -> _Names:
    found, endings = _Names(), endings_of()
    try:
        for entry in sorted(folder.iterdir()):
            found.by_fold[folded(entry.name)] = entry.name
            if entry.suffix.lower() in endings:
                found.images[entry.stem].append(entry.name)
    except (OSError, ValueError):
        return _Names()
    return found


def _spellings(path: str) -> Iterator[tuple[str, str]]:
    """Yield a path as it is written, then as it may be meant, each with how that is said."""
    yield path, ""
    if _FILE.match(path):
        yield unquote(_FILE.sub("", path)), "written as file: addresses are read without that prefix"
    slashed = path.replace("\\", "/")
    if slashed != path and not _DRIVE.match(path):
        yield slashed, "with backslashes are read with slashes"
    for form in ("NFC", "NFD"):
        if not slashed.isascii():
            yield unicodedata.normalize(form, slashed), "found in a different Unicode form"
