"""What is known of the samples in containers, as a table: what lies beside them there, or their folders' names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePath

from frostline.stages.datasets.buckets.address import path_of
from frostline.stages.datasets.containers.components import LABEL
from frostline.stages.datasets.containers.members import Members
from frostline.stages.datasets.encodings import text_if_there
from frostline.stages.datasets.sources.base import Request
from frostline.stages.datasets.sources.container_splits import Named
from frostline.stages.datasets.sources.member_folders import read_folders
from frostline.stages.datasets.table import Table, check_columns
from frostline.stages.errors import DataError, counted
from frostline.stages.records.packed_names import PackedNames

_CLASSES = ("classnames.txt", "classes.txt")


def told_apart(members: Members) -> tuple[PackedNames, tuple[str, ...]]:
    """Return ids of which no two are one: where names are, in several files, the files' names come first.

    Raises DataError where that tells them not apart.
    """
    names = members.joined.names
    again = names.repeated()
    if not len(again):
        return names, ()
    stems = [f"{PurePath(blob.name).stem}/".encode(errors="surrogateescape") for blob in members.blobs]
    both = zip(members.container.tolist(), names.all_encoded(), strict=True)
    ids = PackedNames.of_bytes(stems[i] + name for i, name in both)
    if len(still := ids.repeated()):
        raise DataError(f"{counted(len(still), 'name')} there twice, such as {ids[int(still[0])]}; rename the files")
    first = names[int(again[0])]
    return ids, (f"{counted(len(again), 'name')} in several files, such as {first}: ids begin with the file's name",)


def member_table(request: Request, named: Named, members: Members, notes: Sequence[str], wanted: str) -> Table:
    """Return a row for each sample: the cells beside it, its label, and its split where one is known.

    The label is the component ``cls``, or a field ``label``; where neither is there, the folder that the sample is
    in. ``wanted``: what an error calls for. Raises DataError: columns that are asked for and not there.
    """
    part, columns = members.joined, dict[str, Sequence[str]](members.joined.cells)
    called = dict(request.columns)
    if LABEL in columns:
        called.setdefault("label", LABEL)
        columns[LABEL] = _with_names(members, columns[LABEL])
    table = Table(request.path, tuple(columns), tuple(columns.values()), range(1, len(part) + 1), called)
    table = replace(table, notes=(*named.notes, *notes, *part.notes), names=part.names)
    table = _with_folders(request, table, members)
    if named.splits:
        own = [named.splits[i] for i in members.container.tolist()]
        table = table.with_column("split", own, "--test" if request.test else "the names of the files")
    check_columns(table, () if request.target else ("label",), wanted)
    return table


def _with_folders(request: Request, table: Table, members: Members) -> Table:
    """Return the table with what folders say, where nothing else does."""
    found = read_folders(members.joined.names, request.class_level)
    if found.classes and not request.target and table.find("label") is None:
        table = table.with_column("label", found.classes)
    if found.splits and request.test is None and table.find("split") is None:
        table = table.with_column("split", found.splits)
    return table


def _with_names(members: Members, cells: Sequence[str]) -> Sequence[str]:
    """Return the classes by their names, where they are numbers and a file beside the containers lists those."""
    numbers = dict.fromkeys(cells)
    listed = _class_names(members) if all(cell.isdecimal() for cell in numbers if cell) else None
    if listed is None:
        return cells
    file, names = listed
    wrong = [cell for cell in numbers if cell and int(cell) >= len(names)]
    if wrong:
        raise DataError(f"{file} lists {counted(len(names), 'class')}, and the class {wrong[0]} is beyond them")
    called = {cell: names[int(cell)] if cell else "" for cell in numbers}
    return [called[cell] for cell in cells]


def _class_names(members: Members) -> tuple[Path, list[str]] | None:
    """Return the file that lists the classes, beside the containers or in the folder above, and what it lists."""
    folder = path_of(members.blobs[0].name).parent
    for file in (place / name for place in (folder, folder.parent) for name in _CLASSES):
        text = text_if_there(file)
        if text is not None:
            return file, text.splitlines()
    return None
