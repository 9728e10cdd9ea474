"""``folder:PATH``: ``train/<class>/…`` with ``test/`` or ``val/``, or one tree of classes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from frostline.stages.datasets.files import file_samples
from frostline.stages.datasets.index import index_files
from frostline.stages.datasets.samples import Dataset, Samples, split_by_content
from frostline.stages.datasets.sources.base import Request, Source
from frostline.stages.datasets.walk import Files, Tree, walk
from frostline.stages.errors import DataError, counted, listing
from frostline.stages.modalities.registry import MODALITIES
from frostline.stages.targets.single_label import SINGLE_LABEL
from frostline.stages.targets.values import Targets

WANTED = "wanted train/<class>/ and test/<class>/ (or val/<class>/), or <class>/ folders of images"
_SPLIT_NAMES = frozenset(["train", "training", "test", "testing", "val", "valid", "validation"])

# The images of each class folder; the key is (train, test, val or nothing; class).
Trees = dict[tuple[str, str], Tree]


def open_folder(request: Request) -> Dataset:
    """Return the dataset of an image folder. Classes are the sorted names of its folders.

    Without a ``test/`` or ``val/`` beside ``train/`` the one tree is split by
    ``test_fraction`` and ``seed``. Raises DataError: no such folder, fewer than two
    classes, classes without an image, test classes that training does not have.
    """
    root = request.path
    if not root.is_dir():
        raise DataError(f"no folder {root}; {WANTED}")
    tops = _tops(root)
    classes = _folders(root / tops[0])
    trees = {(top, name): walk(root, _below(top, name)) for top in tops for name in _folders(root / top)}
    _check(root, tops, classes, trees, request.test_fraction)
    samples = _samples(root, classes, trees, request)
    notes = tuple(_notes(root, tops, trees))
    if len(tops) == 1:
        return Dataset(samples.dataset, *split_by_content(samples, request.test_fraction, request.seed), notes)
    ends = sum(len(tree.files) for (top, _), tree in trees.items() if top == tops[0])
    rows = np.arange(len(samples))
    return Dataset(samples.dataset, samples.take(rows[:ends], "train"), samples.take(rows[ends:], "test"), notes)


def _tops(root: Path) -> tuple[str, ...]:
    """Return the folders that hold the class folders: the root, train, or train and test or val."""
    if not (root / "train").is_dir():
        return ("",)
    return ("train", *[name for name in ("test", "val") if (root / name).is_dir()][:1])


def _folders(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise DataError(f"can't read the folder {folder}: {error.strerror}; wanted class folders in it") from error


def _below(top: str, name: str) -> str:
    return f"{top}/{name}" if top else name


def _check(root: Path, tops: Sequence[str], classes: list[str], trees: Trees, test_fraction: float) -> None:
    """Raise DataError with all that makes the folder unusable, before any file is read."""
    if classes and {name.lower() for name in classes} <= _SPLIT_NAMES:
        raise DataError(f"{root} holds {', '.join(f'{name}/' for name in classes)} and no train/; {WANTED}")
    wrong = [reason for tree in trees.values() for reason in tree.unreadable]
    for (top, name), tree in trees.items():
        if name not in classes:
            wrong.append(f"{_below(top, name)}: no such class in {tops[0]}/")
        elif not tree.files:
            wrong.append(f"{_below(top, name)}: no image")
    wrong += SINGLE_LABEL.number_faults(classes)
    if len(tops) > 1 and not any(top == tops[1] for top, _ in trees):
        wrong.append(f"{tops[1]}/ has no class folder")
    if len(tops) == 1 and not wrong:
        wrong = SINGLE_LABEL.split_faults(classes, _labels(classes, trees), test_fraction)
    if wrong:
        raise DataError(f"the image folder {root} can't be used:\n{listing(wrong)}\n{WANTED}")


def _labels(classes: list[str], trees: Trees) -> NDArray[np.int64]:
    of_tree = np.array([classes.index(name) for _, name in trees], np.int64)
    return np.repeat(of_tree, [len(tree.files) for tree in trees.values()])


def _samples(root: Path, classes: list[str], trees: Trees, request: Request) -> Samples:
    name = PurePath(os.path.normpath(root.absolute())).name or "folder"
    files = Files()
    for tree in trees.values():
        files.extend(tree.files)
    index = index_files(root, files, request.memory, request.progress)
    return file_samples(name, "all", Targets(tuple(classes), _labels(classes, trees)), root, index)


def _notes(root: Path, tops: Sequence[str], trees: Trees) -> list[str]:
    """Return what was passed over, and what was taken for the test split."""
    notes = ["val/ is the test split; there is no test/"] if "val" in tops else []
    if tops[0]:
        beside = [f"{name}/" for name in _folders(root) if name not in tops]
        notes += [f"not used: {', '.join(beside)} beside {' and '.join(f'{top}/' for top in tops)}"] if beside else []
    others = sorted(path for tree in trees.values() for path in tree.others)
    if others:
        notes.append(f"{counted(len(others), 'file')} passed over, no image ending: {', '.join(others[:3])}")
    loose = [path for top in tops for path in _loose_images(root / top)]
    if loose:
        notes.append(f"{counted(len(loose), 'image')} passed over, in no class folder: {', '.join(loose[:3])}")
    return notes


def _loose_images(folder: Path) -> list[str]:
    endings = MODALITIES.load("image").extensions
    return sorted(e.name for e in folder.iterdir() if e.suffix.lower() in endings and e.is_file())


FOLDER = Source(
    "folder:PATH",
    "images in train/<class>/ with test/<class>/ or val/<class>/, or in <class>/ folders",
    open_folder,
    at_hand=True,
)
