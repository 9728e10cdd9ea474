"""Which modality files are of: by their endings, alike for all of a dataset."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from frostline.stages.datasets.clutter import is_clutter
from frostline.stages.datasets.sources.class_folders import ClassFolder
from frostline.stages.datasets.sources.splits import Splits
from frostline.stages.datasets.walk import FILE_MODALITIES, ending, endings_of, only
from frostline.stages.errors import DataError, counted
from frostline.stages.modalities.base import IMAGE
from frostline.stages.modalities.registry import MODALITIES
from frostline.stages.modalities.text.modality import TEXT

_FEW = 0.1
_SETTLED = 1000  # images or recordings that are no few among texts


def of_one_modality(given: Path, splits: Splits, folders: Sequence[ClassFolder]) -> tuple[str, list[ClassFolder]]:
    """Return the modality of the files in class folders, and these with no others.

    A few files of another modality are skipped, and so are recordings that are fewer than the images. Raises
    DataError where it is not clear which are meant.
    """
    counts = _counts(path for folder in folders for path in folder.tree.files.paths)
    if len(counts) < 2:
        return splits.modality or next(iter(counts), IMAGE), list(folders)
    most = counts.most_common(1)[0][0]
    others = counts.total() - counts[most]
    if others == counts[most] or (most != IMAGE and others > _FEW * counts[most]):
        raise DataError(
            f"the folder {given} holds {_said(counts)}: which are the samples? Keep only one kind there, or list "
            "the files in a table: csv:FILE"
        )
    return most, [replace(folder, tree=only(folder.tree, most)) for folder in folders]


def text_if_mostly(root: Path) -> str | None:
    """Return ``text`` for a folder of texts, None for one of images or recordings.

    Texts next to those say something of them, as captions and boxes do, unless there are more than ten of them to each.
    Names alone are looked at, and of a large folder of images no more than the first.
    """
    texts, others, of_text, of_others = 0, 0, endings_of(TEXT), endings_of()
    for folder, name in _files(root):
        texts += ending(name) in of_text and folder != str(root)  # a README.txt there is no sample
        others += ending(name) in of_others
        if others >= _SETTLED and others > _FEW * texts:
            return None
    return TEXT if texts and others <= _FEW * texts else None


def _files(root: Path) -> Iterator[tuple[str, str]]:
    """Yield the folder and name of each file below a root, in one order; of linked folders each once."""
    seen = {os.path.realpath(one) for one in (root, *root.absolute().parents)}
    for folder, folders, files in os.walk(root, followlinks=True):
        kept = sorted(name for name in folders if not name.startswith(".") and not is_clutter(name))
        real = {name: os.path.realpath(f"{folder}/{name}") for name in kept}
        folders[:] = [name for name in kept if real[name] not in seen]
        seen.update(real.values())
        yield from ((folder, name) for name in sorted(files) if not name.startswith(".") and not is_clutter(name))


def modality_of_paths(table: Path, paths: Iterable[str]) -> str:
    """Return the modality of the files that a table names, images if none has an ending. Raises DataError: several."""
    counts = _counts(paths)
    if len(counts) > 1:
        raise DataError(
            f"{table} names {_said(counts)}; expected files of one kind: use a separate table for each kind"
        )
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
