"""Which split each of a dataset's files is of: by its name, or by that of a folder that it lies in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from frostline.stages.datasets.sources.split_names import Roles, by_role
from frostline.stages.errors import DataError, counted, listing

_NUMBER = re.compile(r"(^|[-_.])\d+([-_.]of[-_.]\d+)?$")
_LEVELS = 3


@dataclass(frozen=True)
class FileSplits:
    """The files that are used, by their numbers, with the split of each: ``train``, ``test`` or ``val``; or nothing.

    ``notes``: what is not used.
    """

    files: Sequence[int]
    splits: Sequence[str]
    notes: tuple[str, ...] = ()


def file_splits(paths: Sequence[str]) -> FileSplits:
    """Return the splits of files where names, theirs or of the folders above, say train and test, or train and val.

    ``train-00000-of-00002`` and ``train/0000`` are of one name, ``train``. Beside test, val is not used. Raises
    DataError for files that belong to none of the splits that others do, and for several that may be one split.
    """
    lonely: dict[str, None] = {}
    for level in range(_LEVELS):
        names = [_name(path, level) for path in paths]
        roles = by_role(list(dict.fromkeys(names)))
        held = next((one for one in ("test", "val") if roles.get(one)), None)
        if roles.get("train") and held:
            _check(paths, names, roles, held)
            of = {name: split for split, some in roles.items() for name in some}
            used = [number for number, name in enumerate(names) if of[name] in ("train", held)]
            return FileSplits(used, [of[names[number]] for number in used], _unused(roles, held))
        if not roles.get("train") and len({*names}) > 1:
            lonely |= dict.fromkeys(name for split in ("test", "val") for name in roles.get(split, ()))
    said = ", ".join(lonely)
    note = (
        f"files or folders called {said} are not used as splits, because none is called train; give the test "
        "split with --test PLACE"
    )
    return FileSplits(range(len(paths)), [""] * len(paths), (note,) if lonely else ())


def _name(path: str, level: int) -> str:
    """Return the name of a file without its ending and its number, or of a folder so many levels above."""
    parts = PurePath(path).parts
    if level:
        return parts[-1 - level] if len(parts) > level else ""
    return _NUMBER.sub("", PurePath(parts[-1]).stem)


def _check(paths: Sequence[str], names: Sequence[str], roles: Roles, held: str) -> None:
    known = {name for some in roles.values() for name in some} - set(roles.get("", ()))
    lost = [path for path, name in zip(paths, names, strict=True) if name not in known]
    if lost:
        raise DataError(
            f"{counted(len(lost), 'file')} without a split, in addition to those of train and {held}; expected train, "
            f"test or val in each name, or a pattern that leaves these out:\n{listing(lost)}"
        )
    several = [some for split in ("train", held) if len(some := roles[split]) > 1]
    if several:
        said = " and ".join(several[0])
        raise DataError(f"files called {said} could each be the split; select the files of one with a pattern")


def _unused(roles: Roles, held: str) -> tuple[str, ...]:
    unused = ", ".join(roles.get("val", ())) if held == "test" else ""
    return (f"files called {unused} are not used, because there are files called test",) if unused else ()
