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


def test_what_is_the_same_in_all_rows_is_said_above_a_table_that_is_too_wide() -> None:
    rows = (("mobilenet_v2", "dinov2-logreg", "C = 0.000316", "96.1 %"), ("mobilenet_v2", "knn", "k = 1", "95.0 %"))
    table = Table("", ("backbone", "head", "", "accuracy"), "<<<>", rows)
    assert aligned(table, 40) == [
        "backbone: mobilenet_v2",
        "head                         accuracy",
        "dinov2-logreg  C = 0.000316    96.1 %",
        "knn            k = 1           95.0 %",
    ]
    assert aligned(table, 34)[2] == "dinov…greg  C = 0.000316    96.1 %"


def test_columns_without_names_have_no_line_for_them() -> None:
    assert aligned(Table("", ("", ""), "><", (("1", "a"), ("20", "b")))) == [" 1  a", "20  b"]
