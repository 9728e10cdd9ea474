"""Items are grouped by shape, and batches of them are filled up with zeros."""

from __future__ import annotations

import numpy as np

from frostline.stages.modalities.base import described
from frostline.stages.modalities.items import (
    Stack,
    by_shape,
    bytes_of,
    joined,
    rows_of,
    shape_of,
    stacked,
    taken,
    write_to,
    zeros_like,
)
from support.letters import Spelled


def item(length: int, value: int = 1) -> dict[str, np.ndarray]:
    return {"ids": np.full(length, value), "mask": np.ones(length, bool)}


def test_groups_are_of_one_shape_the_largest_first_and_rows_keep_their_order() -> None:
    items = {7: item(2), 3: item(5), 4: item(2), 1: item(5), 2: {"ids": np.zeros(5, np.int32)}}
    assert by_shape(items) == [[3, 1], [2], [7, 4]]
    assert by_shape({}) == []


def test_arrays_of_other_names_dtypes_or_lengths_are_of_another_shape() -> None:
    shapes = {
        shape_of(one) for one in (item(2), item(3), {"ids": np.ones(2)}, {"id": np.ones(2)}, {"ids": np.ones(2, "f4")})
    }
    assert len(shapes) == 5 and shape_of({"b": np.ones(1), "a": np.ones(2)}) == shape_of(
        {"a": np.ones(2), "b": np.ones(1)}
    )
    assert bytes_of(item(3)) == 27


def test_batches_hold_items_at_their_places_and_zeros_elsewhere() -> None:
    batch = Stack({0: item(2, 5), 2: item(2, 6)}, 4)
    assert batch["ids"].tolist() == [[5, 5], [0, 0], [6, 6], [0, 0]]
    assert batch["mask"].tolist() == [[True] * 2, [False] * 2, [True] * 2, [False] * 2]
    two = stacked([item(2, 5), item(2, 6)])
    assert taken(two, slice(1, 2))["ids"].tolist() == [[6, 6]]
    assert joined(two, zeros_like(two, 1))["ids"].tolist() == [[5, 5], [6, 6], [0, 0]]


def test_what_is_not_compared_stands_in_no_record() -> None:
    assert described(Spelled(table={"a": 1})) == {"longest": 64} and Spelled(table={"a": 1}) == Spelled()


def test_a_batch_is_stacked_where_it_is_to_lie_over_whatever_lies_there() -> None:
    batch = Stack({0: item(2, 5), 2: item(2, 6)}, 4)
    assert (rows_of(batch), shape_of(batch)) == (4, shape_of(dict(batch)))
    memory = {name: np.ones_like(array) for name, array in batch.items()}
    fresh = Stack({0: item(2, 5), 2: item(2, 6)}, 4)
    write_to(memory, fresh)
    assert all(np.array_equal(memory[name], array) for name, array in batch.items())
    assert "_arrays" not in vars(fresh)  # nothing was stacked elsewhere
    write_to(memory, {name: array[::-1] for name, array in batch.items()})
    assert all(np.array_equal(memory[name], array[::-1]) for name, array in batch.items())
