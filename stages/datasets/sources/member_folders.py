"""What the folders in members' names say: the split, where they are called so, and the class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from frostline.stages.datasets.sources.split_names import role


@dataclass(frozen=True)
class Folders:
    """One cell a sample: ``splits`` as the folders are called, None where they name none; ``classes`` likewise."""

    splits: list[str] | None
    classes: list[str] | None


def read_folders(names: Sequence[str], level: int | None = None) -> Folders:
    """Return what is said by ``train/cat/001.jpg`` or ``cat/001.jpg``; folders around all of them say nothing.

    A split alone, without another, is to be split itself.
    ``level``: which folder below a split names the class, by default the first.
    """
    known: dict[str, int] = {}
    at = [known.setdefault(name.rpartition("/")[0], len(known)) for name in names]
    folders = [tuple(part for part in folder.split("/") if part not in ("", ".")) for folder in known]
    around = _around(folders)
    folders = [folder[around:] for folder in folders]
    named = bool(folders) and all(folder and role(folder[0]) for folder in folders)
    below = (1 if named else 0) + (level or 1) - 1
    roles = {role(folder[0]) for folder in folders} if named else set()
    splits = [folder[0] for folder in folders] if "train" in roles and len(roles) > 1 else []
    classes = [folder[below] for folder in folders] if all(len(folder) > below for folder in folders) else []
    return Folders([splits[i] for i in at] if splits else None, [classes[i] for i in at] if classes else None)


def _around(folders: Sequence[tuple[str, ...]]) -> int:
    """Return how many folders all names begin with, that name no split."""
    first = min(folders, key=len, default=())
    for depth, name in enumerate(first):
        if role(name) or any(folder[depth] != name for folder in folders):
            return depth
    return len(first)
