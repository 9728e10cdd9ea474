"""A table that lies in a container beside the samples that it names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from frostline.stages.datasets.buckets.address import path_of
from frostline.stages.datasets.containers.members import Content, Members
from frostline.stages.datasets.encodings import decoded_text
from frostline.stages.datasets.sources.base import Request
from frostline.stages.datasets.table import Table, table_of_text
from frostline.stages.errors import DataError, counted, listing
from frostline.stages.records.packed_names import PackedNames


def with_inner_table(request: Request, members: Members, content: Content) -> Members:
    """Return the samples that the table in their container names, with its cells; all, if there is no such table.

    Its paths start at its own folder, or at the top. Raises DataError for paths that lead to no sample, and for one
    that is named twice.
    """
    notes, found = [], []
    for number, name, place in members.tables:
        data = content(members.blobs[number], np.array(place, np.int64))
        file = path_of(members.blobs[number].name) / name
        table = table_of_text(file, decoded_text(file, data), (), request.columns)
        rows = None if table.find("path") is None else _rows(members.joined.names, name, table)
        found += [] if rows is None or (rows < 0).all() else [(table, rows)]
        notes += [f"{name} is not used: no column path that names samples"] if not found else []
    if len(found) > 1:
        raise DataError(f"{' and '.join(str(one.file) for one, _ in found)} both name samples; keep one of them there")
    joined = replace(members.joined, notes=(*members.joined.notes, *notes))
    return _named(replace(members, joined=joined), *found[0]) if found else replace(members, joined=joined)


def _rows(names: PackedNames, name: str, table: Table) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the sample of each row, int64; -1 where there is none."""
    folder = name.rpartition("/")[0]
    paths = [path.replace("\\", "/").removeprefix("./") for path in table.column("path")]
    at_top = names.find(paths)
    below = names.find(f"{folder}/{path}" for path in paths) if folder else at_top
    return np.where(below >= 0, below, at_top)


def _named(members: Members, table: Table, rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Members:
    paths = table.column("path")
    wrong = [f"{table.where(row)}: {paths[row]} is not there" for row in np.flatnonzero(rows < 0).tolist()]
    again = np.setdiff1d(np.arange(len(rows)), np.unique(rows, return_index=True)[1])
    wrong += [f"{table.where(row)}: {paths[row]} again" for row in again.tolist() if rows[row] >= 0]
    if wrong:
        raise DataError(f"{table.file} can't be used:\n{listing(wrong)}")
    order = np.argsort(rows)
    chosen = members.take(rows[order])
    cells = {name: _ordered(column, order) for name, column in zip(table.header, table.columns, strict=True)}
    unnamed = len(members) - len(chosen)
    notes = [*chosen.joined.notes, *table.notes]
    notes += [f"{counted(unnamed, 'sample')} that {table.file.name} does not name not used"] if unnamed else []
    return replace(chosen, joined=replace(chosen.joined, cells=cells, notes=tuple(notes)))


def _ordered(cells: Sequence[str], order: np.ndarray[tuple[int], np.dtype[np.int64]]) -> PackedNames:
    return PackedNames.of(cells[row] for row in order.tolist())
