"""What is asked where a tree of splits can be read in several ways, with what to type for each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from shlex import quote

from frostline.stages.datasets.sources.split_names import Roles, classes_apart
from frostline.stages.errors import DataError

WANTED = "expected train/<class>/ and test/<class>/ (or val/<class>/), or <class>/ folders of samples"


def maybe_test(given: Path, root: Path, train: str, name: str) -> DataError:
    """Return the error for class folders in ``test_masks`` or the like, next to training alone."""
    return DataError(
        f"the folder {given} can be read in two ways: {name}/ holds class folders, like {train}/.\n"
        f"  if it is the test split: rename it, mv {quote(str(root / name))} {quote(str(root / 'test'))}\n"
        f"  if it is something else, and {train}/ is to be split: move it out of the folder"
    )


def as_classes(root: Path, roles: Roles) -> str:
    """Return what to type where ``trainA``, ``trainB`` and ``testA`` are splits of classes A and B."""
    apart = classes_apart(roles)
    if len(apart) < 2:
        return ""
    moved = [(split, own, name) for own, of in apart.items() for split, names in of.items() for name in names]
    tops = " ".join(quote(str(root / split)) for split in dict.fromkeys(split for split, _, _ in moved))
    typed = [f"mkdir {tops}"]
    typed += [f"mv {quote(str(root / name))} {quote(str(root / split / own))}" for split, own, name in moved]
    return "\n".join([f"\nIf {' and '.join(apart)} are the classes, run:", *(f"  {line}" for line in typed)])


def several(given: Path, what: str, names: Sequence[str]) -> DataError:
    """Return the error for several folders that may each be a split."""
    said = " and ".join(f"{name}/" for name in names)
    return DataError(
        f"the folder {given} can be read in several ways: {said} could each be the {what}.\n"
        f"Rename or move away all but one; {WANTED}"
    )
