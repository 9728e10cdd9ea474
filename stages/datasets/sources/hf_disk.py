"""``hf-disk:DIR``: a folder that ``datasets`` wrote with ``save_to_disk``, read without it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, repeat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.stages.datasets.arrow.features import Features, features_of, read_features
from frostline.stages.datasets.arrow.names import RowNames
from frostline.stages.datasets.arrow.rows import RowFiles
from frostline.stages.datasets.arrow.stream_rows import StreamRows
from frostline.stages.datasets.containers.blob import LocalBlob
from frostline.stages.datasets.samples import Dataset, Samples
from frostline.stages.datasets.sources.base import Request, check_on_disk
from frostline.stages.datasets.sources.csv_file import CSV
from frostline.stages.datasets.sources.file_splits import FileSplits, file_splits
from frostline.stages.datasets.sources.row_files import all_rows, open_rows
from frostline.stages.errors import DataError
from frostline.stages.records.safe_read import read_file

_DICT, _STATE, _INFO = "dataset_dict.json", "state.json", "dataset_info.json"
_INDICES = ("_indices_files", "_indices_data_files")  # what versions before 2.0 wrote beside the rows


@dataclass(frozen=True, eq=False)
class _Saved:
    """One split as it was saved: its files, its features, and the order of its rows where they have another."""

    name: str
    files: Sequence[Path]
    features: Features
    order: NDArray[np.int64] | None


def open_hf_disk(request: Request) -> Dataset:
    """Return the dataset of a folder of ``Dataset.save_to_disk`` or of ``DatasetDict.save_to_disk``.

    Raises DataError: no such folder, one that is cut off or holds anything else, and what ``row_files`` finds.
    """
    check_on_disk(request)
    folder = request.path
    split, saved = _saved(folder) if request.test is None else _apart(folder, Path(request.test).expanduser())
    rows = _rows(saved)
    cells = [one for name, n in zip(split.splits, rows.names.counts, strict=True) for one in repeat(name, n)]
    rows = replace(rows, splits=cells if any(split.splits) else (), notes=split.notes)
    return open_rows(request, rows, folder, folder)


def saved_samples(request: Request) -> tuple[Samples, tuple[str, ...]]:
    """Return the samples of all splits of a folder without labels, and notes. Raises DataError."""
    check_on_disk(request)
    folder = request.path
    names = _listed(folder)
    saved = [replace(_read(folder / name), name=name) for name in names] if names else [_read(folder)]
    return all_rows(request, _rows(saved), folder, folder)


def _rows(saved: Sequence[_Saved]) -> RowFiles:
    """Return the rows of splits, one after the other."""
    stored = StreamRows([LocalBlob(file) for one in saved for file in one.files])
    ends = np.concatenate([[0], np.cumsum([len(one.files) for one in saved])])
    firsts = stored.chunks.first_rows(len(stored.blobs))[ends]
    names = RowNames([one.name for one in saved], np.concatenate([[0], np.cumsum(_counts(saved, firsts))]))
    return RowFiles(stored, names, saved[0].features or features_of(stored.schema.metadata), _order(saved, firsts))


def _saved(folder: Path) -> tuple[FileSplits, list[_Saved]]:
    """Return the splits of a folder that are used."""
    names = _listed(folder)
    if not names:
        return FileSplits([0], [""]), [_read(folder)]
    split = file_splits(names)
    if len(names) > 1 and not any(split.splits):
        raise DataError(
            f"{folder} has the splits {', '.join(names)}; expected train and test, or train and validation. Name the "
            f"folder of one: hf-disk:{folder / names[0]}"
        )
    return split, [replace(_read(folder / names[number]), name=names[number]) for number in split.files]


def _listed(folder: Path) -> list[str]:
    """Return the splits of a dict; none of a dataset alone. Raises DataError: no such folder."""
    if not folder.is_dir():
        raise DataError(f"no folder {folder}; expected one of Dataset.save_to_disk or DatasetDict.save_to_disk")
    return _texts(folder / _DICT, _json(folder / _DICT).get("splits")) if (folder / _DICT).exists() else []


def _apart(train: Path, test: Path) -> tuple[FileSplits, list[_Saved]]:
    """Return the splits that two folders are, each of one dataset."""
    if train.resolve() == test.resolve():
        raise DataError(f"{train} is also given with --test; expected another folder")
    both = [replace(_read(folder), name=name) for folder, name in ((train, "train"), (test, "test"))]
    return FileSplits([0, 1], ["train", "test"]), both


def _read(folder: Path) -> _Saved:
    """Return what was saved in a folder. Raises DataError where it is not all there."""
    state, about = _json(folder / _STATE), _json(folder / _INFO)
    files = _files(folder, state.get("_data_files"))
    if not files:
        raise DataError(f"{folder / _STATE} names no files of rows; save the dataset again")
    name = state.get("_split")
    indices = [file for key in _INDICES for file in _files(folder, state.get(key) or [])]
    order = _indices(indices) if indices else None
    return _Saved(name if isinstance(name, str) and name else "row", files, read_features(about.get("features")), order)


def _files(folder: Path, listed: Any) -> list[Path]:
    """Return the files of a list in ``state.json``. Raises DataError for names that lead out of the folder."""
    given = listed if isinstance(listed, list) else [listed]
    names = _texts(folder / _STATE, [one.get("filename") if isinstance(one, dict) else one for one in given])
    return [folder / name for name in names]


def _texts(file: Path, listed: Any) -> list[str]:
    """Return names of a list. Raises DataError where one is none, or a path."""
    if not isinstance(listed, list) or not all(isinstance(one, str) and one == Path(one).name != "" for one in listed):
        raise DataError(f"{file} lists {str(listed)[:80]}; expected names of files or folders next to it")
    return listed


def _indices(files: Sequence[Path]) -> NDArray[np.int64]:
    """Return the order of rows that files of indices hold. Raises DataError."""
    stored = StreamRows([LocalBlob(file) for file in files])
    if "indices" not in stored.schema.names:
        raise DataError(f"{files[0]} has no column indices; save the dataset again")
    found = [np.asarray(one) for chunk in range(len(stored.chunks)) for one in stored.windows(chunk, "indices")]
    return np.concatenate([np.zeros(0, np.int64), *found]).astype(np.int64)


def _counts(saved: Sequence[_Saved], firsts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many rows each split has, int64."""
    own = [len(one.order) if one.order is not None else rows for one, rows in zip(saved, np.diff(firsts), strict=True)]
    return np.array(own, np.int64)


