"""``datasets.Dataset`` of Hugging Face: its files as they are, not decoded, and its classes by their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from frostline.stages.datasets.objects.by_row import ByRow
from frostline.stages.datasets.objects.media import Media
from frostline.stages.datasets.objects.records import LABEL, Records, cell
from frostline.stages.errors import DataError

_FILES = {"Image": "image", "Audio": "audio"}


def is_hf_dataset(given: object) -> bool:
    """Return whether an object is a dataset of Hugging Face, of one split."""
    return type(given).__module__.startswith("datasets.") and hasattr(given, "features")


def hf_records(name: str, given: Any) -> Records:
    """Return the rows of a dataset of Hugging Face; its own format and transforms don't count. Raises DataError."""
    if not hasattr(given, "with_format") or not hasattr(given, "__len__"):
        raise DataError(f"{type(given).__name__} is read in one direction only; expected a Dataset: streaming=False")
    plain = given.with_format(None)
    cells, media, unused = dict[str, Sequence[str]](), dict[str, Media](), list[str]()
    lists = {
        one: _labels(plain, one, feature) for one, feature in given.features.items() if _is_list_of_labels(feature)
    }
    for column, feature in given.features.items():
        kind = type(feature).__name__
        if kind in _FILES:
            files = plain.cast_column(column, type(feature)(decode=False)).select_columns([column])
            media[column] = Media(_Column(files, column), _FILES[kind])
        elif _is_vector(feature):
            media[column] = Media(_Column(plain.with_format("numpy").select_columns([column]), column), "vector")
        elif kind in ("Value", "ClassLabel"):
            cells[column] = _cells(list(plain[column]), _names(feature))
        elif column not in lists:
            unused.append(column)
    classes = [column for column, feature in given.features.items() if _names(feature)]
    notes = (f"not used, neither cells nor samples: column {', '.join(unused)}",) if unused else ()
    if given.format.get("type") == "custom":
        notes = (*notes, "the dataset's own transform is not applied: samples are read as they are stored")
    target = tuple(classes) if LABEL not in {*cells, *lists} and len(classes) == 1 else ()
    return Records(name, cells, media, target=target, notes=notes, lists=lists)


def _cells(values: list[Any], names: Sequence[str] | None) -> list[str]:
    return [cell(value if names is None else _class(value, names)) for value in values]


def _labels(plain: Any, column: str, feature: Any) -> Sequence[Any]:
    """Return the lists of a column, the classes in them by their names; they are read when they are asked for."""
    return _Lists(plain.select_columns([column]), column, _names(feature))


def _class(number: int | None, names: Sequence[str]) -> str:
    return "" if number is None or number < 0 else names[number]


def _names(feature: Any) -> Sequence[str] | None:
    """Return the names of classes, of one or of a list of them."""
    names: Sequence[str] | None = getattr(_inner(feature), "names", None)
    return names


def _inner(feature: Any) -> Any:
    if isinstance(feature, list) and len(feature) == 1:
        return feature[0]
    return getattr(feature, "feature", feature)


def _is_vector(feature: Any) -> bool:
    inner = _inner(feature)
    return inner is not feature and str(getattr(inner, "dtype", "")).startswith("float")


def _is_list_of_labels(feature: Any) -> bool:
    """Return whether a column holds lists of names, of classes or of numbers."""
    inner = _inner(feature)
    dtype = str(getattr(inner, "dtype", ""))
    return inner is not feature and ("string" in dtype or dtype.startswith(("int", "uint", "bool", "float")))


class _Column(ByRow):
    """The values of one column, read by row."""

    def __init__(self, rows: Any, name: str) -> None:
        self._rows, self._name = rows, name

    def __len__(self) -> int:
        return len(self._rows)

    def at(self, row: int) -> Any:
        return self._rows[row][self._name]


class _Lists(_Column):
    """The lists of one column; ``names``: of the classes that their numbers are."""

    def __init__(self, rows: Any, name: str, names: Sequence[str] | None) -> None:
        super().__init__(rows, name)
        self._names = names

    def at(self, row: int) -> Any:
        found = super().at(row)
        return found if found is None or self._names is None else [_class(one, self._names) for one in found]
