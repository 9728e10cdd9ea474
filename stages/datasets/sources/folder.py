"""``folder:PATH``: ``train/<class>/…`` with ``test/`` or ``val/``, or one tree of classes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from frostline.stages.buckets.address import is_address
from frostline.stages.datasets.clutter import clutter_note
from frostline.stages.datasets.files import file_samples, others_note
from frostline.stages.datasets.groups import grouped_by
from frostline.stages.datasets.index import index_files
from frostline.stages.datasets.names import Spellings, missing_note, nearest, spellings
from frostline.stages.datasets.samples import Dataset, Samples, split_by_content
from frostline.stages.datasets.sources.base import Request, Source
from frostline.stages.datasets.sources.class_folders import ClassFolder, class_folders
from frostline.stages.datasets.sources.file_modality import of_one_modality, text_if_mostly
from frostline.stages.datasets.sources.object_folder import open_object_folder
from frostline.stages.datasets.sources.split_names import role
from frostline.stages.datasets.sources.split_questions import WANTED
from frostline.stages.datasets.sources.splits import (
    Splits,
    clutter_in,
    find_splits,
    folders_in,
    samples_beside,
)
from frostline.stages.datasets.sources.unlabelled_files import folder_samples
from frostline.stages.datasets.walk import Files
from frostline.stages.errors import DataError, counted, listing
from frostline.stages.targets.single_label import SINGLE_LABEL
from frostline.stages.targets.values import Targets


def open_folder(request: Request) -> Dataset:
    """Return the dataset of a folder of images, recordings or texts. Classes are the sorted names of its folders.

    Splits are found by the names that people give them, see ``splits``; classes are spelled as people mean them, see
    ``frostline.stages.datasets.names``. Where there is no test split the one tree is split by ``test_fraction`` and
    ``seed``. Raises DataError: no such folder, several ways to read it, fewer than two classes, classes without a
    sample, test classes that training does not have.
    """
    if is_address(request.place):
        return open_object_folder(request)
    if not request.path.is_dir():
        raise DataError(f"no folder {request.path}; {WANTED}")
    splits = find_splits(request.path, text_if_mostly(request.path))
    modality, folders = of_one_modality(request.path, splits, class_folders(request.path, splits, request.class_level))
    train = Counter({folder.name: len(folder.tree.files) for folder in folders if folder.split != "test"})
    spelled = spellings(train, [folder.name for folder in folders if folder.split == "test"])
    folders = sorted(folders, key=lambda folder: (folder.split == "test", spelled.of[folder.name], folder.place))
    _check(request, splits, spelled, folders)
    samples = _samples(splits.root, spelled, folders, request, modality)
    notes = (*_notes(request, splits, folders, modality), *spelled.notes, *missing_note(spelled.classes))
    if all(folder.split == "" for folder in folders):
        return Dataset(samples.dataset, *split_by_content(samples, request.test_fraction, request.seed), notes)
    ends = sum(len(folder.tree.files) for folder in folders if folder.split == "train")
    rows = np.arange(len(samples))
    return Dataset(samples.dataset, samples.take(rows[:ends], "train"), samples.take(rows[ends:], "test"), notes)


def _check(request: Request, splits: Splits, spelled: Spellings, folders: Sequence[ClassFolder]) -> None:
    """Raise DataError with all that makes the folder unusable, before any file is read."""
    known = {spelled.of[folder.name] for folder in folders if folder.split != "test"}
    wrong = [reason for folder in folders for reason in folder.tree.unreadable]
    wrong += [fault for folder in folders for fault in _faults(folder, splits, spelled, known)]
    wrong += spelled.faults
    wrong += SINGLE_LABEL.number_faults([name for name in spelled.classes if name in known])
    loose = [] if known else samples_beside(splits.root / splits.train, splits.modality)
    if loose:
        wrong.append(
            f"{counted(len(loose), 'sample')} in no class folder ({loose[0]}); list such samples in a table: csv:FILE"
        )
    if all(folder.split == "" for folder in folders) and not wrong:
        wrong = SINGLE_LABEL.split_faults(spelled.classes, _labels(spelled, folders), request.test_fraction)
    if wrong:
        raise DataError(f"the folder {request.path} can't be used:\n{listing(wrong)}\n{WANTED}")


def _faults(folder: ClassFolder, splits: Splits, spelled: Spellings, known: set[str]) -> list[str]:
    if spelled.of[folder.name] not in known:
        near = nearest(folder.name, sorted(known), 1)
        hint = f"; {near[0]}?" if near else ""
        return [f"{folder.place}: no such class in {splits.train or 'training'}/{hint}"]
    if folder.tree.files:
        return []
    others = folder.tree.others
    found = f"; {counted(len(others), 'file')} of other kinds, such as {others[0]}" if others else ""
    return [f"{folder.place}: no sample{found}"]


def _labels(spelled: Spellings, folders: Sequence[ClassFolder]) -> NDArray[np.int64]:
    position = {name: i for i, name in enumerate(spelled.classes)}
    of_folder = np.array([position[spelled.of[folder.name]] for folder in folders], np.int64)
    return np.repeat(of_folder, [len(folder.tree.files) for folder in folders])


def _samples(
    root: Path, spelled: Spellings, folders: Sequence[ClassFolder], request: Request, modality: str
) -> Samples:
    name = PurePath(os.path.normpath(request.path.absolute())).name or "folder"
    files = Files()
    for folder in folders:
        files.extend(folder.tree.files)
    index = index_files(root, files, request.memory, request.progress, modality)
    targets = Targets(spelled.classes, _labels(spelled, folders))
    samples = file_samples(name, "all", targets, root, index, modality, request.decode_options)
    return grouped_by(samples, request.group_pattern, request.group_file)


def _notes(request: Request, splits: Splits, folders: Sequence[ClassFolder], modality: str) -> list[str]:
    """Return what was understood of the tree, and what was skipped."""
    notes = [*splits.notes]
    if splits.test is None and folders[-1].split == "test":
        train, test = (PurePath(folder.place).name for folder in (folders[0], folders[-1]))
        notes.append(f"each class holds {train}/ and {test}/: these are the splits")
    elif request.class_level is None and (above := PurePath(folders[0].place).parent) != PurePath(splits.train):
        notes.append(f"{above.as_posix()}/ holds the class folders")
    doubted = dict.fromkeys(f"{folder.place}/" for folder in folders if splits.train and role(folder.name))
    notes += [f"{name} is treated as a class, like the folders next to it" for name in doubted]
    if splits.train:
        used = {*(top.partition("/")[0] for top in splits.tops), *splits.seen}
        beside = [f"{name}/" for name in folders_in(splits.root) if name not in used]
        tops = " and ".join(f"{top}/" for top in splits.tops)
        notes += [f"not used: {', '.join(beside)} next to {tops}"] if beside else []
    clutter = [name for top in dict.fromkeys(("", *splits.tops)) for name in clutter_in(splits.root / top)]
    notes += clutter_note([*clutter, *(path for folder in folders for path in folder.tree.clutter)])
    notes += others_note([path for folder in folders for path in folder.tree.others], modality)
    loose = [path for top in splits.tops for path in samples_beside(splits.root / top, splits.modality)]
    loose += [path for folder in folders for path in folder.loose]
    if loose:
        notes.append(
            f"{counted(len(loose), 'sample')} skipped, because they are in no class folder: {', '.join(loose[:3])}"
        )
    return notes


FOLDER = Source(
    "folder:PATH",
    "images, recordings or texts (.txt) in train/<class>/ with test/<class>/ or val/<class>/, or in <class>/ folders",
    open_folder,
    settings=("class_level", "bit_depth", "group_pattern", "group_file"),
    at_hand=True,
    samples=folder_samples,
)
