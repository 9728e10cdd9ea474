"""A sequence whose values are read one at a time behaves as a list does."""

from __future__ import annotations

import pytest

from frostline.stages.datasets.objects.by_row import ByRow


class Squares(ByRow):
    def __len__(self) -> int:
        return 5

    def at(self, row: int) -> int:
        return row * row


@pytest.mark.parametrize("at", [0, 4, -1, slice(1, 3), slice(None, None, -2), slice(3, 99)])
def test_it_is_indexed_as_the_list_of_its_values(at: int | slice) -> None:
    assert Squares()[at] == [0, 1, 4, 9, 16][at] and list(Squares()) == [0, 1, 4, 9, 16]


@pytest.mark.parametrize("row", [5, -6])
def test_a_row_that_is_not_there_is_an_index_error(row: int) -> None:
    with pytest.raises(IndexError):
        Squares()[row]
