"""``folder:PATH``: ``train/<class>/…`` with ``test/`` or ``val/``, or one tree of classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stages.datasets.files import file_samples
from stages.datasets.index import Found, Progress, index_files, walk
from stages.datasets.samples import Dataset, Samples, split_by_content
from stages.errors import DataError, counted, listing


def open_folder(
    root: Path, test_fraction: float, seed: int, memory: Path | None, progress: Progress | None = None
) -> Dataset:
    """Return the dataset of an image folder. Classes are the sorted names of its folders.

    Without a ``test/`` or ``val/`` beside ``train/`` the one tree is split by
    ``test_fraction`` and ``seed``. Raises DataError: no such folder, no class, classes
    without an image, test classes that training does not have.
    """
    if not root.is_dir():
        raise DataError(f"no folder {root}; wanted train/<class>/ and test/<class>/, or <class>/ folders of images")
    if (root / "train").is_dir():
        return _two_trees(root, test_fraction, seed, memory, progress)
    samples, notes = _tree(root, ("",), memory, progress)
    return Dataset(root.name, *split_by_content(samples[0], test_fraction, seed), notes)


def _two_trees(root: Path, test_fraction: float, seed: int, memory: Path | None, progress: Progress | None) -> Dataset:
    held = [name for name in ("test", "val") if (root / name).is_dir()]
    if not held:
        samples, notes = _tree(root, ("train",), memory, progress)
        return Dataset(root.name, *split_by_content(samples[0], test_fraction, seed), notes)
    samples, notes = _tree(root, ("train", held[0]), memory, progress)
    unused = tuple(f"{name}/ is not used ({held[0]}/ is the test split)" for name in held[1:])
    return Dataset(root.name, *samples, notes + unused)


def _tree(
    root: Path, tops: tuple[str, ...], memory: Path | None, progress: Progress | None
) -> tuple[list[Samples], tuple[str, ...]]:
    """Return the samples below each top, with the classes of the first, and notes."""
    classes = _folders(root / tops[0])
    wrong = [] if classes else [f"{root / tops[0]} has no class folder"]
    for top in tops[1:]:
        unknown = sorted(set(_folders(root / top)) - set(classes))
        wrong += [f"{top}/{name}: no such class in {tops[0]}/" for name in unknown]
    files, others = _files_by_class(root, tops, classes)
    wrong += [f"{'/'.join(filter(None, key))}: no image" for key, found in files.items() if not found]
    if wrong:
        raise DataError(f"the image folder {root} can't be used:\n{listing(wrong)}")
    notes = (f"{counted(len(others), 'file')} passed over, no image ending: {', '.join(others[:3])}",) if others else ()
    flat = [file for found in files.values() for file in found]
    indexed = index_files(root, flat, memory, progress)
    labels = np.repeat([classes.index(name) for _, name in files], [len(found) for found in files.values()])
    tops_of = np.repeat([top for top, _ in files], [len(found) for found in files.values()])
    whole = file_samples(root.name, "all", classes, root, indexed, labels.astype(np.int64))
    names = ("train", "test") if len(tops) == 2 else ("all",)
    return [whole.take(np.flatnonzero(tops_of == top), name) for top, name in zip(tops, names, strict=True)], notes


def _files_by_class(
    root: Path, tops: tuple[str, ...], classes: list[str]
) -> tuple[dict[tuple[str, str], list[Found]], list[str]]:
    files: dict[tuple[str, str], list[Found]] = {}
    others: list[str] = []
    for top in tops:
        for name in classes:
            below = f"{top}/{name}" if top else name
            if top == tops[0] or (root / below).is_dir():
                files[top, name], passed = walk(root, below)
                others += passed
    return files, others


def _folders(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
