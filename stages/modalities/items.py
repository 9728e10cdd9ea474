"""Items and batches, which are arrays by name: of which shape they are, and one made of the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.stages.modalities.base import Arrays, Item, PacedTransform, Transform

_BATCH_BYTES = 256 << 20
Shape = tuple[tuple[str, str, tuple[int, ...]], ...]
"""The names of arrays, each with its dtype and shape."""


def shape_of(arrays: Mapping[str, NDArray[Any]]) -> Shape:
    """Return the shape of an item or a batch."""
    if isinstance(arrays, Stack):
        return arrays.shape
    return tuple((name, arrays[name].dtype.str, arrays[name].shape) for name in sorted(arrays))


def bytes_of(item: Item) -> int:
    """Return how many bytes an item holds."""
    return sum(array.nbytes for array in item.values())


def rows_at_once(how: Transform[Any], item: Item, most: int) -> int:
    """Return how many items of this one's shape are a batch, at most ``most``: fewer where these took over 256 MiB.

    Extraction and predictions ask here, so that both compute a sample in batches of one shape.
    """
    fit = max(1, min(most, _BATCH_BYTES // max(1, bytes_of(item))))
    return how.rows_at_once(item, fit) if isinstance(how, PacedTransform) else fit


def rows_of(batch: Arrays) -> int:
    """Return how many rows a batch has."""
    if isinstance(batch, Stack):
        return batch.rows
    return len(next(iter(batch.values())))


def stacked(items: Sequence[Item]) -> dict[str, NDArray[Any]]:
    """Return a batch of items of one shape, in their order."""
    return {name: np.stack([item[name] for item in items]) for name in items[0]}


class Stack(Mapping[str, NDArray[Any]]):
    """A batch of ``rows`` rows with items of one shape at their places and zeros in all other rows.

    It is stacked where it is to lie (``write_to``), or when an array of it is asked for.
    """

    def __init__(self, items: Mapping[int, Item], rows: int) -> None:
        self._items, self.rows = items, rows
        self._first = next(iter(items.values()))

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._first)

    def __len__(self) -> int:
        return len(self._first)

    @property
    def shape(self) -> Shape:
        return tuple((name, dtype, (self.rows, *shape)) for name, dtype, shape in shape_of(self._first))

    @cached_property
    def _arrays(self) -> dict[str, NDArray[Any]]:
        arrays: dict[str, NDArray[Any]] = {
            name: np.zeros((self.rows, *array.shape), array.dtype) for name, array in self._first.items()
        }
        self._write(arrays)
        return arrays

    def write(self, where: Mapping[str, NDArray[Any]]) -> None:
        """Write the batch over arrays of its shape."""
        for array in where.values():
            array[[place for place in range(self.rows) if place not in self._items]] = 0
        self._write(where)

    def _write(self, where: Mapping[str, NDArray[Any]]) -> None:
        for name, rows in where.items():
            for place, item in self._items.items():
                rows[place] = item[name]


def write_to(where: Mapping[str, NDArray[Any]], batch: Arrays) -> None:
    """Write a batch over arrays of its shape; one that is not stacked yet is stacked there."""
    if isinstance(batch, Stack):
        batch.write(where)
        return
    for name, array in batch.items():
        np.copyto(where[name], array)


def taken(batch: Arrays, rows: slice | NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """Return some rows of a batch."""
    return {name: array[rows] for name, array in batch.items()}


def joined(*batches: Arrays) -> dict[str, NDArray[Any]]:
    """Return the rows of batches of items of one shape, one after the other."""
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def zeros_like(batch: Arrays, rows: int) -> dict[str, NDArray[Any]]:
    """Return a batch of as many rows as asked for, of zeros, its items of the same shape."""
    return {name: np.zeros((rows, *array.shape[1:]), array.dtype) for name, array in batch.items()}


def by_shape(items: Mapping[int, Item]) -> list[list[int]]:
    """Return the keys of items grouped by shape, in their order; the largest items first, so that memory is found out.

    In which order groups come depends on their items alone.
    """
    groups: dict[Shape, list[int]] = defaultdict(list)
    for row, item in items.items():
        groups[shape_of(item)].append(row)
    return [groups[shape] for shape in sorted(groups, key=lambda one: (-bytes_of(items[groups[one][0]]), one))]
