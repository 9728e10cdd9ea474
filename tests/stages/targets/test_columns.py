"""Columns become the kind of target that their cells say; where they may be several, an error says how to decide."""

from __future__ import annotations

import numpy as np
import pytest

from frostline.stages.errors import DataError
from frostline.stages.targets.columns import kind_of, numbers_as_names, read_columns

LINES = range(2, 100)


def where(row: int) -> str:
    return f"line {LINES[row]}"


@pytest.mark.parametrize(
    ("columns", "kind"),
    [
        ({"label": ["cat", "dog", "cat"]}, "single-label"),
        ({"label": ["1", "2", "3", "1"]}, "single-label"),
        ({"label": ["0", "1", "1", "0"]}, "single-label"),
        ({"label": ["1.0", "2.0", "3"]}, "single-label"),
        ({"label": ["a|b", "b", "a", ""]}, "multi-label"),
        ({"label": ["red; big", "big", "red", "red;big;old"]}, "multi-label"),
        ({"label": ["dog, small", "cat, small", "dog, big"]}, "single-label"),
        ({"age": ["5.92", "6", "", "7.25"]}, "regression"),
        ({"age": ["1e3", "-2.5", "nan"]}, "regression"),
        ({"flies": ["1", "0", ""], "swims": ["0", "-1", "1"]}, "multi-label"),
        ({"x": ["1", "0", "12.5"], "y": ["0", "1", "1"]}, "regression"),
        ({"flies": ["1", "0", "NA"], "swims": ["0", "<NA>", "null"]}, "multi-label"),
    ],
)
def test_the_kind_is_what_the_cells_say(columns: dict[str, list[str]], kind: str) -> None:
    assert kind_of(columns) == kind


def test_a_task_says_it_whatever_the_cells_say() -> None:
    for task in ("single-label", "multi-label", "regression"):
        assert kind_of({"label": ["1", "2"]}, task) == task  # type: ignore[arg-type]
    assert kind_of({"label": ["dog, small", "cat"]}, separator=",") == "multi-label"


@pytest.mark.parametrize(
    ("columns", "advice"),
    [
        ({"n": [str(i) for i in range(21)]}, "21 different whole numbers.*--task regression or --task single-label"),
        ({"label": ["a;b", "c;d"]}, "'a;b'.*--task multi-label or --task single-label"),
        ({"age": ["1.5", "2"], "sex": ["m", "f"]}, "sex hold texts.*--task single-label"),
        ({"a": ["1", "0", "2"], "b": ["0", "1", "1"]}, "whole numbers other than 0 and 1 .2.; choose"),
        ({"label": ["x;y", "x|q", "x"]}, "with --separator"),
        ({"r": [f"{i}.5" for i in range(40)] + ["n.a. "]}, "holds numbers, except 'n.a. '"),
        ({"r": [f"{i}.5" for i in range(40)] + ["3,5"]}, "decimal commas"),
    ],
)
def test_what_may_be_several_kinds_is_an_error_that_says_how_to_decide(
    columns: dict[str, list[str]], advice: str
) -> None:
    with pytest.raises(DataError, match=advice):
        kind_of(columns)


@pytest.mark.parametrize(
    ("cells", "count"),
    [
        (["0", "1", "2", "1"], 0),
        (["1.0", "2", "3", ""], 0),
        (["cat", "3"], 0),
        ([""], 0),
        (["12", "15", "12", "31"], 3),
        (["2", "3", "4"], 3),
        (["0", "1", "5"], 3),
    ],
)
def test_whole_numbers_other_than_those_that_count_classes_are_told(cells: list[str], count: int) -> None:
    assert numbers_as_names(cells) == count


def test_names_in_a_cell_are_labels_and_an_empty_cell_has_none() -> None:
    columns = {"label": ["b|a", "a", "", " b | c "]}
    found = read_columns(columns, "multi-label", where)
    assert (found.names, found.kind, found.column) == (("a", "b", "c"), "multi-label", "label")
    assert found.values.tolist() == [[1, 1, 0], [1, 0, 0], [0, 0, 0], [0, 1, 1]] and found.values.dtype == np.int8


def test_flags_are_labels_and_an_empty_cell_is_not_known() -> None:
    columns = {"flies": ["1", "0", "", "true"], "swims": ["-1", "1.0", "False", "0"]}
    found = read_columns(columns, "multi-label", where)
    assert found.values.tolist() == [[1, -1], [0, 1], [-1, 0], [1, 0]] and found.names == ("flies", "swims")


def test_numbers_are_outputs_and_an_empty_cell_is_not_known() -> None:
    columns = {"x": ["1.5", "", "NaN"], "y": ["2", "-3e2", "0"]}
    found = read_columns(columns, "regression", where)
    np.testing.assert_array_equal(found.values, [[1.5, 2], [np.nan, -300], [np.nan, 0]])
    assert (found.names, found.column) == (("x", "y"), "x+y")


def test_every_cell_at_fault_is_listed_with_its_line() -> None:
    columns = {"x": ["1.5", "tall", "inf"], "y": ["2", "3", "4,5"]}
    with pytest.raises(DataError) as error:
        read_columns(columns, "regression", where)
    assert "3 cells can't be read; expected a number" in str(error.value)
    for phrase in ("line 3: x is 'tall'", "line 4: x is 'inf'", "line 4: y is '4,5'"):
        assert phrase in str(error.value)
    with pytest.raises(DataError, match="line 3: flies is 'maybe'"):
        columns = {"flies": ["1", "maybe"], "swims": ["0", "1"]}
        read_columns(columns, "multi-label", where)
