"""The split that a table names for each row, by the words and flags that people use."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from frostline.stages.datasets.names import folded
from frostline.stages.datasets.sources.split_names import role
from frostline.stages.datasets.table import Table
from frostline.stages.errors import counted

SPLITS = ("train", "test", "val")
_FLAG = re.compile(r"is[ _-]?(.+)")
_YES, _NO = ("1", "true", "yes", "y"), ("0", "false", "no", "n")


def splits_of(table: Table) -> NDArray[np.str_] | None:
    """Return each row's split, ``train``, ``test``, ``val`` or what else it says; None without that column."""
    if table.find("split") is None:
        return None
    cells = _cells(table)
    meant = {cell: role(cell) or cell for cell in set(cells)}
    return np.array([meant[cell] for cell in cells])


def held(splits: NDArray[np.str_]) -> str:
    """Return which split is held out."""
    return "test" if (splits == "test").any() else "val"


def row_fault(split: str) -> str | None:
    """Return what is wrong with one row's split."""
    return None if split in SPLITS else f"split {split!r}; expected {', '.join(SPLITS)}"


def split_faults(table: Table, splits: NDArray[np.str_] | None) -> list[str]:
    """Return what is wrong with the column as a whole."""
    if splits is None:
        return []
    names = _called(table)
    doubted = [names[kind] for kind in ("train", held(splits)) if len(names[kind]) > 1]
    return [
        f"splits {' and '.join(map(repr, some))} could mean the same split; give them the same name" for some in doubted
    ]


def numbers_fault(table: Table, splits: NDArray[np.str_] | None) -> str | None:
    """Return what a column of numbers, or of yes and no, may mean and what to type; None where it has words."""
    counts = Counter() if splits is None else Counter(map(_plain, splits.tolist()))
    at = table.find("split")
    if at is None or not counts or not all(cell in (*_YES, *_NO) or cell.isdecimal() for cell in counts):
        return None
    name = table.header[at]
    found = f"column {name} says " + ", ".join(f"{cell} in {counted(n, 'row')}" for cell, n in sorted(counts.items()))
    if len(counts) != 2 or not set(counts) <= {*_YES, *_NO}:
        return f"{found}, which is not the name of a split; expected {', '.join(SPLITS)}"
    yes = max(counts, key=lambda cell: cell in _YES)
    ways = [f"  if {yes} is {one}: rename it to is_{one} and use --columns split=is_{one}" for one in ("test", "train")]
    return "\n".join([f"{found}, which is ambiguous. Rename the column in the first line of the file:", *ways])


def split_notes(table: Table, splits: NDArray[np.str_]) -> tuple[str, ...]:
    """Return a note on what of the column is treated as the test split, or not used."""
    val = " and ".join(_called(table)["val"])
    if held(splits) == "val":
        return (f"split {val} is the test split, because there is no split test",)
    unused = int((splits == "val").sum())
    return (f"{counted(unused, 'row')} of split {val} not used",) if unused else ()


def unused_note(table: Table) -> tuple[str, ...]:
    """Return a note on a column that may be the split, but is not called so."""
    for name in table.likely("split"):
        splits = splits_of(replace(table, called={**table.called, "split": name}))
        if splits is not None and set(splits.tolist()) <= set(SPLITS):
            return (f"column {name} is not used; use it as the split with --columns split={name}",)
    return ()


def _cells(table: Table) -> Sequence[str]:
    """Return what each row's split is called, 0 and 1 being what the name of the column says: ``is_test``."""
    at, cells = table.find("split"), table.column("split")
    flag = None if at is None else _FLAG.fullmatch(folded(table.header[at]))
    yes = role(flag[1]) if flag else None
    if yes is None:
        return cells
    meant = dict.fromkeys(_YES, yes) | dict.fromkeys(_NO, "test" if yes == "train" else "train")
    return [meant.get(_plain(cell), cell) for cell in cells]


def _plain(cell: str) -> str:
    """Return a cell as it is compared: pandas writes whole numbers as 1.0 where a cell of the column is empty."""
    return folded(cell).removesuffix(".0")


def _called(table: Table) -> dict[str, list[str]]:
    """Return what the table calls each split."""
    called: dict[str, list[str]] = defaultdict(list)
    for name in sorted({folded(cell) for cell in _cells(table)}):
        called[role(name) or ""].append(name)
    return called
