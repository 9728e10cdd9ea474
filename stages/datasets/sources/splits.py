"""Which folders of a tree are its splits: by the names and nestings that people use, where there is one reading."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from frostline.stages.datasets.clutter import is_clutter
from frostline.stages.datasets.names import folded
from frostline.stages.datasets.sources.split_names import by_role, held_out_like, role
from frostline.stages.datasets.sources.split_questions import WANTED, as_classes, maybe_test, several
from frostline.stages.datasets.walk import endings_of, walk
from frostline.stages.errors import DataError, counted, listing

_NO_CLASS = frozenset(
    {"images", "imgs", "image", "img", "jpegimages", "unknown", "unlabelled", "unlabeled", "all", "data"}
)
_DEEPEST = 5
_BESIDE = 10  # folders beside a dataset's own that may hold something else: annotations, documents


@dataclass(frozen=True)
class Splits:
    """The folders whose folders are the classes.

    ``root``: where they lie. ``train``, ``test``: below it, ``""`` for the root itself; ``test`` is None where one
    tree is to be split. ``notes``: what was understood; ``seen``: the names that these speak of. ``modality``: whose
    files are samples; None: those of ``FILE_MODALITIES``.
    """

    root: Path
    train: str
    test: str | None = None
    notes: tuple[str, ...] = ()
    seen: frozenset[str] = frozenset()
    modality: str | None = None

    @property
    def tops(self) -> tuple[str, ...]:
        return (self.train,) if self.test is None else (self.train, self.test)


def folders_in(folder: Path) -> list[str]:
    """Return the names of the folders in a folder, without leftovers and hidden ones. Raises DataError."""
    try:
        found = [entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
    except OSError as error:
        raise DataError(f"can't read the folder {folder}: {error.strerror}; expected class folders in it") from error
    return sorted(name for name in found if not is_clutter(name))


def clutter_in(folder: Path) -> list[str]:
    """Return the names of the leftovers of systems in a folder itself, sorted."""
    return sorted(entry.name for entry in folder.iterdir() if is_clutter(entry.name))


def samples_beside(folder: Path, modality: str | None = None) -> list[str]:
    """Return the names of the files of samples that lie in a folder itself, sorted."""
    endings = endings_of(modality)
    found = (e for e in folder.iterdir() if e.suffix.lower() in endings and not e.name.startswith("."))
    return sorted(e.name for e in found if e.is_file())


def find_splits(given: Path, modality: str | None = None) -> Splits:
    """Return the splits of a folder. Raises DataError where there is none to train on, or more than one reading."""
    root, notes = _unwrapped(given, modality)
    names = folders_in(root)
    roles = by_role(names)
    trains = _with_classes(root, roles["train"])
    if len(trains) > 1:
        raise several(given, "training split", trains)
    if trains:
        return _of_train(given, Splits(root, _entered(root, trains[0]), None, notes, modality=modality), roles)
    return _of_one_tree(given, Splits(root, "", None, notes, modality=modality), names, roles)


def _unwrapped(given: Path, modality: str | None) -> tuple[Path, tuple[str, ...]]:
    """Return the folder inside folders that hold nothing but the next one, as archives are unpacked."""
    root = given
    for _ in range(_DEEPEST):
        inner = _inner(root, folders_in(root), modality)
        if inner is None:
            break
        root = root / inner
    place = root.relative_to(given).as_posix()
    return root, () if root == given else (f"{given.name or given}/ holds samples only in {place}/, which is read",)


def _inner(root: Path, names: Sequence[str], modality: str | None) -> str | None:
    """Return the one folder that a folder wraps: all there is, or all that has samples, these being in splits."""
    if any(map(role, names)) or samples_beside(root):
        return None
    if len(names) == 1:
        return names[0] if folders_in(root / names[0]) else None
    holding = [name for name in names if _holds_splits(root / name)] if len(names) <= _BESIDE else []
    if not holding or any(walk(root, name, modality).files for name in names if name not in holding):
        return None
    sound = holding if len(holding) == 1 else [name for name in holding if walk(root, name, modality).files]
    return sound[0] if len(sound) == 1 else None


def _holds_splits(folder: Path) -> bool:
    for _ in range(_DEEPEST):
        names = folders_in(folder)
        if len(names) != 1 or role(names[0]):
            return bool(by_role(names)["train"])
        folder = folder / names[0]
    return False


def _entered(root: Path, name: str) -> str:
    """Return a split's folder inside itself, as ``train/train``."""
    place = name
    for _ in range(_DEEPEST):
        inner = folders_in(root / place)
        if len(inner) != 1 or samples_beside(root / place) or not _same(inner[0], Path(place).name):
            break
        place = f"{place}/{inner[0]}"
    return place


def _same(one: str, other: str) -> bool:
    return folded(one) == folded(other) or (role(one) is not None and role(one) == role(other))


def _with_classes(root: Path, names: Iterable[str], classes: Iterable[str] = ()) -> list[str]:
    """Return those of the folders that hold class folders; one called ``images`` is none unless training has it."""
    known = {folded(name) for name in classes}
    return [name for name in names if _is_labelled([folded(c) for c in folders_in(root / _entered(root, name))], known)]


def _is_labelled(inner: Sequence[str], known: set[str]) -> bool:
    return bool(inner) and not (len(inner) == 1 and inner[0] in _NO_CLASS and known and inner[0] not in known)


