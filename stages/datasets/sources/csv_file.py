"""``csv:FILE``: a table with the columns ``path`` or ``text``, ``label`` and optionally ``split``."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostline.stages.datasets.files import file_samples
from frostline.stages.datasets.groups import grouped_by
from frostline.stages.datasets.index import index_files
from frostline.stages.datasets.located import Located, absolute, locate
from frostline.stages.datasets.names import folded
from frostline.stages.datasets.samples import Dataset, Samples, split_by_content
from frostline.stages.datasets.sources.base import Request, Source
from frostline.stages.datasets.sources.split_names import role
from frostline.stages.datasets.sources.table_targets import LABEL, FoundTargets, read_targets
from frostline.stages.datasets.table import Table, read_table
from frostline.stages.datasets.texts import COLUMNS as TEXTS
from frostline.stages.datasets.texts import check_no_files, text_column, text_samples
from frostline.stages.errors import DataError, counted, listing
from frostline.stages.targets.registry import TARGETS

WANTED = "path or text, label and maybe split"
COLUMNS = ("path", "text", "label", "split")
SPLITS = ("train", "test", "val")
_FLAG = re.compile(r"is[ _-]?(.+)")
_YES, _NO = ("1", "true", "yes"), ("0", "false", "no")


def open_table(request: Request) -> Dataset:
    """Return the dataset of a table, see ``frostline.stages.datasets.table``.

    Paths are relative to ``root``, by default the table's folder, and stay below it; a column of texts in their place
    is the samples themselves, see ``frostline.stages.datasets.texts``. ``split``
    is ``train`` or ``test`` (or ``val``, taken as test where there is no ``test``), or what else people call these;
    without the column the rows are split by ``test_fraction`` and ``seed``. Raises DataError that
    lists every row at fault.
    """
    file = request.path
    samples = request.input or "path"
    instead = () if request.input else TEXTS
    table = read_table(file, (samples, *(request.target or (LABEL,))), request.columns, WANTED, instead)
    splits, column = _splits(table), text_column(table, request.input)
    found = read_targets(table, request, np.ones(len(table), bool) if splits is None else splits == "train")
    if column is None:
        return _divided(request, table, splits, *_files(request, table, splits, found))
    check_no_files({name: getattr(request, name) for name in ("root", "bit_depth", "group_pattern")}, column)
    wrong = [*_row_faults(table, splits, found), *_faults(request, table, splits, found)]
    if wrong:
        raise DataError(f"{file} can't be used:\n{listing(wrong)}")
    return _divided(request, table, splits, text_samples(file.stem, found.targets, table, column), found.notes)


def _files(
    request: Request, table: Table, splits: NDArray[np.str_] | None, found: FoundTargets
) -> tuple[Samples, tuple[str, ...]]:
    """Return the files that the column ``path`` names, and notes on them."""
    root = absolute(request.root or table.file.parent)
    located = locate(root, table.column("path"))
    wrong = [*_row_faults(table, splits, found, located), *_faults(request, table, splits, found)]
    if wrong:
        raise DataError(
            f"{table.file} can't be used (images are looked for below {root}; see --root):\n{listing(wrong)}"
        )
    index = index_files(root, located.files, request.memory, request.progress)
    samples = file_samples(table.file.stem, "all", found.targets, root, index, options=request.decode_options)
    return grouped_by(samples, request.group_pattern), (*located.notes, *found.notes)


def _divided(
    request: Request, table: Table, splits: NDArray[np.str_] | None, samples: Samples, notes: tuple[str, ...]
) -> Dataset:
    """Return all samples as training and test splits."""
    name, notes = samples.dataset, (*table.notes, *notes)
    if splits is None:
        notes += _unused(table)
        return Dataset(name, *split_by_content(samples, request.test_fraction, request.seed), notes)
    train, test = np.flatnonzero(splits == "train"), np.flatnonzero(splits == _held(splits))
    notes += _split_notes(table, splits)
    return Dataset(name, samples.take(train, "train"), samples.take(test, "test"), notes)


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
        where = f"images are looked for below {below}; see --root"
        raise DataError(f"{file} can't be used ({where}):\n{listing(wrong)}")
    return [below / path for path in found.files.paths], (*table.notes, *found.notes)


def _unused(table: Table) -> tuple[str, ...]:
    """Return a note on a column that may be the split, but is not called so."""
    for name in table.likely("split"):
        splits = _splits(replace(table, called={**table.called, "split": name}))
        if splits is not None and set(splits.tolist()) <= set(SPLITS):
            return (f"column {name} is not used; --columns split={name} makes it the split",)
    return ()


def _splits(table: Table) -> NDArray[np.str_] | None:
    """Return each row's split, ``train``, ``test``, ``val`` or what else it says; None without that column."""
    if table.find("split") is None:
        return None
    return np.array([role(cell) or cell for cell in _split_cells(table)])


