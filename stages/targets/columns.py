"""Columns of a table as targets: which kind they are, and what their cells mean.

====================================================  ==============================================================
columns                                               are, unless a task is given
====================================================  ==============================================================
one of texts                                          the classes of a single label
one of texts, ``|`` or ``;`` between names that recur  several labels; an empty cell has none of them
one of whole numbers, up to 20 different ones         the classes of a single label
one of whole numbers, more different ones             an error: numbers or names? The task must say
one or several of other numbers                       outputs of a regression; an empty cell is not known
several of 0 and 1                                    one label each; an empty cell or -1 is not known
====================================================  ==============================================================
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from frostline.stages.errors import DataError, counted, listing
from frostline.stages.targets.base import DEFAULT
from frostline.stages.targets.values import Targets

Task = Literal["auto", "single-label", "multi-label", "regression"]
TASKS = get_args(Task)
Columns = Mapping[str, Sequence[str]]
SEPARATORS = ("|", ";")
_CLASSES = 20  # whole numbers that pass for names
_MISSING = {"", "nan", "na", "n/a", "null", "none", "<na>", "nat"}
_YES, _NO, _UNKNOWN = {"1", "1.0", "true"}, {"0", "0.0", "false"}, {"-1", "-1.0", *_MISSING}
_MOSTLY = 0.8  # of the different cells


def kind_of(columns: Columns, task: Task = "auto", separator: str | None = None) -> str:
    """Return the kind of target that columns hold, by their cells where the task doesn't say.

    Raises DataError where they may be of several kinds, with how to decide.
    """
    if task != "auto":
        return task
    if separator is not None:
        return "multi-label"
    if len(columns) == 1:
        ((name, cells),) = columns.items()
        return _kind_of_one(name, cells)
    if all(_are_flags(cells) for cells in columns.values()):
        return "multi-label"
    if all(_are_numbers(cells) for cells in columns.values()):
        if any(not float(cell).is_integer() for cells in columns.values() for cell in _different(cells)):
            return "regression"
        others = sorted({cell for cells in columns.values() for cell in cells if not _are_flags([cell])})
        raise DataError(
            f"columns {', '.join(columns)} hold whole numbers other than 0 and 1 ({', '.join(others[:3])}); "
            "choose --task regression or --task single-label"
        )
    texts = [name for name, cells in columns.items() if not _are_numbers(cells)]
    raise DataError(
        f"columns {', '.join(columns)}: {', '.join(texts)} hold texts; expected columns of 0 and 1 (labels) "
        "or of numbers. For a separate head for each column use --task single-label"
    )


def _kind_of_one(name: str, cells: Sequence[str]) -> str:
    different = _different(cells)
    _check_mostly_numbers(name, different)
    if _are_numbers(cells) and different:
        whole = all(float(cell).is_integer() for cell in different)
        if not whole:
            return "regression"
        if len({float(cell) for cell in different}) <= _CLASSES:
            return DEFAULT
        raise DataError(
            f"column {name} holds {len(different)} different whole numbers, which could be amounts or class "
            "names; choose --task regression or --task single-label"
        )
    separator = found_separator(different)
    if separator is None:
        return DEFAULT
    parts = Counter(part for cell in different for part in set(_parts(cell, separator)))
    if max(parts.values()) > 1:
        return "multi-label"
    example = next(cell for cell in sorted(different) if separator in cell)
    raise DataError(
        f"column {name} has cells such as {example!r}, which could be several labels or one class name; "
        "choose --task multi-label or --task single-label"
    )


def numbers_as_names(cells: Sequence[str]) -> int:
    """Return how many different whole numbers all cells are; 0 if they are texts, or 0, 1, 2, … or 1, 2, 3, …

    Those are how classes are numbered; others may be amounts.
    """
    different = _different(cells)
    if not different or not _are_numbers(cells):
        return 0
    numbers = {float(cell) for cell in different}
    counting = max(numbers) - min(numbers) == len(numbers) - 1 and min(numbers) in (0, 1)
    return 0 if counting else len(numbers)


def _different(cells: Sequence[str]) -> set[str]:
    return {cell for cell in cells if cell.lower() not in _MISSING}


def _check_mostly_numbers(name: str, different: set[str]) -> None:
    """Raise DataError where a few texts stand among numbers: a slip, more likely than classes."""
    texts = sorted(cell for cell in different if _number(cell) is None)
    if not texts or len(different) - len(texts) < _MOSTLY * len(different) or len(different) <= _CLASSES:
        return
    commas = " (decimal commas? write 1.5)" if any("," in text for text in texts) else ""
    shown = ", ".join(map(repr, texts[:5])) + (" …" if len(texts) > 5 else "")
    raise DataError(
        f"column {name} holds numbers, except {shown}{commas}; correct these cells, or leave a cell empty if "
        "its number is unknown. Use --task single-label if all are class names"
    )


def found_separator(cells: set[str]) -> str | None:
    """Return what separates the names in some of the cells, None if nothing does. Raises DataError if two marks do."""
    found = [mark for mark in SEPARATORS if any(mark in cell for cell in cells)]
    if len(found) > 1:
        raise DataError(f"cells with {' and with '.join(map(repr, found))} between names; choose one with --separator")
    return found[0] if found else None


def _parts(cell: str, separator: str) -> list[str]:
    return [part for part in (one.strip() for one in cell.split(separator)) if part]


def _are_numbers(cells: Sequence[str]) -> bool:
    return all(cell.lower() in _MISSING or _number(cell) is not None for cell in set(cells))


def _are_flags(cells: Sequence[str]) -> bool:
    return {cell.lower() for cell in cells} <= _YES | _NO | _UNKNOWN


def _number(cell: str) -> float | None:
    try:
        found = float(cell)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def read_columns(columns: Columns, kind: str, where: Callable[[int], str], separator: str | None = None) -> Targets:
    """Return the targets that columns hold, of kind ``multi-label`` or ``regression``.

    ``where``: what an error calls a row, such as ``line 3``. ``separator``: between the names in a cell; found out if
    None. Raises DataError that lists every cell at fault.
    """
    column = "+".join(columns)
    if kind == "regression":
        numbers = _cells(columns, where, "a number, or an empty cell if it is unknown", _as_number)
        return Targets(tuple(columns), numbers, kind, column)
    if len(columns) == 1:
        ((_, cells),) = columns.items()
        if not _different(cells):
            raise DataError(
                f"column {column}: no cell contains a label; expected labels in some cells, or another --target"
            )
        if separator is not None or not _are_flags(cells):
            return _named(cells, separator or found_separator(set(cells)) or SEPARATORS[0], column)
    flags = _cells(columns, where, "1, 0, or -1 or an empty cell if it is unknown", _as_flag).astype(np.int8)
    return Targets(tuple(columns), flags, kind, column)


def _named(cells: Sequence[str], separator: str, column: str) -> Targets:
    found = [_parts(cell, separator) for cell in cells]
    names = tuple(sorted({name for row in found for name in row}))
    place = {name: i for i, name in enumerate(names)}
    values = np.zeros((len(cells), len(names)), np.int8)
    for row, own in enumerate(found):
        values[row, [place[name] for name in own]] = 1
    return Targets(names, values, "multi-label", column)


def _as_number(cell: str) -> float | None:
    return math.nan if cell.lower() in _MISSING else _number(cell)


def _as_flag(cell: str) -> float | None:
    text = cell.lower()
    return 1 if text in _YES else 0 if text in _NO else -1 if text in _UNKNOWN else None


def _cells(
    columns: Columns, where: Callable[[int], str], wanted: str, meant: Callable[[str], float | None]
) -> NDArray[np.float64]:
    """Return what every cell means, float64 (n, columns)."""
    values = np.empty((len(next(iter(columns.values()))), len(columns)))
    wrong: list[tuple[int, str]] = []
    for j, (name, cells) in enumerate(columns.items()):
        for row, cell in enumerate(cells):
            value = meant(cell)
            if value is None:
                wrong.append((row, f"{where(row)}: {name} is {cell!r}"))
            values[row, j] = np.nan if value is None else value
    if wrong:
        phrases = [phrase for _, phrase in sorted(wrong)]
        raise DataError(f"{counted(len(wrong), 'cell')} can't be read; expected {wanted}:\n{listing(phrases)}")
    return values
