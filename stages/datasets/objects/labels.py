"""Labels that are Python values, as columns of cells and the task that their type says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from frostline.stages.datasets.objects.media import Values
from frostline.stages.datasets.objects.records import LABEL, cell, task_of
from frostline.stages.errors import DataError
from frostline.stages.modalities.given import array_of
from frostline.stages.targets.columns import Task

Cells = dict[str, Sequence[str]]
_NUMBERS = (int, float, np.generic)


def of_labels(labels: Values, name: str = LABEL) -> tuple[Cells, Task]:
    """Return labels as columns of cells, and the task that their type says.

    One for each sample is the column ``name``, be it in a row (n,) or in a column (n, 1). As many numbers for each are
    ``name_0``, ``name_1``, …: amounts, or 0 and 1 for each label. Other lists hold the labels that a sample has, by
    name or by number. Raises DataError for lists of amounts that differ in length.
    """
    rows = [_row(label) for label in labels]
    lists = [row for row in rows if isinstance(row, list)]
    if not lists:
        return {name: list(map(cell, rows))}, task_of(rows)
    if len(lists) == len(rows) and {len(row) for row in lists} == {1} and all(map(_is_numbers, lists)):
        return of_labels([row[0] for row in lists], name)
    if not all(map(_is_numbers, filter(None, lists))):
        return {name: list(map(cell, rows))}, "multi-label"
    return _of_numbers(labels, rows, name)


def of_label_frame(frame: Any) -> tuple[Cells, Task]:
    """Return a frame of labels as columns of cells: one column holds the label, several are one label or output each.

    Raises DataError for a frame without columns.
    """
    columns = [frame[one].to_list() for one in frame.columns]
    if len(columns) < 2:
        if not columns:
            raise DataError("the labels are a frame without columns; expected one, or one for each label")
        return of_labels(columns[0])
    tasks = {task_of([one for one in values if cell(one)]) for values in columns}
    task: Task = "regression" if tasks == {"regression"} else "auto"
    return {str(one): list(map(cell, values)) for one, values in zip(frame.columns, columns, strict=True)}, task


def as_classes(cells: Sequence[str]) -> Sequence[str]:
    """Return whole numbers that are written as floats as class names: ``1.0`` is ``1``; other cells as they are.

    >>> as_classes(["0.0", "", "1.0"]), as_classes(["0.0", "0.5"])
    (['0', '', '1'], ['0.0', '0.5'])
    """
    return [one.removesuffix(".0") for one in cells] if are_whole(cells) else cells


def are_whole(cells: Sequence[str]) -> bool:
    """Return whether cells are whole numbers that are written as floats, or empty."""
    different = {one for one in cells if one}
    return bool(different) and all(one.endswith(".0") and one[:-2].lstrip("-").isdecimal() for one in different)


def is_list_of_labels(value: object) -> bool:
    """Return whether a value is several labels: names, or numbers."""
    return isinstance(value, list | tuple | set | frozenset) and all(
        isinstance(one, str | int | float) for one in value
    )


def _row(label: Any) -> Any:
    """Return one label, or a list of several."""
    array = array_of(label)
    if array is not None:
        return array.tolist()
    if isinstance(label, set | frozenset):
        return sorted(label)
    return list(label) if isinstance(label, tuple) else label


def _is_numbers(row: Sequence[Any]) -> bool:
    return all(isinstance(one, _NUMBERS) for one in row)


def _of_numbers(labels: Values, rows: Sequence[Any], name: str) -> tuple[Cells, Task]:
    """Return several numbers for each sample: a table, or the numbers of the labels that each has."""
    lists = [row for row in rows if isinstance(row, list)]
    alike = len(lists) == len(rows) and len({len(row) for row in lists}) == 1
    amounts = any(isinstance(one, float) for row in lists for one in row)
    flags = {one for row in lists for one in row} <= {0, 1}
    if alike and (amounts or flags or array_of(labels) is not None):
        columns = {f"{name}_{at}": [cell(row[at]) for row in lists] for at in range(len(lists[0]))}
        return columns, "regression" if amounts else "multi-label"
    if amounts:
        raise DataError(
            "labels are lists of floats of different lengths; expected as many numbers for each sample, or lists of "
            "the names or whole numbers of its labels"
        )
    return {name: list(map(cell, rows))}, "multi-label"


def lists_in(columns: Mapping[str, Values]) -> dict[str, Values]:
    """Return the columns whose values are several labels each, or could be."""
    return {name: values for name, values in columns.items() if _holds_lists(values)}


def _holds_lists(values: Values) -> bool:
    some = [value for value in (values[row] for row in range(min(len(values), 64))) if value is not None][:8]
    return bool(some) and all(is_list_of_labels(one) or getattr(array_of(one), "ndim", 0) == 1 for one in some)
