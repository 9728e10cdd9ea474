"""What is known of the samples in containers, as a table: what lies next to them there, or their folders' names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePath

from frostline.stages.buckets.address import is_address, path_of
from frostline.stages.datasets.arrow.names import stems
from frostline.stages.datasets.containers.components import LABEL
from frostline.stages.datasets.containers.members import Members
from frostline.stages.datasets.encodings import text_if_there
from frostline.stages.datasets.located import absolute
from frostline.stages.datasets.sources.base import Request
from frostline.stages.datasets.sources.container_splits import Named
from frostline.stages.datasets.sources.member_folders import read_folders
from frostline.stages.datasets.table import Table, check_columns
from frostline.stages.errors import DataError, counted
from frostline.stages.records.packed_names import PackedNames

_CLASSES = ("classnames.txt", "classes.txt")


def told_apart(members: Members) -> tuple[PackedNames, tuple[str, ...]]:
    """Return ids of which no two are one: where names are, in several files, the files' names come first.

    Where these are alike, too, they begin below the folder that all files share. Raises DataError where that tells
    them not apart.
    """
    names = members.joined.names
    again = names.repeated()
    if not len(again):
        return names, ()
    files = [blob.name if is_address(blob.name) else str(absolute(Path(blob.name))) for blob in members.blobs]
    for called in ([PurePath(file).stem for file in files], stems(files)):
        ids = _below(called, members)
        if not len(still := ids.repeated()):
            said = f"{counted(len(again), 'name')} in several files, such as {names[int(again[0])]}"
            return ids, (f"{said}: ids are prefixed with the file's name",)
    raise DataError(f"{counted(len(still), 'name')} appearing twice, such as {ids[int(still[0])]}; rename the files")


def _below(files: Sequence[str], members: Members) -> PackedNames:
    """Return samples' names, each after that of its file."""
    starts = [f"{name}/".encode(errors="surrogateescape") for name in files]
    both = zip(members.container.tolist(), members.joined.names.all_encoded(), strict=True)
    return PackedNames.of_bytes(starts[i] + name for i, name in both)


def member_table(request: Request, named: Named, members: Members, notes: Sequence[str], wanted: str) -> Table:
    """Return a row for each sample: the cells next to it, its label, and its split where one is known.

    The label is the component ``cls``, or for a sample without one a field ``label``; where there are neither, the
    folder that the sample is in. ``wanted``: what an error calls for. Raises DataError: columns that are asked for and
    not there.
    """
    part, columns = members.joined, dict[str, Sequence[str]](members.joined.cells)
    called = dict(request.columns)
    if LABEL in columns and not members.tables:  # a component, not a column of a table
        called.setdefault("label", LABEL)
        columns[LABEL], filled = _with_fields(_with_names(members, columns[LABEL]), columns.get("label"))
        notes = (*notes, *filled)
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


def _with_fields(cells: Sequence[str], fields: Sequence[str] | None) -> tuple[Sequence[str], tuple[str, ...]]:
    """Return the classes, those that are missing by the fields ``label``, and a note on how many these are."""
    if fields is None:
        return cells, ()
    both = [(cell or field, not cell and field) for cell, field in zip(cells, fields, strict=True)]
    n = sum(bool(filled) for _, filled in both)
    note = f"{counted(n, 'sample')} without a cls file: the field label is used as the class"
    return [cell for cell, _ in both], (note,) if n else ()


def _with_names(members: Members, cells: Sequence[str]) -> Sequence[str]:
    """Return the classes by their names, where they are numbers and a file next to the containers lists those."""
    numbers = dict.fromkeys(cells)
    listed = _class_names(members) if all(cell.isdecimal() for cell in numbers if cell) else None
    if listed is None:
        return cells
    file, names = listed
    wrong = [cell for cell in numbers if cell and int(cell) >= len(names)]
    if wrong:
        raise DataError(f"{file} lists {counted(len(names), 'class')}, but class {wrong[0]} does not exist")
    called = {cell: names[int(cell)] if cell else "" for cell in numbers}
    return [called[cell] for cell in cells]


def _class_names(members: Members) -> tuple[Path, list[str]] | None:
    """Return the file that lists the classes, next to the containers or in the folder above, and what it lists."""
    folder = path_of(members.blobs[0].name).parent
    for file in (place / name for place in (folder, folder.parent) for name in _CLASSES):
        text = text_if_there(file)
        if text is not None:
            return file, text.splitlines()
    return None