def _order(saved: Sequence[_Saved], firsts: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Return which of the stored rows each row is; None where all are, in order. Raises DataError for one beyond."""
    if all(one.order is None for one in saved):
        return None
    parts = []
    for one, (first, end) in zip(saved, pairwise(firsts.tolist()), strict=True):
        order = np.arange(end - first) if one.order is None else one.order
        if len(order) and not 0 <= order.min() <= order.max() < end - first:
            raise DataError(f"{one.files[0].parent} has row indices beyond its {end - first:,} rows; save it again")
        parts.append(first + order)
    return np.concatenate(parts)


def _json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(read_file(file))
    except FileNotFoundError as error:
        raise DataError(f"{file.parent} has no file {file.name}; expected a complete folder of save_to_disk") from error
    except (OSError, ValueError, RecursionError) as error:
        why = (isinstance(error, OSError) and error.strerror) or error
        raise DataError(f"can't read {file}: {why}; expected a complete folder of save_to_disk") from error
    if not isinstance(found, dict):
        raise DataError(f"{file} holds no JSON object; expected what save_to_disk writes")
    return found


HF_DISK = replace(
    CSV,
    form="hf-disk:DIR",
    summary="a folder of Hugging Face save_to_disk: images, recordings, texts or paths",
    open=open_hf_disk,
    samples=saved_samples,
)
