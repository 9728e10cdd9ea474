"""Which modality files are of: by their endings, alike for all of a dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from frostline.stages.datasets.sources.class_folders import ClassFolder
from frostline.stages.datasets.walk import FILE_MODALITIES, ending, endings_of, only
from frostline.stages.errors import DataError, counted
from frostline.stages.modalities.base import IMAGE
from frostline.stages.modalities.registry import MODALITIES

_FEW = 0.1


def of_one_modality(given: Path, folders: Sequence[ClassFolder]) -> tuple[str, list[ClassFolder]]:
    """Return the modality of the files in class folders, and these with no others.

    A few files of another modality are passed over, and so are recordings that are fewer than the images. Raises
    DataError where it is not clear which are meant.
    """
    counts = _counts(path for folder in folders for path in folder.tree.files.paths)
    if len(counts) < 2:
        return next(iter(counts), IMAGE), list(folders)
    most = counts.most_common(1)[0][0]
    others = counts.total() - counts[most]
    if others == counts[most] or (most != IMAGE and others > _FEW * counts[most]):
        raise DataError(
            f"the folder {given} holds {_said(counts)}: which are the samples? Keep one kind there, or name the files "
            "in a table: csv:FILE"
        )
    return most, [replace(folder, tree=only(folder.tree, most)) for folder in folders]


def modality_of_paths(table: Path, paths: Iterable[str]) -> str:
    """Return the modality of the files that a table names, images if none has an ending. Raises DataError: several."""
    counts = _counts(paths)
    if len(counts) > 1:
        raise DataError(f"{table} names {_said(counts)}; wanted files of one kind: make a table of each")
    return next(iter(counts), IMAGE)


def _counts(paths: Iterable[str]) -> Counter[str]:
    """Return how many files there are of each modality; none of other endings."""
    of = {one: name for name in FILE_MODALITIES for one in endings_of(name)}
    found = Counter(map(ending, paths))
    counts: Counter[str] = Counter()
    for name, many in found.items():
        if name in of:
            counts[of[name]] += many
    return counts


def _said(counts: Counter[str]) -> str:
    return " and ".join(counted(many, MODALITIES.load(name).noun) for name, many in counts.most_common())
