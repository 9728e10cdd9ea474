"""The files of one kind below a folder, each with the size and times that an unchanged file keeps."""

from __future__ import annotations

import os
import stat
from array import array
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from frostline.stages.datasets.clutter import is_clutter
from frostline.stages.modalities.registry import MODALITIES

FileIdentity = tuple[int, int]
FILE_MODALITIES = ("image", "audio")
"""The modalities of which a file's ending tells."""


class Files:
    """Files below one root, in columns: an object per file is what takes the time of a large folder.

    ``paths``: below the root. ``facts``: int64 (n, 3), size in bytes (-1: not a regular file), mtime and ctime in ns.
    """

    def __init__(self) -> None:
        self.paths: list[str] = []
        self._facts = array("q")

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def facts(self) -> NDArray[np.int64]:
        return np.frombuffer(self._facts, np.int64).reshape(-1, 3) if self.paths else np.zeros((0, 3), np.int64)

    def add(self, path: str, info: os.stat_result) -> None:
        size = info.st_size if stat.S_ISREG(info.st_mode) else -1
        self.paths.append(path)
        self._facts.extend((size, info.st_mtime_ns, info.st_ctime_ns))

    def add_facts(self, path: str, facts: Iterable[int]) -> None:
        self.paths.append(path)
        self._facts.extend(facts)

    def extend(self, other: Files) -> None:
        self.paths += other.paths
        self._facts += other._facts

    def sort(self) -> None:
        """Order the files by path."""
        order = sorted(range(len(self)), key=self.paths.__getitem__)
        self._facts = array("q", self.facts[order].tobytes())
        self.paths = [self.paths[i] for i in order]


@dataclass(frozen=True)
class Tree:
    """What lies below one folder.

    ``files``: those with an ending that was looked for, sorted by path. ``others``: the paths of
    the other files. ``unreadable``: the folders that can't be listed, each with the reason.
    ``clutter``: the leftovers of systems that were skipped. ``inner``: the folders directly below.
    """

    files: Files = field(default_factory=Files)
    others: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    clutter: list[str] = field(default_factory=list)
    inner: list[str] = field(default_factory=list)


def endings_of(modality: str | None = None) -> frozenset[str]:
    """Return the endings of a modality's files, in lower case and with the dot; None: of any that has some."""
    named = FILE_MODALITIES if modality is None else (modality,)
    return frozenset().union(*(MODALITIES.load(name).extensions for name in named))


def ending(path: str) -> str:
    """Return the ending of a path, in lower case and with the dot."""
    return path[path.rfind(".") :].lower()


def only(tree: Tree, modality: str) -> Tree:
    """Return a tree with the files of one modality; those of others are among the others."""
    endings, kept, others = endings_of(modality), Files(), list(tree.others)
    for path, facts in zip(tree.files.paths, tree.files.facts, strict=True):
        if ending(path) in endings:
            kept.add_facts(path, facts.tolist())
        else:
            others.append(path)
    return replace(tree, files=kept, others=others)


def walk(root: Path, below: str, modality: str | None = None) -> Tree:
    """Return the files under ``root/below``, by the endings of a modality, or of any. No file is opened.

    Links are followed; a folder that several lead to is entered once, by its own path if
    that is in the tree, and none leads back up. Names that begin with a dot are skipped.
    """
    tree = Tree()
    seen = {_identity(root / parent) for parent in PurePosixPath(below).parents}
    pending = deque([below])
    endings = endings_of(modality)
    while pending:
        folder = pending.popleft()
        try:
            here = _identity(root / folder)
            if here not in seen:
                seen.add(here)
                inner = _enter(root, folder, tree, pending, endings)
                tree.inner.extend(inner if folder == below else ())
        except OSError as error:
            tree.unreadable.append(f"{folder}: the folder can't be read ({error.strerror})")
    tree.files.sort()
    return tree


def _enter(root: Path, folder: str, tree: Tree, pending: deque[str], endings: frozenset[str]) -> list[str]:
    """Take in what lies in a folder, and return the names of the folders in it."""
    folders: list[os.DirEntry[str]] = []
    with os.scandir(root / folder) as entries:
        for entry in entries:
            name = entry.name
            if not name.startswith(".") and _is_folder(entry) and not is_clutter(name):
                folders.append(entry)
            elif not name.startswith(".") and ending(name) in endings:
                tree.files.add(f"{folder}/{name}", _status(entry))
            elif is_clutter(name):
                tree.clutter.append(f"{folder}/{name}")
            elif not name.startswith("."):
                tree.others.append(f"{folder}/{name}")
    folders.sort(key=lambda entry: entry.name)
    for entry in folders:
        # Linked folders wait until all others are entered.
        (pending.append if entry.is_symlink() else pending.appendleft)(f"{folder}/{entry.name}")
    return [entry.name for entry in folders]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle
        return False


def _status(entry: os.DirEntry[str]) -> os.stat_result:
    try:
        return entry.stat()
    except OSError:  # a broken link: kept, so that it is reported
        return entry.stat(follow_symlinks=False)


def _identity(folder: Path) -> FileIdentity:
    info = folder.stat()
    return info.st_dev, info.st_ino
