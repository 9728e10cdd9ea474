"""``torch.utils.data.Dataset``: map-style, of (sample, label) or of dicts with both."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from frostline.stages.datasets.index import Progress
from frostline.stages.datasets.objects.by_row import ByRow
from frostline.stages.datasets.objects.labels import of_labels
from frostline.stages.datasets.objects.media import Media, examined
from frostline.stages.datasets.objects.records import Records
from frostline.stages.errors import DataError, FrostlineError
from frostline.stages.modalities.given import array_of, described, modality_of

_LABELS = ("label", "labels", "target", "targets", "y", "class")
_ORDER = ("image", "audio", "vector", "text")


def is_torch_dataset(given: object) -> bool:
    """Return whether an object is a dataset of torch; it is not imported for that."""
    data = sys.modules.get("torch.utils.data")
    return data is not None and isinstance(given, data.Dataset)


def torch_records(name: str, given: Any, progress: Progress | None = None) -> Records:
    """Return the rows of a dataset of torch; each item is read once, for its label and its digest. Raises DataError."""
    if not hasattr(given, "__len__") or sys.modules["torch.utils.data"].IterableDataset in type(given).__mro__:
        raise DataError(f"{type(given).__name__} is read in one direction only; expected a map-style Dataset")
    if not len(given):
        raise DataError(f"{type(given).__name__} has no items; expected some")
    take, modality = _parts(_item(given, 0))
    seen, labels = [], []
    for row in range(len(given)):
        sample, label = take(_item(given, row))
        seen.append(examined(sample, modality))
        labels.append(_plain(label))
        if progress:
            progress(row + 1, len(given))
    named, notes = _classes(given, labels)
    cells, task = of_labels(named)
    target = () if "label" in cells else tuple(cells)
    media = {modality: Media(_Items(given, take), modality, seen)}
    return Records(name, cells, media, target=target, task=task, notes=notes)


def _item(given: Any, row: int) -> Any:
    """Return an item. Raises DataError that says of which row, for what a stranger's dataset raises."""
    try:
        return given[row]
    except FrostlineError:
        raise
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        raise DataError(
            f"item {row} of {type(given).__name__} can't be read ({said}); repair it or leave it out"
        ) from error


Take = Callable[[Any], tuple[Any, Any]]


def _parts(item: Any) -> tuple[Take, str]:
    """Return what takes the sample and the label out of an item, and the modality of the sample."""
    if isinstance(item, Mapping):
        return _of_dict(item)
    if not isinstance(item, tuple | list) or len(item) < 2:
        raise DataError(f"an item is {described(item)}; expected (sample, label), or a dict with both")
    modality = modality_of(item[0])
    if modality is None:
        raise DataError(f"the sample of an item is {described(item[0])}; expected an image, a text, a vector or sound")
    return (lambda one: (one[0], one[1])), modality


def _of_dict(item: Mapping[str, Any]) -> tuple[Take, str]:
    label = next((name for name in _LABELS if name in item), None)
    samples = {found: name for name, value in item.items() if name != label and (found := modality_of(value))}
    modality = next((one for one in _ORDER if one in samples), None)
    if label is None or modality is None:
        raise DataError(f"an item has {', '.join(map(str, item))}; expected a sample, and a label called {_LABELS[0]}")
    return (lambda one: (one[samples[modality]], one[label])), modality


def _plain(label: Any) -> Any:
    array = array_of(label)
    return label if array is None else array.item() if array.ndim == 0 else array


def _classes(given: Any, labels: list[Any]) -> tuple[list[Any], tuple[str, ...]]:
    """Return the names of labels that are positions in the dataset's ``classes``, else the labels; and notes."""
    whole, names = given, None
    while names is None and whole is not None:
        names, whole = getattr(whole, "classes", None), getattr(whole, "dataset", None)  # that of a Subset
    if not isinstance(names, list | tuple) or not all(type(label) is int for label in labels):
        return labels, ()
    if not all(0 <= label < len(names) for label in labels):
        said = f"classes of the dataset are not used: {len(names)}, while labels are {min(labels)} to {max(labels)}"
        return labels, (said,)
    return [names[label] if isinstance(names[label], str) else label for label in labels], ()


class _Items(ByRow):
    """The samples of a dataset's items."""

    def __init__(self, given: Any, take: Take) -> None:
        self._given, self._take = given, take

    def __len__(self) -> int:
        return len(self._given)

    def at(self, row: int) -> Any:
        return self._take(_item(self._given, row))[0]
