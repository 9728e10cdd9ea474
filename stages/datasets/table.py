"""``csv:FILE``: a table with the columns ``path``, ``label`` and optionally ``split``."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from stages.datasets.files import file_samples
from stages.datasets.index import Found, Progress, index_files
from stages.datasets.samples import Dataset, split_by_content
from stages.errors import DataError, listing

Row = dict[str, str]


def open_table(
    file: Path, root: Path | None, test_fraction: float, seed: int, memory: Path | None, progress: Progress | None = None
) -> Dataset:
    """Return the dataset of a CSV file (UTF-8, a header line).

    Paths are relative to ``root``, by default the CSV's folder, and stay below it. ``split``
    is ``train`` or ``test`` (or ``val``, taken as test where there is no ``test``); without
    the column the rows are split by ``test_fraction`` and ``seed``. Raises DataError that
    lists every row at fault.
    """
    rows = _read(file)
    root = (root or file.parent).resolve()
    files = _locate(file, root, rows)
    classes = sorted({row["label"] for row in rows})
    labels = np.array([classes.index(row["label"]) for row in rows], np.int64)
    samples = file_samples(file.stem, "all", classes, root, index_files(root, files, memory, progress), labels)
    if "split" not in rows[0]:
        return Dataset(file.stem, *split_by_content(samples, test_fraction, seed))
    splits = np.array([row["split"].lower() for row in rows])
    held, notes = _held_out(file, splits)
    unknown = sorted({classes[i] for i in labels[splits == held]} - {classes[i] for i in labels[splits == "train"]})
    if unknown:
        raise DataError(f"{file}: test labels that no training row has: {', '.join(map(repr, unknown))}")
    train, test = (samples.take(np.flatnonzero(splits == s), n) for s, n in (("train", "train"), (held, "test")))
    return Dataset(file.stem, train, test, notes)


def _read(file: Path) -> list[Row]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as text:
            reader = csv.DictReader(text, strict=True)
            header = [(name or "").strip() for name in reader.fieldnames or ()]
            reader.fieldnames = header
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"can't read the table {file}: {error}; wanted a UTF-8 CSV file with a header") from error
    missing = [name for name in ("path", "label") if name not in header]
    if missing:
        raise DataError(f"{file} has no column {', '.join(missing)}; found {header}; wanted path, label and maybe split")
    if not rows:
        raise DataError(f"{file} has a header and no rows")
    wanted = [name for name in ("path", "label", "split") if name in header]
    return [{name: (row[name] or "").strip() for name in wanted} for row in rows]


def _locate(file: Path, root: Path, rows: Sequence[Row]) -> list[Found]:
    """Return each row's file, in row order; a path can't leave the root."""
    found: list[Found] = []
    wrong: list[str] = []
    seen: dict[str, int] = {}
    for line, row in enumerate(rows, 2):
        problem = "no label" if not row["label"] else None
        if row.get("split", "train").lower() not in ("train", "test", "val"):
            problem = f"split {row['split']!r}; wanted train, test or val"
        path, reason = _below(root, row["path"])
        problem = problem or reason
        if path in seen and not problem:
            problem = f"{row['path']} again, as on row {seen[path]}"
        seen.setdefault(path, line)
        if problem:
            wrong.append(f"row {line}: {problem}")
        else:
            found.append(Found.of(path, (root / path).stat()))
    if wrong:
        raise DataError(f"{file} can't be used (images are looked for below {root}; see --root):\n{listing(wrong)}")
    return found


def _below(root: Path, path: str) -> tuple[str, str | None]:
    """Return a path relative to the root, and what is wrong with it."""
    if not path:
        return path, "no path"
    try:
        inside = Path(os.path.normpath(root / path)).relative_to(root)
        real = (root / inside).resolve(strict=True)
    except ValueError:
        return path, f"{path} leads out of the folder of the images"
    except OSError:
        return path, f"{path}: no such file"
    if not real.is_relative_to(root):
        return path, f"{path} is a link that leads out of the folder of the images"
    return str(PurePosixPath(inside)), None


def _held_out(file: Path, splits: np.ndarray) -> tuple[str, tuple[str, ...]]:
    held = "test" if (splits == "test").any() else "val"
    missing = [name for name in ("train", held) if not (splits == name).any()]
    if missing:
        raise DataError(f"{file}: no row of split {' or '.join(missing)}; both train and test are needed")
    unused = held == "test" and (splits == "val").any()
    return held, (f"{(splits == 'val').sum():,} rows of split val are not used",) if unused else ()
