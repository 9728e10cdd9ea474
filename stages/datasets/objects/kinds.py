"""Which kind of object a dataset of one split is, and its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from frostline.stages.datasets.index import Progress
from frostline.stages.datasets.objects.columns import is_frame, labelled, of_columns
from frostline.stages.datasets.objects.hf_data import hf_records, is_hf_dataset
from frostline.stages.datasets.objects.labels import is_list_of_labels
from frostline.stages.datasets.objects.records import Records
from frostline.stages.datasets.objects.torch_data import is_torch_dataset, torch_records
from frostline.stages.errors import DataError
from frostline.stages.modalities.given import array_of, described

_LABELS = (str, int, float, bool, np.generic)
EXPECTED = (
    "expected (X, y) of arrays, lists or series; a list of (path, label); a pandas or polars frame; a torch or Hugging "
    'Face Dataset; or (train, test) or {"train": …, "test": …} of these'
)


def records_of(given: Any, name: str = "", progress: Progress | None = None) -> Records:
    """Return the rows of an object that is a dataset, or one split of one. Raises DataError for anything else."""
    if is_hf_dataset(given):
        info = getattr(given, "info", None)
        return hf_records(name or getattr(info, "dataset_name", None) or "dataset", given)
    if is_torch_dataset(given):
        return torch_records(name or type(given).__name__, given, progress)
    if is_frame(given):
        return _of_frame(name or "frame", given)
    if is_labelled(given):
        X, y = (given["X"], given["y"]) if isinstance(given, Mapping) else given
        return labelled(name or "array" if array_of(X) is not None else name or "list", X, y)
    if isinstance(given, Mapping):
        return _of_mapping(name or "columns", given)
    if isinstance(given, list) and given:
        return _of_list(name or "list", given)
    once = "; it is read in one direction only: call list() first" if hasattr(given, "__next__") else ""
    raise DataError(f"got {described(given)} as a dataset; {EXPECTED}{once}")


def is_labelled(given: object) -> bool:
    """Return whether an object is samples with their labels: ``(X, y)`` or ``{"X": X, "y": y}``."""
    if isinstance(given, Mapping):
        return {*given} == {"X", "y"}
    return isinstance(given, tuple) and len(given) == 2 and (_is_labels(given[1]) or _are_two_frames(*given))


def _are_two_frames(X: object, y: Any) -> bool:
    """Return whether a frame is the labels of samples, and no second split, which would have the same columns."""
    columns: Any = getattr(X, "columns", ())
    return is_frame(y) and not (is_frame(X) and {*columns} & {*y.columns})


def _is_labels(y: object) -> bool:
    array = array_of(y)
    if array is not None:
        return array.ndim in (1, 2)
    if isinstance(y, list):
        return bool(y) and all(one is None or isinstance(one, _LABELS) or _is_row(one) for one in y[:8])
    return type(y).__name__ == "Series"


def _is_row(label: object) -> bool:
    """Return whether a label is several: numbers, or names; a tuple of texts is a path and its label."""
    if isinstance(label, tuple):
        return all(isinstance(one, int | float) for one in label)
    return is_list_of_labels(label)


def _of_mapping(name: str, given: Mapping[Any, Any]) -> Records:
    wrong = next(
        (one for one, values in given.items() if not hasattr(values, "__len__") or isinstance(values, str)), None
    )
    if wrong is not None:
        raise DataError(f"column {wrong} is {described(given[wrong])}; expected a list with a value for each row")
    return of_columns(name, {str(one): list(values) for one, values in given.items()})


def _of_frame(name: str, frame: Any) -> Records:
    columns = {str(one): frame[one].to_list() for one in frame.columns}
    return of_columns(name, columns, _index(frame))


def _index(frame: Any) -> Sequence[str]:
    """Return what the index of a pandas frame calls rows, where that is more than their number and tells them apart."""
    index = getattr(frame, "index", None)
    if index is None or type(index).__name__ in ("RangeIndex", "method") or not index.is_unique or callable(index):
        return ()
    return list(map(str, index.tolist()))


def _of_list(name: str, rows: list[Any]) -> Records:
    if all(isinstance(row, Mapping) for row in rows):
        names = dict.fromkeys(str(one) for row in rows for one in row)
        return of_columns(name, {one: [row.get(one) for row in rows] for one in names})
    wrong = next((row for row in rows if not (isinstance(row, tuple | list) and len(row) == 2)), None)
    if wrong is not None:
        raise DataError(f"a row of the list is {described(wrong)}; expected (sample, label) in each")
    return labelled(name, [sample for sample, _ in rows], [label for _, label in rows])
