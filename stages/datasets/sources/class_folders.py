"""The class folders of a tree's splits: at which level they lie, where there is but one reading."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from frostline.stages.datasets.names import folded
from frostline.stages.datasets.sources.split_names import role
from frostline.stages.datasets.sources.splits import Splits, folders_in
from frostline.stages.datasets.walk import Tree, walk
from frostline.stages.errors import DataError, counted

_SHOWN = 4


@dataclass(frozen=True)
class ClassFolder:
    """One folder of a class's samples.

    ``split``: ``train``, ``test``, or nothing where the tree is still to be split. ``name``: of the class, as it is
    spelled there. ``place``: below the root of the splits. ``loose``: samples above it that belong to no class.
    """

    split: str
    name: str
    place: str
    tree: Tree
    loose: tuple[str, ...] = field(default=(), kw_only=True)


def class_folders(given: Path, splits: Splits, level: int | None) -> list[ClassFolder]:
    """Return the class folders of all splits, each walked.

    ``level``: which folder below a split names the class, 1 to 3; None where that is clear. Raises DataError, with all
    readings, where it is not.
    """
    found = [folder for split, top in _splits(splits) for folder in _below(splits, split, top)]
    if not splits.train and splits.test is None:
        found = _split_within(given, splits, found)
    for _ in range(1, level or _level(given, found)):
        found = [inner for folder in found for inner in _deeper(splits, folder)]
    return found


def _splits(splits: Splits) -> list[tuple[str, str]]:
    if splits.test is None:
        return [("", splits.train)]
    return [("train", splits.train), ("test", splits.test)]


def _below(splits: Splits, split: str, top: str) -> Iterator[ClassFolder]:
    for name in folders_in(splits.root / top):
        if top or name not in splits.seen:
            place = f"{top}/{name}" if top else name
            yield ClassFolder(split, name, place, walk(splits.root, place, splits.modality))


def _split_within(given: Path, splits: Splits, found: Sequence[ClassFolder]) -> list[ClassFolder]:
    """Return the folders of both splits where each class holds splits of its own: ``cat/train`` and ``cat/test``."""
    roles = [{role(name): name for name in folder.tree.inner} for folder in found]
    whole = [bool(own.get("train") and (own.get("test") or own.get("val"))) for own in roles]
    if not any(whole):
        return list(found)
    held = next((held for held in ("test", "val") if all(own.get(held) for own in roles)), None)
    if not all(whole) or held is None or any(_has_direct(folder) for folder in found):
        name = found[whole.index(True)].place
        raise DataError(
            f"the folder {given} can be read in several ways: {name}/ holds splits, "
            f"{', '.join(roles[whole.index(True)].values())}, and is one of {counted(len(found), 'folder')}.\n"
            f"If it is the dataset, name it alone: folder:{given / name}. If it is a class, move its files up"
        )
    return [
        ClassFolder(split, folder.name, place, walk(splits.root, place, splits.modality))
        for split, key in (("train", "train"), ("test", held))
        for folder, own in zip(found, roles, strict=True)
        for place in (f"{folder.place}/{own[key]}",)
    ]


def _has_direct(folder: ClassFolder, depth: int = 1) -> bool:
    """Whether a sample lies in a class folder itself, or in folders so deep."""
    return any(len(parts) == depth for parts in _parts(folder))


def _inner(folder: ClassFolder, depth: int) -> set[str]:
    """Return the names of the folders, so deep below, that hold samples."""
    return {parts[depth - 1] for parts in _parts(folder) if len(parts) > depth}


def _parts(folder: ClassFolder) -> Iterator[list[str]]:
    start = len(folder.place) + 1
    return (path[start:].split("/") for path in folder.tree.files.paths)


def _level(given: Path, found: Sequence[ClassFolder]) -> int:
    """Return at which level the classes lie. Raises DataError where class folders hold folders only, and both could.

    It makes no difference where each holds one folder, and none of another's name; one folder alone is no class. Where
    all hold one folder of one name, as ``images``, those below it may be the classes.
    """
    train = [folder for folder in found if folder.split != "test" and folder.tree.files]
    for depth in (1, 2) if len(train) > 1 else (1,):
        if any(_has_direct(folder, depth) for folder in train):
            return 1
        each = [_inner(folder, depth) for folder in train]
        inner = sorted({folded(name): name for names in each for name in names}.values())
        if len(inner) > 1:
            return _level_of(given, [folder.name for folder in train], inner, max(map(len, each)), depth + 1)
    return 1


def _level_of(given: Path, outer: Sequence[str], inner: Sequence[str], largest: int, level: int) -> int:
    if largest == 1 and len(inner) == len(outer):
        return 1
    if len(outer) == 1:
        return level
    raise DataError(
        f"the folder {given} can be read in two ways, because its class folders hold only folders:\n"
        f"  --class-level 1: {_said(outer)}\n"
        f"  --class-level {level}: {_said(inner)}\n"
        "Choose one of them."
    )


def _said(names: Sequence[str]) -> str:
    more = ", …" if len(names) > _SHOWN else ""
    return f"{counted(len(names), 'class')}, {', '.join(names[:_SHOWN])}{more}"


def _deeper(splits: Splits, folder: ClassFolder) -> Iterable[ClassFolder]:
    """Yield the folders in a folder as classes of their own; samples next to them are in none."""
    start = len(folder.place) + 1
    loose = tuple(path for path in folder.tree.files.paths if "/" not in path[start:])
    for i, name in enumerate(folder.tree.inner):
        place = f"{folder.place}/{name}"
        tree = walk(splits.root, place, splits.modality)
        yield ClassFolder(folder.split, name, place, tree, loose=() if i else loose)
