"""``csv:FILE``: a table with the columns ``path`` or ``text``, ``label`` and optionally ``split``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from frostline.stages.datasets.files import file_samples
from frostline.stages.datasets.index import index_files
from frostline.stages.datasets.located import Located, absolute, locate
from frostline.stages.datasets.samples import Dataset, Samples
from frostline.stages.datasets.sources.base import Request, Source
from frostline.stages.datasets.sources.file_modality import modality_of_paths
from frostline.stages.datasets.sources.labelled import Rows, open_labelled
from frostline.stages.datasets.sources.object_rows import names_objects, object_samples
from frostline.stages.datasets.sources.table_targets import LABEL
from frostline.stages.datasets.sources.two_tables import train_and_test
from frostline.stages.datasets.sources.unlabelled_files import table_samples
from frostline.stages.datasets.table import Table, read_table
from frostline.stages.datasets.texts import COLUMNS as TEXTS
from frostline.stages.datasets.texts import check_no_files, text_column, text_samples
from frostline.stages.errors import DataError, listing

WANTED = "path or text, label and maybe split"
COLUMNS = ("path", "text", "label", "split", "features")


def open_table(request: Request) -> Dataset:
    """Return the dataset of a table, see ``frostline.stages.datasets.table`` and ``open_labelled``.

    Paths are relative to ``root``, by default the table's folder, and stay below it; a column of texts in their place
    is the samples themselves, see ``frostline.stages.datasets.texts``. Raises DataError that lists every row at fault.
    """
    first, instead = (request.input, ()) if request.input else ("path", TEXTS)
    needed = first, *(request.target or (LABEL,))
    files = [request.path] if request.test is None else [request.path, Path(request.test).expanduser()]
    tables = [read_table(file, needed, request.columns, WANTED, instead) for file in files]
    return open_cells(request, tables[0] if request.test is None else train_and_test(request, *tables))


def open_cells(request: Request, table: Table) -> Dataset:
    """Return the dataset of a table whose cells are texts, or the paths of files. Raises DataError with all faults."""
    column = text_column(table, request.input)
    make = partial(_files, request) if column is None else partial(_texts, request, column)
    return open_labelled(request, table, make)


def _files(request: Request, rows: Rows) -> tuple[Samples, tuple[str, ...]]:
    """Return the files that the column ``path`` names, and notes on them. Raises DataError with all that is wrong."""
    table = rows.table
    if names_objects(request, table):
        return object_samples(request, rows)
    root = absolute(request.root or table.file.parent)
    located = locate(root, table.column("path"))
    rows.check(_path_faults(table, located), f"files are searched in {root}; see --root")
    modality = modality_of_paths(table.file, located.files.paths)
    index = index_files(root, located.files, request.memory, request.progress, modality)
    samples = file_samples(table.file.stem, "all", rows.targets, root, index, modality, request.decode_options)
    return samples, located.notes


def _texts(request: Request, column: str, rows: Rows) -> tuple[Samples, tuple[str, ...]]:
    """Return the cells of a column as samples.

    Raises DataError with all that is wrong, ConfigError for settings of files.
    """
    check_no_files({"root": request.root, "bit_depth": request.bit_depth}, column)
    rows.check()
    return text_samples(rows.table.file.stem, rows.targets, rows.table, column), ()


def paths_of(
    file: Path, root: Path | None = None, columns: Mapping[str, str] | None = None
) -> tuple[list[Path], tuple[str, ...]]:
    """Return the files, all below the root (the table's folder), that its ``path`` column names, and notes on it.

    Raises DataError that lists every row at fault.
    """
    table = read_table(file, ("path",), columns, "path")
    below = absolute(root or file.parent)
    found = locate(below, table.column("path"))
    if found.faults:
        wrong = [f"{table.where(row)}: {fault}" for row, fault in found.faults.items()]
        where = f"files are searched in {below}; see --root"
        raise DataError(f"{file} can't be used ({where}):\n{listing(wrong)}")
    return [below / path for path in found.files.paths], (*table.notes, *found.notes)


def _path_faults(table: Table, located: Located) -> dict[int, str]:
    """Return what is wrong with the rows' paths, by row."""
    paths, seen, faults = table.column("path"), dict[str, int](), dict(located.faults)
    places = iter(located.files.paths)
    for row in range(len(table)):
        if row not in located.faults:
            place = next(places)
            if seen.setdefault(place, row) != row:
                faults[row] = f"{paths[row]} appears twice, first on {table.where(seen[place])}"
    return faults


CSV = Source(
    "csv:FILE",
    "a table with the columns path or text, label and maybe split",
    open_table,
    takes_root=True,
    settings=(
        "columns",
        "bit_depth",
        "target",
        "task",
        "separator",
        "group",
        "group_pattern",
        "group_file",
        "stratify",
        "input",
        "test",
    ),
    at_hand=True,
    samples=table_samples,
)
