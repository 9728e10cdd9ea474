"""What every object that is a dataset becomes: cells as of a table, and columns of samples."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from frostline.stages.datasets.objects.by_row import ByRow
from frostline.stages.datasets.objects.media import Media, Values
from frostline.stages.errors import DataError
from frostline.stages.targets.columns import Task

LABEL, SPLIT = "label", "split"


@dataclass(frozen=True, eq=False)
class Records:
    """The rows of a dataset.

    Attributes:
        name: what messages and the dataset are called by.
        cells: columns as texts, by name.
        media: columns of samples, by name.
        ids: what rows are called; empty: their numbers.
        target: the columns of the target, where the object says it.
        task: what they are, where their type says it.
        notes: what was understood.
        lists: columns whose values are lists, as they are: several labels each, where one is the target.
    """

    name: str
    cells: Mapping[str, Sequence[str]]
    media: Mapping[str, Media] = field(default_factory=dict)
    ids: Sequence[str] = ()
    target: tuple[str, ...] = ()
    task: Task = "auto"
    notes: tuple[str, ...] = ()
    lists: Mapping[str, Values] = field(default_factory=dict)

    def __len__(self) -> int:
        media = (one.values for one in self.media.values())
        columns: Iterable[Values] = (*self.cells.values(), *media, *self.lists.values())
        return next(map(len, columns), 0)


def cell(value: Any) -> str:
    """Return a value as a cell of a table; nothing for one that is missing.

    >>> cell(3), cell(0.5), cell(float("nan")), cell(True), cell([" a", "b"])
    ('3', '0.5', '', '1', 'a|b')
    """
    value = value.item() if isinstance(value, np.generic) else value
    if (
        value is None
        or (isinstance(value, float) and math.isnan(value))
        or type(value).__name__ in ("NAType", "NaTType")
    ):
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, list | tuple | set | np.ndarray):
        return "|".join(map(cell, sorted(value) if isinstance(value, set) else value))
    return repr(value) if isinstance(value, float) else str(value).strip()


def task_of(values: Sequence[Any]) -> Task:
    """Return what labels are by their type: whole numbers and texts name classes, other numbers are amounts."""
    some = {type(value.item() if isinstance(value, np.generic) else value) for value in values}
    return "regression" if some == {float} else "single-label" if some <= {int, bool, str} else "auto"


def joined(parts: Mapping[str, Records]) -> Records:
    """Return the rows of several splits as one, with their names in the column ``split``. Raises DataError."""
    names, records = list(parts), list(parts.values())
    first = records[0]
    _check_alike(parts)
    cells = {name: [one for part in records for one in part.cells[name]] for name in first.cells if name != SPLIT}
    media = {name: _joined([part.media[name] for part in records]) for name in first.media}
    lists = {name: _Chain([part.lists[name] for part in records]) for name in _in_all([part.lists for part in records])}
    ids = [part.ids or list(map(str, range(len(part)))) for part in records]
    return replace(
        first,
        cells={**cells, SPLIT: [name for name, part in parts.items() for _ in range(len(part))]},
        media=media,
        lists=lists,
        ids=[f"{name}/{one}" for name, own in zip(names, ids, strict=True) for one in own],
        notes=tuple(dict.fromkeys(note for part in records for note in part.notes)),
    )


def _in_all(parts: Sequence[Mapping[str, Values]]) -> list[str]:
    return [name for name in parts[0] if all(name in part for part in parts)]


def _check_alike(parts: Mapping[str, Records]) -> None:
    described = {name: sorted({*part.cells, *part.media} - {SPLIT}) for name, part in parts.items()}
    if len({tuple(own) for own in described.values()}) > 1:
        said = "; ".join(f"{name}: {', '.join(own)}" for name, own in described.items())
        raise DataError(f"splits of different columns ({said}); expected the same in all")
    kinds = {name: {one: own.modality for one, own in part.media.items()} for name, part in parts.items()}
    if any(own != next(iter(kinds.values())) for own in kinds.values()):
        raise DataError(f"splits of different kinds of samples ({kinds}); expected the same in all")


def _joined(media: Sequence[Media]) -> Media:
    seen = [one for part in media for one in part.seen or ()]
    return Media(_Chain([part.values for part in media]), media[0].modality, seen or None)


class _Chain(ByRow):
    """Sequences one after the other."""

    def __init__(self, parts: Sequence[Values]) -> None:
        self._parts = parts

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def at(self, row: int) -> Any:
        for part in self._parts:
            if row < len(part):
                return part[row]
            row -= len(part)
        raise IndexError(row)
