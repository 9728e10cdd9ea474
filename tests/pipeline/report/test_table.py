"""One aligner for every table of a terminal."""

from __future__ import annotations

from frostline.pipeline.report.table import Table, aligned


def test_columns_are_as_wide_as_their_widest_cell_and_numbers_end_alike() -> None:
    rows = (("logreg", "9", "x"), ("knn", "1,000", "y"))
    assert aligned(Table("", ("head", "n", "name"), "<><", rows)) == [
        "head        n  name",
        "logreg      9  x",
        "knn     1,000  y",
    ]


def test_a_column_without_a_cell_that_says_something_is_left_out_with_its_name() -> None:
    assert aligned(Table("", ("a", "gone", "b"), "<<<", (("1", "", "2"), ("3", "", "4")))) == ["a  b", "1  2", "3  4"]


def test_columns_are_no_narrower_than_they_are_told_and_lines_end_with_a_letter() -> None:
    assert aligned(Table("", ("a", "b", "c"), "><<", (("1", "2", "3"),), widths=(3, 4))) == [
        "  a  b     c",
        "  1  2     3",
    ]
    assert aligned(Table("", ("a", "b"), "<<", (("1", ""), ("1", "22")))) == ["a  b", "1", "1  22"]


def test_what_steers_a_terminal_is_written_out_before_it_is_measured() -> None:
    assert aligned(Table("", ("a", "b"), "<<", (("\x1b[1m", "x"),))) == ["a        b", "\\x1b[1m  x"]


def test_without_rows_there_is_no_table() -> None:
    assert aligned(Table("", ("a", "b"), "<<", ())) == []


def test_columns_without_names_have_no_line_for_them() -> None:
    assert aligned(Table("", ("", ""), "><", (("1", "a"), ("20", "b")))) == [" 1  a", "20  b"]
