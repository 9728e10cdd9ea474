"""Tables that lie in containers next to the samples that they name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from frostline.stages.buckets.address import path_of
from frostline.stages.datasets.containers.members import Content, Members
from frostline.stages.datasets.encodings import decoded_text
from frostline.stages.datasets.names import folded
from frostline.stages.datasets.sources.base import Request
from frostline.stages.datasets.table import Table, table_of_text
from frostline.stages.errors import DataError, counted, listing
from frostline.stages.records.packed_names import PackedNames

_SPLIT = "split"


@dataclass(frozen=True, eq=False)
class _Naming:
    """A table that names samples. ``rows``: the sample of each of its rows, int64; -1 where there is none."""

    table: Table
    rows: NDArray[np.int64]


def with_inner_table(request: Request, members: Members, content: Content) -> tuple[Members, tuple[str, ...]]:
    """Return the samples that the tables in their containers name, with their cells, and notes on tables not used.

    A table names samples of its own container; its paths start at its own folder, or at the top. Without a table all
    samples are returned. Raises DataError: paths that lead to no sample, one that is named twice, two tables in a
    container, containers without a table next to those with one, tables of other columns.
    """
    unused: list[str] = []
    found: dict[int, _Naming] = {}
    for number, name, place in members.tables:
        data = content(members.blobs[number], np.array(place, np.int64))
        file = path_of(members.blobs[number].name) / name
        table = table_of_text(file, decoded_text(file, data), (), request.columns)
        rows = None if table.find("path") is None else _rows(members, number, name, table)
        if rows is None or (rows < 0).all():
            unused.append(f"{_called(members, number, name)} is not used: {_reason(table, rows)}")
        elif number in found:
            both = f"{found[number].table.file} and {file}"
            raise DataError(f"{both} both list samples; keep only one of them there")
        else:
            found[number] = _Naming(table, rows)
    if found:
        _check(members, found)
        members = _named(members, list(found.values()))
    return members, tuple(unused)


def _called(members: Members, number: int, name: str) -> str:
    """Return what a note calls a table: where there are several containers, with its own."""
    return name if len(members.blobs) == 1 else f"{PurePath(members.blobs[number].name).name}/{name}"


def _reason(table: Table, rows: NDArray[np.int64] | None) -> str:
    if rows is None or not len(rows):
        return "no column path that names samples"
    return f"none of its paths, such as {table.column('path')[0]}, is the path of a sample in it"


def _rows(members: Members, number: int, name: str, table: Table) -> NDArray[np.int64]:
    """Return the sample, among those of the table's own container, of each row, int64; -1 where there is none."""
    own = np.append(np.flatnonzero(members.container == number), -1)
    names = members.joined.names.take(own[:-1])
    folder = name.rpartition("/")[0]
    paths = [path.replace("\\", "/").removeprefix("./") for path in table.column("path")]
    at_top = names.find(paths)
    below = names.find(f"{folder}/{path}" for path in paths) if folder else at_top
    return own[np.where(below >= 0, below, at_top)]


def _check(members: Members, found: dict[int, _Naming]) -> None:
    """Raise DataError for what is wrong with the tables, and for containers that have none next to those that do."""
    first = next(iter(found.values())).table
    without = [members.blobs[i].name for i in np.unique(members.container).tolist() if i not in found]
    if without:
        raise DataError(
            f"{first.file} names samples, and {counted(len(without), 'file')} next to it have no such table; "
            "expected a table in each file, for its own samples. Add a table to each of these files, or leave "
            f"them out:\n{listing(without)}"
        )
    for one in found.values():
        if wrong := _faults(one):
            raise DataError(f"{one.table.file} can't be used:\n{listing(wrong)}")
        other = {*first.header} ^ {*one.table.header}
        if lacking := sorted(name for name in other if folded(name) != _SPLIT):
            raise DataError(
                f"{first.file} and {one.table.file} have different columns: {', '.join(lacking)} only in one of them; "
                "expected the same columns"
            )


def _faults(one: _Naming) -> list[str]:
    """Return what is wrong with a table's rows."""
    table, rows, paths = one.table, one.rows, one.table.column("path")
    wrong = [f"{table.where(row)}: {paths[row]} does not exist" for row in np.flatnonzero(rows < 0).tolist()]
    again = np.setdiff1d(np.arange(len(rows)), np.unique(rows, return_index=True)[1])
    return wrong + [f"{table.where(row)}: {paths[row]} again" for row in again.tolist() if rows[row] >= 0]


def _named(members: Members, found: Sequence[_Naming]) -> Members:
    """Return the samples that tables name, in their own order, with the cells of all tables."""
    order = np.argsort(rows := np.concatenate([one.rows for one in found]))
    chosen = members.take(rows[order])
    names = dict.fromkeys(name for one in found for name in one.table.header)
    cells = {name: _ordered([_column(one.table, name) for one in found], order) for name in names}
    unnamed = len(members) - len(chosen)
    tables = ", ".join(dict.fromkeys(one.table.file.name for one in found))
    notes = dict.fromkeys(note for one in found for note in one.table.notes)
    said = [f"{counted(unnamed, 'sample')} not used, because not listed in {tables}"] if unnamed else []
    return replace(chosen, joined=replace(chosen.joined, cells=cells, notes=(*chosen.joined.notes, *notes, *said)))


def _column(table: Table, name: str) -> Sequence[str]:
    """Return the cells of a column; empty ones where a table lacks it."""
    at = [i for i, own in enumerate(table.header) if own == name]
    return table.columns[at[-1]] if at else [""] * len(table)


def _ordered(columns: Sequence[Sequence[str]], order: NDArray[np.int64]) -> PackedNames:
    cells = [cell for column in columns for cell in column]
    return PackedNames.of(cells[row] for row in order.tolist())
