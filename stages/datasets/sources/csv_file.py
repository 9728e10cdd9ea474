"""``csv:FILE``: a table with the columns ``path`` or ``text``, ``label`` and optionally ``split``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostline.stages.datasets.files import file_samples
from frostline.stages.datasets.groups import grouped_by
from frostline.stages.datasets.index import index_files
from frostline.stages.datasets.located import Located, absolute, locate
from frostline.stages.datasets.samples import Dataset, Samples, split_by_content
from frostline.stages.datasets.sources.base import Request, Source
from frostline.stages.datasets.sources.file_modality import modality_of_paths
from frostline.stages.datasets.sources.split_column import (
    held,
    numbers_fault,
    row_fault,
    split_faults,
    split_notes,
    splits_of,
    unused_note,
)
from frostline.stages.datasets.sources.stratified import stratification
from frostline.stages.datasets.sources.table_targets import LABEL, FoundTargets, read_targets
from frostline.stages.datasets.table import Table, read_table
from frostline.stages.datasets.texts import COLUMNS as TEXTS
from frostline.stages.datasets.texts import check_no_files, text_column, text_samples
from frostline.stages.errors import DataError, listing
from frostline.stages.targets.registry import TARGETS
from frostline.stages.targets.values import Targets

WANTED = "path or text, label and maybe split"
COLUMNS = ("path", "text", "label", "split", "features")


def open_table(request: Request) -> Dataset:
    """Return the dataset of a table, see ``frostline.stages.datasets.table``.

    Paths are relative to ``root``, by default the table's folder, and stay below it; a column of texts in their place
    is the samples themselves, see ``frostline.stages.datasets.texts``. ``split``
    is ``train`` or ``test`` (or ``val``, taken as test where there is no ``test``), or what else people call these;
    without the column the rows are split by ``test_fraction`` and ``seed``. Raises DataError that
    lists every row at fault.
    """
    file = request.path
    first, instead = (request.input, ()) if request.input else ("path", TEXTS)
    table = read_table(file, (first, *(request.target or (LABEL,))), request.columns, WANTED, instead)
    splits, column = splits_of(table), text_column(table, request.input)
    numbers = numbers_fault(table, splits)
    if numbers:
        raise DataError(f"{file} can't be used:\n{numbers}")
    found = read_targets(table, request, np.ones(len(table), bool) if splits is None else splits == "train")
    by = stratification(table, request, found) if splits is None else found.targets
    wrong = [*found.faults, *split_faults(table, splits), *target_faults(found, splits, by, request.test_fraction)]
    opened = _files if column is None else partial(_texts, column=column)
    samples, noted = opened(request, table, splits, found, wrong)
    samples = grouped_by(samples, request.group_pattern, request.group_file)
    notes = (*table.notes, *noted, *found.notes)
    if splits is None:
        notes += unused_note(table)
        return Dataset(file.stem, *split_by_content(samples, request.test_fraction, request.seed, by), notes)
    train, test = np.flatnonzero(splits == "train"), np.flatnonzero(splits == held(splits))
    notes += split_notes(table, splits)
    return Dataset(file.stem, samples.take(train, "train"), samples.take(test, "test"), notes)


def _files(
    request: Request, table: Table, splits: NDArray[np.str_] | None, found: FoundTargets, wrong: Sequence[str]
) -> tuple[Samples, tuple[str, ...]]:
    """Return the files that the column ``path`` names, and notes on them. Raises DataError with all that is wrong."""
    root = absolute(request.root or table.file.parent)
    located = locate(root, table.column("path"))
    if faults := [*_row_faults(table, splits, found, _path_faults(table, located)), *wrong]:
        where = f"files are looked for below {root}; see --root"
        raise DataError(f"{table.file} can't be used ({where}):\n{listing(faults)}")
    modality = modality_of_paths(table.file, located.files.paths)
    index = index_files(root, located.files, request.memory, request.progress, modality)
    samples = file_samples(table.file.stem, "all", found.targets, root, index, modality, request.decode_options)
    return samples, located.notes


def _texts(
    request: Request,
    table: Table,
    splits: NDArray[np.str_] | None,
    found: FoundTargets,
    wrong: Sequence[str],
    column: str,
) -> tuple[Samples, tuple[str, ...]]:
    """Return the cells of a column as samples.

    Raises DataError with all that is wrong, ConfigError for settings of files.
    """
    check_no_files({"root": request.root, "bit_depth": request.bit_depth}, column)
    if faults := [*_row_faults(table, splits, found, {}), *wrong]:
        raise DataError(f"{table.file} can't be used:\n{listing(faults)}")
    return text_samples(table.file.stem, found.targets, table, column), ()


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
        wrong = [f"line {table.lines[row]}: {fault}" for row, fault in found.faults.items()]
        where = f"files are looked for below {below}; see --root"
        raise DataError(f"{file} can't be used ({where}):\n{listing(wrong)}")
    return [below / path for path in found.files.paths], (*table.notes, *found.notes)


def _row_faults(
    table: Table, splits: NDArray[np.str_] | None, found: FoundTargets, of_path: Mapping[int, str]
) -> Iterator[str]:
    """Yield what is wrong with the rows, each with its line, in their order."""
    for row, line in enumerate(table.lines):
        faults = [found.row_faults[row]] if row in found.row_faults else []
        if splits is not None and (fault := row_fault(str(splits[row]))):
            faults.append(fault)
        faults += [of_path[row]] if row in of_path else []
        yield from (f"line {line}: {fault}" for fault in faults)


def _path_faults(table: Table, located: Located) -> dict[int, str]:
    """Return what is wrong with the rows' paths, by row."""
    paths, seen, faults = table.column("path"), dict[str, int](), dict(located.faults)
    places = iter(located.files.paths)
    for row, line in enumerate(table.lines):
        if row not in located.faults:
            place = next(places)
            if seen.setdefault(place, line) != line:
                faults[row] = f"{paths[row]} again, as on line {seen[place]}"
    return faults


def target_faults(found: FoundTargets, splits: NDArray[np.str_] | None, by: Targets, test_fraction: float) -> list[str]:
    """Return what makes the targets of the rows that have any useless."""
    kept = np.ones(len(found.targets), bool)
    kept[list(found.row_faults)] = False
    names, values, target = found.targets.names, found.targets.values, TARGETS.load(found.targets.kind)
    if splits is None:
        stratified = TARGETS.load(by.kind).split_faults(by.names, by.values[kept], test_fraction)
        return target.number_faults(names) or stratified
    return target.faults(names, *(values[kept & (splits == name)] for name in ("train", held(splits))))


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
    ),
    at_hand=True,
)
