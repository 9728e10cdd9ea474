"""Columns of Python values as the rows of a dataset: cells, and samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from frostline.stages.datasets.arrow.kind import by_content
from frostline.stages.datasets.objects.labels import is_list_of_labels, lists_in, of_label_frame, of_labels
from frostline.stages.datasets.objects.media import Media, Values, file_content
from frostline.stages.datasets.objects.records import LABEL, Records, cell
from frostline.stages.datasets.walk import endings_of
from frostline.stages.errors import DataError, UnreadableSample
from frostline.stages.modalities.base import IMAGE
from frostline.stages.modalities.given import array_of, described, modality_of

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
        elif all(isinstance(value, _SCALARS) or is_list_of_labels(value) for value in _present(values)):
            cells[one] = list(map(cell, values))
        else:
            unused.append(one)
    notes = (f"not used, neither cells nor samples: column {', '.join(unused)}",) if unused else ()
    return Records(name, cells, media, ids, notes=notes, lists=lists_in(columns))


def labelled(name: str, X: Any, y: Any) -> Records:
    """Return the rows of samples and their labels. Raises DataError for what is neither."""
    values, labels = samples_of(X), y if is_frame(y) else values_of(y)
    if len(values) != len(labels):
        raise DataError(f"{len(values):,} samples and {len(labels):,} labels; expected one label for each sample")
    target, task = of_label_frame(labels) if is_frame(labels) else of_labels(labels)
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


def is_frame(given: object) -> bool:
    """Return whether an object is a frame of pandas or polars. Raises DataError for one that is not computed yet."""
    library, kind = type(given).__module__.partition(".")[0], type(given).__name__
    if (library, kind) == ("polars", "LazyFrame"):
        raise DataError("got a LazyFrame of polars; expected a DataFrame: call .collect()")
    return library in ("pandas", "polars") and kind == "DataFrame"


def samples_of(X: Any) -> Values:
    """Return the samples of an array, a list or a series; rows of a frame of numbers are vectors.

    Raises DataError for a frame of several columns that are not numbers.
    """
    if not is_frame(X):
        return values_of(X)
    if len(X.columns) == 1 and not _is_number(X[X.columns[0]].to_list()):
        return values_of(X[X.columns[0]])
    other = [str(one) for one in X.columns if not _is_number(X[one].to_list())]
    if other:
        raise DataError(
            f"X is a frame whose columns {', '.join(other[:5])} are not numbers; expected columns of numbers, or one "
            "column of samples; else give the frame alone, with its labels in a column that target= names"
        )
    return np.asarray(X.to_numpy(), np.float64)


def _is_number(values: Sequence[Any]) -> bool:
    return all(isinstance(value, int | float | np.number) for value in values)


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


def _is_floats(value: object) -> bool:
    return isinstance(value, list) and len(value) > 1 and all(isinstance(one, float) for one in value)
