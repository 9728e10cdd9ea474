"""``csv:FILE``: a table with the columns ``path``, ``label`` and optionally ``split``."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostline.stages.datasets.files import file_samples
from frostline.stages.datasets.index import index_files
from frostline.stages.datasets.located import Located, absolute, locate
from frostline.stages.datasets.names import Spellings, folded, is_missing, spellings
from frostline.stages.datasets.samples import Dataset, split_by_content
from frostline.stages.datasets.sources.base import Request, Source
from frostline.stages.datasets.sources.splits import role
from frostline.stages.datasets.table import Table, read_table
from frostline.stages.errors import DataError, counted, listing
from frostline.stages.targets.single_label import SINGLE_LABEL
from frostline.stages.targets.values import Targets

WANTED = "path, label and maybe split"
COLUMNS = ("path", "label", "split")
SPLITS = ("train", "test", "val")


def open_table(request: Request) -> Dataset:
    """Return the dataset of a table, see ``frostline.stages.datasets.table``.

    Paths are relative to ``root``, by default the table's folder, and stay below it. ``split``
    is ``train`` or ``test`` (or ``val``, taken as test where there is no ``test``), or what else people call these;
    without the column the rows are split by ``test_fraction`` and ``seed``. Raises DataError that
    lists every row at fault.
    """
    file = request.path
    table = read_table(file, ("path", "label"), request.columns, WANTED)
    root = absolute(request.root or file.parent)
    splits = _splits(table)
    spelled = _spelled(table, splits)
    labels = _labels(table, spelled)
    located = locate(root, table.column("path"))
    wrong = [*_row_faults(table, splits, located), *spelled.faults, *_split_faults(table, splits)]
    wrong += _label_faults(spelled.classes, labels, splits, request.test_fraction)
    if wrong:
        raise DataError(f"{file} can't be used (images are looked for below {root}; see --root):\n{listing(wrong)}")
    index = index_files(root, located.files, request.memory, request.progress)
    samples = file_samples(
        file.stem, "all", Targets(spelled.classes, labels), root, index, options=request.decode_options
    )
    notes = (*table.notes, *located.notes, *spelled.notes)
    if splits is None:
        return Dataset(file.stem, *split_by_content(samples, request.test_fraction, request.seed), notes)
    train, test = np.flatnonzero(splits == "train"), np.flatnonzero(splits == _held(splits))
    notes += _split_notes(table, splits)
    return Dataset(file.stem, samples.take(train, "train"), samples.take(test, "test"), notes)


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


def _splits(table: Table) -> NDArray[np.str_] | None:
    """Return each row's split, ``train``, ``test``, ``val`` or what else it says; None without that column."""
    if table.find("split") is None:
        return None
    return np.array([role(cell) or cell for cell in table.column("split")])


def _spelled(table: Table, splits: NDArray[np.str_] | None) -> Spellings:
    labels = np.array(table.column("label"), object)
    trains = np.ones(len(table), bool) if splits is None else splits == "train"
    named = labels != ""
    return spellings(Counter(labels[trains & named].tolist()), labels[~trains & named].tolist())


def _labels(table: Table, spelled: Spellings) -> NDArray[np.int64]:
    """Return each row's class, int64 (n,); -1 without a label."""
    position = {name: i for i, name in enumerate(spelled.classes)}
    return np.array([position[spelled.of[label]] if label else -1 for label in table.column("label")], np.int64)


def _row_faults(table: Table, splits: NDArray[np.str_] | None, located: Located) -> Iterator[str]:
    """Yield what is wrong with the rows, each with its line, in their order."""
    paths, labels, seen = table.column("path"), table.column("label"), dict[str, int]()
    places = iter(located.files.paths)
    for row, line in enumerate(table.lines):
        faults = _label_fault(labels[row])
        if splits is not None and splits[row] not in SPLITS:
            faults.append(f"split {str(splits[row])!r}; wanted {', '.join(SPLITS)}")
        if row in located.faults:
            faults.append(located.faults[row])
        else:
            place = next(places)
            if seen.setdefault(place, line) != line:
                faults.append(f"{paths[row]} again, as on line {seen[place]}")
        yield from (f"line {line}: {fault}" for fault in faults)


def _label_fault(label: str) -> list[str]:
    if is_missing(label):
        return [f"label {label!r}, a missing one as pandas writes it; wanted a label, or no such row"]
    return [] if label else ["no label"]


def _label_faults(
    classes: Sequence[str], labels: NDArray[np.int64], splits: NDArray[np.str_] | None, test_fraction: float
) -> list[str]:
    if splits is None:
        return SINGLE_LABEL.number_faults(classes) or SINGLE_LABEL.split_faults(
            classes, labels[labels >= 0], test_fraction
        )
    train, test = (labels[(labels >= 0) & (splits == name)] for name in ("train", _held(splits)))
    return SINGLE_LABEL.faults(classes, train, test)


def _held(splits: NDArray[np.str_]) -> str:
    return "test" if (splits == "test").any() else "val"


def _called(table: Table) -> dict[str, list[str]]:
    """Return what the table calls each split."""
    called: dict[str, list[str]] = defaultdict(list)
    for name in sorted({folded(cell) for cell in table.column("split")}):
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
    "a table with the columns path, label and maybe split",
    open_table,
    takes_root=True,
    settings=("columns", "bit_depth"),
    at_hand=True,
)