def _split_cells(table: Table) -> list[str]:
    """Return what each row's split is called, 0 and 1 being what the name of the column says: ``is_test``."""
    at, cells = table.find("split"), table.column("split")
    flag = None if at is None else _FLAG.fullmatch(folded(table.header[at]))
    yes = role(flag[1]) if flag else None
    if yes is None:
        return cells
    meant = dict.fromkeys(_YES, yes) | dict.fromkeys(_NO, "test" if yes == "train" else "train")
    return [meant.get(folded(cell), cell) for cell in cells]


def _row_faults(
    table: Table, splits: NDArray[np.str_] | None, found: FoundTargets, located: Located | None = None
) -> Iterator[str]:
    """Yield what is wrong with the rows, each with its line, in their order; ``located``: the files that they name."""
    of_path = _path_faults(table, located) if located else {}
    for row, line in enumerate(table.lines):
        faults = [found.row_faults[row]] if row in found.row_faults else []
        if splits is not None and splits[row] not in SPLITS:
            faults.append(f"split {str(splits[row])!r}; wanted {', '.join(SPLITS)}")
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


def _faults(request: Request, table: Table, splits: NDArray[np.str_] | None, found: FoundTargets) -> list[str]:
    """Return what is wrong with the table as a whole."""
    return [
        *found.faults,
        *_split_faults(table, splits),
        *_target_faults(found, splits, request.test_fraction),
    ]


def _target_faults(found: FoundTargets, splits: NDArray[np.str_] | None, test_fraction: float) -> list[str]:
    """Return what makes the targets of the rows that have any useless."""
    kept = np.ones(len(found.targets), bool)
    kept[list(found.row_faults)] = False
    names, values, target = found.targets.names, found.targets.values, TARGETS.load(found.targets.kind)
    if splits is None:
        return target.number_faults(names) or target.split_faults(names, values[kept], test_fraction)
    return target.faults(names, *(values[kept & (splits == name)] for name in ("train", _held(splits))))


def _held(splits: NDArray[np.str_]) -> str:
    return "test" if (splits == "test").any() else "val"


def _called(table: Table) -> dict[str, list[str]]:
    """Return what the table calls each split."""
    called: dict[str, list[str]] = defaultdict(list)
    for name in sorted({folded(cell) for cell in _split_cells(table)}):
        called[role(name) or ""].append(name)
    return called


def _split_faults(table: Table, splits: NDArray[np.str_] | None) -> list[str]:
    if splits is None:
        return []
    names = _called(table)
    doubted = [names[held] for held in ("train", _held(splits)) if len(names[held]) > 1]
    return [f"splits {' and '.join(map(repr, some))} may each be the one; call them alike" for some in doubted]


def _split_notes(table: Table, splits: NDArray[np.str_]) -> tuple[str, ...]:
    val = " and ".join(_called(table)["val"])
    if _held(splits) == "val":
        return (f"split {val} is the test split; there is no split test",)
    unused = int((splits == "val").sum())
    return (f"{counted(unused, 'row')} of split {val} not used",) if unused else ()


CSV = Source(
    "csv:FILE",
    "a table with the columns path or text, label and maybe split",
    open_table,
    takes_root=True,
    settings=("columns", "bit_depth", "target", "task", "separator", "group", "group_pattern", "input"),
    at_hand=True,
)
