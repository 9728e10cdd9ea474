"""Columns as cells of a table, read when they are asked for: a text for each row, one object for all that are alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from frostline.stages.datasets.arrow.features import Feature
from frostline.stages.datasets.arrow.media import is_text
from frostline.stages.datasets.arrow.rows import RowFiles
from frostline.stages.datasets.json_lines import cell
from frostline.stages.errors import DataError, listing

_KNOWN = 1 << 16  # different cells that are one object each
_NO_CLASS = -1  # as datasets numbers a class that is not known


class Cells(Sequence[str]):
    """The cells of one column, by row. It is read at the first use of any, which raises DataError for what is wrong."""

    def __init__(self, rows: RowFiles, name: str) -> None:
        self._rows, self._stored, self._name = rows, rows.stored, name
        self._classes = rows.features.get(name, Feature()).names

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> list[str]: ...
    def __getitem__(self, row: int | slice) -> str | list[str]:
        return self._read[row]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read)

    @cached_property
    def _read(self) -> list[str]:
        if self._name in self._stored.differing:
            raise DataError(f"{self._stored.differing[self._name]}; expected files of one schema: convert one of them")
        found: list[str] = []
        self._wrong: dict[int, str] = {}
        self._known: dict[object, str] = {}
        for number in range(len(self._stored.chunks)):
            for array in self._stored.windows(number, self._name):
                found += self._texts(array, len(found))
        order: Sequence[int] = range(len(found)) if self._rows.order is None else self._rows.order.tolist()
        said = [f"{self._rows.names[row]}: {self._wrong[at]}" for row, at in enumerate(order) if at in self._wrong]
        if said:
            more = " …" if len(self._stored.blobs) > 1 else ""
            raise DataError(f"{self._stored.blobs[0].name}{more} can't be used:\n{listing(said)}")
        return found if self._rows.order is None else [found[at] for at in order]

    def _texts(self, array: Any, start: int) -> list[str]:
        """Return the cells of an array, whose first row is ``start``."""
        values, places = _different(array)
        texts = [self._text(value, places, at, start) for at, value in enumerate(values)]
        return [texts[place] if place >= 0 else "" for place in places.tolist()]

    def _text(self, value: object, places: NDArray[np.int64], at: int, start: int) -> str:
        """Return a value as a cell; what is wrong with it is noted down for all rows that have it."""
        key = tuple(value) if isinstance(value, list) else value
        text = self._known.get(key)
        if text is not None:
            return text
        try:
            text = self._meant(value)
        except ValueError as error:
            self._wrong |= dict.fromkeys((start + np.flatnonzero(places == at)).tolist(), str(error))
            return ""
        if len(self._known) < _KNOWN:
            self._known[key] = text
        return text

    def _meant(self, value: object) -> str:
        """Return a value as a cell. Raises ValueError for what is none."""
        name, classes = self._name, self._classes
        if isinstance(value, bytes):
            raise ValueError(f"{name} is {value[:40]!r}, which is not UTF-8")
        if classes is not None and isinstance(value, list):
            return cell(name, [_class(name, one, classes) for one in value])
        if classes is not None and type(value) is int:
            return cell(name, _class(name, value, classes))
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return cell(name, repr(value) if is_number else value)


def table_columns(rows: RowFiles) -> dict[str, Cells]:
    """Return the columns of texts, numbers, flags, and lists of texts or of classes, and none of anything else."""
    kept = [one.name for one in rows.stored.schema if _is_cell(one.type, rows.features.get(one.name, Feature()))]
    return {name: Cells(rows, name) for name in kept}


def _is_cell(kind: Any, feature: Feature) -> bool:
    if _is_list(kind):
        return is_text(kind.value_type) or (feature.names is not None and is_plain(kind.value_type))
    return is_plain(kind)


def _class(name: str, number: object, classes: Sequence[str]) -> str:
    if number == _NO_CLASS or number is None:
        return ""
    if not isinstance(number, int) or not 0 <= number < len(classes):
        raise ValueError(f"{name} is {number!r}, but there are {len(classes)} class names")
    return classes[number]


def _different(array: Any) -> tuple[list[object], NDArray[np.int64]]:
    """Return the different values of an array, and which of them each row has, int64 (n,), -1 for none."""
    from pyarrow import types

    if _is_list(array.type):
        return array.to_pylist(), np.arange(len(array))
    encoded = array if types.is_dictionary(array.type) else array.dictionary_encode()
    places = np.asarray(encoded.indices.fill_null(_NO_CLASS), np.int64)
    return _values(encoded.dictionary), places


def _values(array: Any) -> list[object]:
    """Return an array's values; texts that are no UTF-8 as bytes."""
    import pyarrow

    if not is_text(array.type):
        found: list[object] = array.to_pylist()
        return found
    return [_decoded(data) for data in array.cast(pyarrow.large_binary()).to_pylist()]


def _decoded(data: bytes | None) -> object:
    try:
        return None if data is None else data.decode()
    except UnicodeDecodeError:
        return data


def is_plain(kind: Any) -> bool:
    """Return whether a type is that of texts, numbers or flags, each separately or of a dictionary of such."""
    from pyarrow import types

    if types.is_dictionary(kind):
        return is_plain(kind.value_type)
    return bool(is_text(kind) or types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind))


def _is_list(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_list(kind) or types.is_large_list(kind))
