"""What is to be predicted of objects: which of their columns, and what the values of these are."""

from __future__ import annotations

from dataclasses import replace

from frostline.stages.datasets.objects.labels import are_whole, as_classes, of_labels
from frostline.stages.datasets.objects.records import LABEL, SPLIT, Records
from frostline.stages.datasets.sources.base import Request
from frostline.stages.datasets.table import Table
from frostline.stages.errors import DataError
from frostline.stages.targets.columns import Task

_NO_LABELS = ("path", "text", SPLIT)
_AS_AMOUNTS = (
    "the labels are floats, so they are predicted as numbers (regression); for classes give whole numbers or names, or "
    'task="single-label"'
)


def labels_read(records: Records, request: Request) -> tuple[Records, Request]:
    """Return the rows with the target's columns as cells, and the request with the target and its task.

    A list in each row of the target's column is several labels. Whole numbers that are floats are classes where the
    task says so; else a note says that they are amounts. Raises DataError, see ``of_labels``.
    """
    target = request.target or records.target or (LABEL,)
    found = [_column(records, one) for one in target]
    cells = {one: column for columns, _ in found for one, column in columns.items()}
    of_type = records.task if len(found) > 1 or found[0][1] == "auto" else found[0][1]
    task = of_type if request.task == "auto" else request.task
    whole = bool(cells) and all(map(are_whole, cells.values()))
    if whole and task != "regression":
        cells = {one: as_classes(column) for one, column in cells.items()}
    notes = (_AS_AMOUNTS,) if whole and task == "regression" and request.task == "auto" else ()
    own = replace(
        records,
        cells={**{one: column for one, column in records.cells.items() if one not in target}, **cells},
        media={one: column for one, column in records.media.items() if one not in target or one not in records.lists},
        notes=(*records.notes, *notes),
    )
    named = tuple(name for one, (columns, _) in zip(target, found, strict=True) for name in columns or (one,))
    return own, replace(request, target=() if named == (LABEL,) and not request.target else named, task=task)


def check_target(records: Records, table: Table, target: tuple[str, ...], wanted: str) -> None:
    """Raise DataError for columns of the target that are not there, with how to name those that are likelier."""
    missing = [one for one in target if table.find(one) is None]
    if missing:
        found = dict.fromkeys([*table.header, *records.media, *records.lists])
        others = [one for one in found if one not in {*records.media, *_NO_LABELS}]
        likely = [one for one in others if one in table.likely(LABEL)] or (others if len(others) == 1 else [])
        raise DataError(
            f"{table.file} has no column {' and '.join(missing)}; found {', '.join(found) or 'no columns'}; expected "
            f'{wanted}; name the column to predict, target="{likely[0] if likely else "NAME"}"'
        )


def _column(records: Records, name: str) -> tuple[dict[str, list[str]], Task]:
    """Return a column of the target as cells, and the task that their type says; none where it is not there."""
    if name in records.lists:
        cells, task = of_labels(records.lists[name], name)
        return {one: list(column) for one, column in cells.items()}, task
    return ({name: list(records.cells[name])} if name in records.cells else {}), "auto"
