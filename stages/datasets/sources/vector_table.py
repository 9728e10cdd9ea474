"""What a file of vectors says of its rows, as a table: its own arrays, or the table next to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from frostline.stages.datasets.names import folded
from frostline.stages.datasets.sources.base import Request
from frostline.stages.datasets.table import Table, read_table
from frostline.stages.errors import DataError, counted
from frostline.stages.modalities.vector.parquet import names_in
from frostline.stages.modalities.vector.vector_file import IDS, LABELS, VectorFile
from frostline.stages.targets.columns import Task

_BESIDE = (".csv", ".tsv")
_CLASSES = ("classes", "class_names", "outputs", "label_names", "target_names")
_OF_LAYOUT: dict[str, Task] = {"label_values": "multi-label", "values": "regression"}
"""What arrays are that ``frostline export-features`` writes, whatever their numbers look like."""


@dataclass(frozen=True, eq=False)
class Described:
    """A row of ``table`` and one of ``ids`` for each vector; ``request``: its targets by the names of columns."""

    table: Table
    ids: Sequence[str]
    request: Request


def described(opened: VectorFile, request: Request) -> Described:
    """Return what is known of each vector: by the file's own arrays, or where it has no labels by the table next to it.

    Raises DataError: no labels, another number of rows, arrays that are not there.
    """
    beside = next((file for end in _BESIDE if (file := opened.file.with_suffix(end)).is_file()), None)
    label = request.columns.get("label") or opened.first_of(LABELS)
    own = bool(set(request.target or (label,)) & set(opened.names))
    if beside is not None and not own:
        return _of_table(opened, beside, request)
    return _of_arrays(opened, request, label)


def _of_table(opened: VectorFile, file: Path, request: Request) -> Described:
    called = {name: column for name, column in request.columns.items() if name != "features"}
    table = read_table(file, (), called)
    if len(table) != len(opened):
        raise DataError(
            f"{file} has {counted(len(table), 'row')}, and {opened.file} {counted(len(opened), 'vector')}; "
            "expected one row per vector, in the same order"
        )
    table, name = _called(table, "path", IDS), "path"
    ids = table.column(name) if table.find(name) is not None else opened.ids()
    table = table if request.target else _called(table, "label", LABELS)
    return Described(replace(table, notes=(*table.notes, f"labels are read from {file.name}")), ids, request)


def _called(table: Table, name: str, words: tuple[str, ...]) -> Table:
    """Return a table in which what is treated as a name is the first column that has one of these words for a name."""
    if name in table.called or table.find(name) is not None:
        return table
    found = next((own for word in words for own in table.header if folded(own) == word), None)
    return table if found is None else replace(table, called={**table.called, name: found})


def _of_arrays(opened: VectorFile, request: Request, label: str | None) -> Described:
    asked = request.target or ((label,) if label else ())
    if not asked:
        asked = names_in(opened.file) if opened.file.suffix.lower() == ".parquet" else ()
    if not asked:
        raise DataError(
            f"{opened.file} has no labels; expected an array labels or y (for X_train and X_test: y_train, y_test), a "
            f"table {opened.file.stem}.csv next to it, or --target NAME; found "
            f"{', '.join(opened.names) or 'no other arrays'}"
        )
    ids = opened.ids(request.columns.get("path"))
    columns: dict[str, Sequence[str]] = {
        name: ids if name == opened.first_of(IDS) and "path" not in request.columns else opened.column(name)
        for name in opened.names
        if opened.width_of(name) is None
    }
    if "" not in opened.parts:
        columns["split"] = [split for split, name in opened.parts.items() for _ in range(opened.arrays[name].shape[0])]
    targets = [name for one in asked for name in _expand(opened, one, columns)]
    called = {name: column for name, column in request.columns.items() if name not in ("features", "path")}
    if not request.target and targets == [label]:
        called["label"], targets = targets[0], []
    table = Table(opened.file, tuple(columns), tuple(columns.values()), range(1, len(opened) + 1), called)
    return Described(table, ids, replace(request, target=tuple(targets), task=_task(opened, request, asked)))


def _expand(opened: VectorFile, name: str, columns: dict[str, Sequence[str]]) -> list[str]:
    """Return the columns that an array of targets is: itself, or one for each of its columns, which are added."""
    width = opened.width_of(name) if name in opened.names else None
    if width is None:
        columns.update(_named(opened, name, columns))
        return [name]
    names = (opened.listed(_CLASSES, width) or [])[:width] or [f"{name}[{at}]" for at in range(width)]
    columns |= {own: opened.column(name, at) for at, own in enumerate(names)}
    return names


def _named(opened: VectorFile, name: str, columns: dict[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """Return a column of the positions of classes with their names, where the file has those."""
    numbers = set(columns.get(name, ()))
    if (
        name not in opened.arrays
        or opened.arrays[name].dtype.kind not in "iuf"
        or not numbers
        or not all(number.isdecimal() for number in numbers)
    ):
        return {}
    names = opened.listed(_CLASSES, max(map(int, numbers)) + 1)
    return {name: [names[int(cell)] for cell in columns[name]]} if names else {}


def _task(opened: VectorFile, request: Request, asked: Sequence[str]) -> Task:
    """Return the task: as asked for, else as the layout says."""
    if request.task != "auto":
        return request.task
    if "label_positions" in opened.names and list(asked) == ["labels"]:
        return "single-label"
    return _OF_LAYOUT.get(asked[0], "auto")