def _of_train(given: Path, found: Splits, roles: dict[str, list[str]]) -> Splits:
    """Return the splits of a tree whose training split is known: test where it has classes, else val, else none."""
    root, classes = found.root, folders_in(found.root / found.train)
    roles = _with_likely(given, found, roles, classes)
    for held in ("test", "val"):
        sound = _with_classes(root, roles[held], classes)
        if len(sound) > 1:
            raise several(given, "test split", sound)
        if sound:
            found = replace(found, test=_entered(root, sound[0]))
            break
    unlabelled = [name for name in (*roles["test"], *roles["val"]) if name not in _with_classes(root, [name], classes)]
    counts = {name: _samples_below(found, name) for name in unlabelled}
    empty = [name for name, n in counts.items() if not n]
    if empty and found.test is None:
        wrong = [f"{name}/ has no class folder" for name in empty]
        raise DataError(f"the folder {given} can't be used:\n{listing(wrong)}\n{WANTED}")
    notes = [*_named(found, roles), *_unlabelled(found, counts)]
    return replace(found, notes=(*found.notes, *notes), seen=frozenset(unlabelled))


def _with_likely(
    given: Path, found: Splits, roles: dict[str, list[str]], classes: Sequence[str]
) -> dict[str, list[str]]:
    """Return the roles with folders such as ``test1`` and ``test_stg1``.

    Those of samples alone are unlabelled; one that holds class folders is the test split if it has a number, and there
    is no other. Raises DataError where it has something else, as ``test_masks``, or is called otherwise and holds the
    training classes, as ``holdout``.
    """
    root, others = found.root, [name for name in roles.get("", ()) if _samples_below(found, name)]
    likely = {name: like for name in others if (like := held_out_like(name))}
    labelled = _with_classes(root, likely, classes)
    if _with_classes(root, (*roles["test"], *roles["val"]), classes):
        likely = {name: like for name, like in likely.items() if name not in labelled}
    elif not any(likely[name][1] for name in labelled):
        for name in (*labelled, *(name for name in others if _shares(root, name, classes))):
            raise maybe_test(given, root, found.train, name)
    known = {held: [name for name, like in likely.items() if like[0] == held] for held in roles}
    return {held: [*names, *known[held]] for held, names in roles.items()}


def _samples_below(found: Splits, name: str) -> int:
    place = found.root / _entered(found.root, name)
    folders = (place, *(place / inner for inner in folders_in(place)))
    return sum(len(samples_beside(folder, found.modality)) for folder in folders)


def _named(found: Splits, roles: dict[str, list[str]]) -> Iterable[str]:
    """Yield what was treated as the splits, where it is not called train and test."""
    test = found.test
    if found.train != "train":
        yield f"{found.train}/ is the training split"
    if test is not None and role(test.partition("/")[0]) == "val" and not roles["test"]:
        yield f"{test}/ is the test split; there is no test/"
    elif test not in (None, "test"):
        yield f"{test}/ is the test split"


def _unlabelled(found: Splits, counts: dict[str, int]) -> Iterable[str]:
    """Yield what was not used for a want of class folders."""
    for name, n in counts.items():
        instead = "" if found.test else f"; {found.train}/ is split by --test-fraction"
        unlabelled = f"{counted(n, 'sample')} without class folders" + (", for frostline predict" if n else "")
        yield f"{name}/ not used: {unlabelled}{instead}"


def _of_one_tree(given: Path, found: Splits, names: Sequence[str], roles: dict[str, list[str]]) -> Splits:
    """Return the root as one tree of classes, unless its folders are splits rather than classes."""
    called = [name for held in ("train", "test", "val") for name in roles[held]]
    others = [name for name in names if name not in called]
    if not called:
        return found
    said = ", ".join(f"{name}/" for name in called)
    if not any(walk(found.root, name, found.modality).files for name in others):
        raise DataError(f"{given} holds {said} and {_no_train(found, roles)}; {WANTED}{as_classes(found.root, roles)}")
    held = _with_classes(found.root, called)
    if len(held) == 1 and _shares(found.root, held[0], others):
        return _beside_classes(found, held[0], called)
    if not held and ((roles["train"] == called and len(others) > 1) or _negated(called, others)):
        return replace(
            found, notes=(*found.notes, f"{said} is treated as a class, because it holds files and no folders")
        )
    raise DataError(
        f"the folder {given} can be read in several ways: {said} could be a split, or a class like "
        f"{', '.join(f'{name}/' for name in others[:3])} are.\nMove all classes into train/, or rename "
        f"{said}; {WANTED}"
    )


def _no_train(found: Splits, roles: dict[str, list[str]]) -> str:
    """Return what is wrong with a tree of splits alone."""
    if not roles["train"]:
        return "no train/"
    name = roles["train"][0]
    loose = len(samples_beside(found.root / _entered(found.root, name), found.modality))
    said = f"{counted(loose, 'sample')} in no class folder" if loose else "no class folder"
    return (
        f"there {'is' if not loose or loose == 1 else 'are'} {said} in {name}/; you can also list classes in "
        "a table: csv:FILE"
    )


def _shares(root: Path, split: str, others: Sequence[str]) -> bool:
    """Whether all class folders of a split are also next to it: then those are the training classes."""
    own = {folded(name) for name in folders_in(root / split)}
    return bool(own) and own <= {folded(name) for name in others}


def _beside_classes(found: Splits, split: str, called: Sequence[str]) -> Splits:
    note = f"{split}/ is the test split; the classes next to it are the training split"
    return replace(found, test=split, notes=(*found.notes, note), seen=frozenset(called))


def _negated(called: Sequence[str], others: Sequence[str]) -> bool:
    """Whether valid/ stands next to invalid/: two classes."""
    own = folded(called[0])
    return len(called) == 1 and any(folded(other) in (f"in{own}", f"not_{own}", f"not {own}") for other in others)
