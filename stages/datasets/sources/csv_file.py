"""``csv:FILE``: a table with the columns ``path``, ``label`` and optionally ``split``."""

from __future__ import annotations

import csv
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostline.stages.datasets.files import file_samples
from frostline.stages.datasets.index import index_files
from frostline.stages.datasets.samples import Dataset, split_by_content
from frostline.stages.datasets.sources.base import Request, Source
from frostline.stages.datasets.walk import Files
from frostline.stages.errors import DataError, counted, listing
from frostline.stages.targets.single_label import SINGLE_LABEL
from frostline.stages.targets.values import Targets

COLUMNS = ("path", "label", "split")
SPLITS = ("train", "test", "val")


@dataclass(frozen=True)
class CsvRow:
    """One row and the line of the file on which it ends; ``split`` is None without that column."""

    line: int
    path: str
    label: str
    split: str | None


def open_table(request: Request) -> Dataset:
    """Return the dataset of a CSV file (UTF-8, a header line).

    Paths are relative to ``root``, by default the CSV's folder, and stay below it. ``split``
    is ``train`` or ``test`` (or ``val``, taken as test where there is no ``test``); without
    the column the rows are split by ``test_fraction`` and ``seed``. Raises DataError that
    lists every row at fault.
    """
    file = request.path
    rows = _read(file)
    root = Path(os.path.normpath((request.root or file.parent).absolute()))
    classes = sorted({row.label for row in rows if row.label})
    position = {name: i for i, name in enumerate(classes)}
    labels = np.array([position.get(row.label, -1) for row in rows], np.int64)
    splits = None if rows[0].split is None else np.array([row.split for row in rows])
    files, wrong = _locate(root, rows)
    wrong += _label_faults(classes, labels, splits, request.test_fraction)
    if wrong:
        raise DataError(f"{file} can't be used (images are looked for below {root}; see --root):\n{listing(wrong)}")
    index = index_files(root, files, request.memory, request.progress)
    samples = file_samples(file.stem, "all", Targets(tuple(classes), labels), root, index)
    if splits is None:
        return Dataset(file.stem, *split_by_content(samples, request.test_fraction, request.seed))
    train, test = np.flatnonzero(splits == "train"), np.flatnonzero(splits == _held(splits))
    return Dataset(file.stem, samples.take(train, "train"), samples.take(test, "test"), _notes(splits))


def paths_of(file: Path) -> list[Path]:
    """Return the files, all below the CSV's folder, that its ``path`` column names. Raises DataError."""
    header, cells = _cells(file)
    _check_shape(file, header, cells, ("path",))
    root = Path(os.path.normpath(file.parent.absolute()))
    real, at = cache(Path.resolve), header.index("path")
    found: list[Path] = []
    wrong: list[str] = []
    for line, row in cells:
        try:
            found.append(root / _find(root, row[at].strip(), real)[0])
        except ValueError as error:
            wrong.append(f"line {line}: {error}")
    if wrong:
        raise DataError(f"{file} can't be used (images are looked for below {root}):\n{listing(wrong)}")
    return found


def _cells(file: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the header and the rows, each with the line on which it ends."""
    try:
        if file.exists() and not file.is_file():
            raise DataError(f"{file} is not a regular file; wanted a CSV with the columns path and label")
        with file.open(newline="", encoding="utf-8-sig") as text:
            reader = csv.reader(text, strict=True)
            header = [name.strip() for name in next(reader, [])]
            return header, [(reader.line_num, row) for row in reader if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"can't read the table {file}: {error}; wanted a UTF-8 CSV file with a header") from error


def _read(file: Path) -> list[CsvRow]:
    header, cells = _cells(file)
    _check_shape(file, header, cells, ("path", "label"))
    wanted = [header.index(name) if name in header else None for name in COLUMNS]
    rows = ((line, [None if at is None else row[at].strip() for at in wanted]) for line, row in cells)
    return [CsvRow(line, path or "", label or "", split and split.lower()) for line, (path, label, split) in rows]


def _check_shape(
    file: Path, header: Sequence[str], cells: Sequence[tuple[int, list[str]]], needed: Sequence[str]
) -> None:
    missing = [name for name in needed if name not in header]
    twice = [name for name in COLUMNS if header.count(name) > 1]
    if missing or twice:
        wanted = "path, label and maybe split" if "label" in needed else "path"
        found = f"no column {' and '.join(missing)}" if missing else f"two columns {' and '.join(twice)}"
        raise DataError(f"{file} has {found}; found {', '.join(header)}; wanted {wanted}")
    if not cells:
        raise DataError(f"{file} has a header and no rows; wanted one row per image")
    wrong = [f"line {n}: {len(row)} cells, {len(header)} columns" for n, row in cells if len(row) != len(header)]
    if wrong:
        raise DataError(f"{file} can't be used; quote a cell that holds a comma:\n{listing(wrong)}")


def _locate(root: Path, rows: Sequence[CsvRow]) -> tuple[Files, list[str]]:
    """Return the rows' files, and what is wrong with the rows, each in row order."""
    files = Files()
    wrong: list[str] = []
    seen: dict[str, int] = {}
    real = cache(Path.resolve)
    for row in rows:
        faults = [] if row.label else ["no label"]
        if row.split not in (None, *SPLITS):
            faults.append(f"split {row.split!r}; wanted {', '.join(SPLITS)}")
        try:
            path, info = _find(root, row.path, real)
            files.add(path, info)
            if seen.setdefault(path, row.line) != row.line:
                faults.append(f"{row.path} again, as on line {seen[path]}")
        except ValueError as error:
            faults.append(str(error))
        wrong += [f"line {row.line}: {fault}" for fault in faults]
    return files, wrong


def _find(root: Path, path: str, real: Callable[[Path], Path]) -> tuple[str, os.stat_result]:
    """Return a row's file, below the root, and its status. Raises ValueError with what is wrong with it."""
    if not path:
        raise ValueError("no path")
    full = Path(os.path.normpath(root / path))
    if not full.is_relative_to(root):
        raise ValueError(f"{path} leads out of the folder of the images")
    try:
        info = full.stat()
    except (OSError, ValueError):  # ValueError: a NUL in the path
        raise ValueError(f"{path}: no such file") from None
    if not stat.S_ISREG(info.st_mode):
        raise ValueError(f"{path} is not a regular file")
    if not real(full if full.is_symlink() else full.parent).is_relative_to(real(root)):
        raise ValueError(f"{path} is a link that leads out of the folder of the images")
    return full.relative_to(root).as_posix(), info


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


def _notes(splits: NDArray[np.str_]) -> tuple[str, ...]:
    if _held(splits) == "val":
        return ("split val is the test split; there is no split test",)
    unused = int((splits == "val").sum())
    return (f"{counted(unused, 'row')} of split val not used",) if unused else ()


CSV = Source(
    "csv:FILE", "a table with the columns path, label and maybe split", open_table, takes_root=True, at_hand=True
)
