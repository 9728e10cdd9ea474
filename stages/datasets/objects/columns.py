"""Columns of Python values as the rows of a dataset: cells, and samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from frostline.stages.datasets.arrow.kind import by_content
from frostline.stages.datasets.objects.media import Media, Values, file_content
from frostline.stages.datasets.objects.records import LABEL, Records, cell, task_of
from frostline.stages.datasets.walk import endings_of
from frostline.stages.errors import DataError, UnreadableSample
from frostline.stages.modalities.base import IMAGE
from frostline.stages.modalities.given import array_of, described, modality_of
from frostline.stages.targets.columns import Task

_SCALARS = (str, Path, bool, int, float, np.generic, type(None))
_LOOKED_AT = 8


def of_columns(name: str, columns: Mapping[str, Sequence[Any]], ids: Sequence[str] = ()) -> Records:
    """Return the rows that columns of values make. What is neither cells nor samples is left out, with a note."""
    lengths = {one: len(values) for one, values in columns.items()}
    if len({*lengths.values()}) > 1:
        said = ", ".join(f"{one} {length:,}" for one, length in lengths.items())
        raise DataError(f"columns of different lengths: {said}; expected one value for each row")
    cells, media, unused = dict[str, Sequence[str]](), dict[str, Media](), list[str]()
    for one, values in columns.items():
        modality = modality_of_column(values)
        if modality:
            media[one] = Media(_vectors(values) if modality == "vector" else values, modality)
        elif all(isinstance(value, _SCALARS) or _is_list(value) for value in _present(values)):
            cells[one] = list(map(cell, values))
        else:
            unused.append(one)
    notes = (f"not used, neither cells nor samples: column {', '.join(unused)}",) if unused else ()
    return Records(name, cells, media, ids, notes=notes)


def labelled(name: str, X: Any, y: Any) -> Records:
    """Return the rows of samples and their labels. Raises DataError for what is neither."""
    values, labels = values_of(X), values_of(y)
    if len(values) != len(labels):
        raise DataError(f"{len(values):,} samples and {len(labels):,} labels; expected one label for each sample")
    target, task = of_labels(labels)
    modality = modality_of_column(values)
    if modality:
        media = Media(_vectors(values) if modality == "vector" else values, modality)
        return Records(name, target, {modality: media}, target=_named(target), task=task)
    if not all(isinstance(value, str | Path) for value in _present(values)):
        found = next((value for value in _present(values)), None)
        raise DataError(
            f"the samples are each {described(found)}; expected images, texts, paths, vectors or recordings"
        )
    column = "path" if _are_paths(values) else "text"
    return Records(name, {column: list(map(cell, values)), **target}, target=_named(target), task=task)


def of_labels(labels: Values) -> tuple[dict[str, Sequence[str]], Task]:
    """Return labels as columns of cells, and the task that their type says.

    One for each sample is the column ``label``; several numbers for each are ``label_0``, ``label_1``, …
    """
    arrays = map(array_of, labels)
    rows: list[Any] = [label if array is None else array for label, array in zip(labels, arrays, strict=True)]
    several = [(isinstance(row, np.ndarray) and row.ndim == 1) or _is_numbers(row) for row in rows]
    if not any(several):
        flat = [row.item() if isinstance(row, np.ndarray) else row for row in rows]
        return {LABEL: list(map(cell, flat))}, "multi-label" if any(map(_is_list, flat)) else task_of(flat)
    if len({len(row) if one else -1 for row, one in zip(rows, several, strict=True)}) > 1:
        raise DataError("labels of different lengths; expected as many numbers for each sample")
    table = np.array(rows)
    task: Task = "regression" if table.dtype.kind == "f" else "multi-label"
    return {f"{LABEL}_{at}": list(map(cell, table[:, at].tolist())) for at in range(table.shape[1])}, task


def values_of(given: Any) -> Values:
    """Return the values of a list, an array, a tensor or a series, by row."""
    array = array_of(given)
    if array is not None:
        if array.ndim == 4 and array is not given:
            return list(given)  # tensors, whose channels come first
        return array
    return list(given.to_list() if hasattr(given, "to_list") else given)


def modality_of_column(values: Values) -> str | None:
    """Return the modality of the samples in a column; None for one of cells, which may be texts or paths."""
    some = [value for value in _present(values) if not (isinstance(value, Mapping) and value.get("bytes") is None)]
    for value in some:
        if isinstance(value, bytes) or (isinstance(value, Mapping) and "bytes" in value):
            return _of_file(value)
        if _is_floats(value):
            return "vector"
        found = None if isinstance(value, _SCALARS) else modality_of(value)
        if found:
            return found
    return None


def _of_file(value: object) -> str:
    try:
        return by_content(file_content(value, IMAGE)) or IMAGE
    except UnreadableSample:
        return IMAGE


def _present(values: Values) -> list[Any]:
    """Return some values of a column that are there."""
    some = (values[row] for row in range(min(len(values), 64)))
    return [value for value in some if value is not None][:_LOOKED_AT]


def _vectors(values: Values) -> Values:
    return values if isinstance(values, np.ndarray) else [np.asarray(value) for value in values]


def _named(target: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    return tuple(target) if [*target] != [LABEL] else ()


def _are_paths(values: Values) -> bool:
    """Return whether texts name files: some are there, or all end as files of samples do."""
    some = _present(values)
    if any(isinstance(value, Path) for value in some):
        return True
    one_line = [value for value in some if "\n" not in value and len(value) < 4096]
    endings = endings_of()
    named = bool(one_line) and all(" " not in value and Path(value).suffix.lower() in endings for value in one_line)
    return named or any(Path(value).is_file() for value in one_line)


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple | set) and all(isinstance(one, str) for one in value)


def _is_numbers(value: object) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(one, int | float) for one in value)


def _is_floats(value: object) -> bool:
    return isinstance(value, list) and len(value) > 1 and all(isinstance(one, float) for one in value)
