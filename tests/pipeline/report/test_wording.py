"""What the terminal and the pages say in the same words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from frostline.pipeline.records.curve import Curve
from frostline.pipeline.report.wording import Message, chosen, selection_lines, unbroken, unit_of
from frostline.stages.fit.selection import Selection


def selection(**given: Any) -> Selection:
    return Selection(**{"parameter": "C", "value": 1.0, "grid": (0.1, 1.0, 10.0), **given})


@pytest.mark.parametrize(
    ("parameter", "value", "said"),
    [("k", 1000, "k = 1,000"), ("C", 0.31623, "C = 0.316"), ("C", 30000000.0, "C = 3e+07"), ("", 0, "")],
)
def test_a_chosen_value_has_three_digits_and_a_whole_number_all_of_them(
    parameter: str, value: float, said: str
) -> None:
    assert chosen(selection(parameter=parameter, value=value)) == said


def test_no_wider_grid_is_asked_for_where_a_value_within_it_is_as_often_right() -> None:
    assert selection_lines(selection(at_edge=True, accuracy=(0.9, 0.9, 0.9))) == []
    (line,) = selection_lines(selection(at_edge=True, accuracy=(0.8, 0.8, 0.9)))
    assert line == Message("warning", "the chosen C lies at the edge of its grid; see --grid")


def test_how_a_value_was_chosen_is_a_note_and_every_doubt_a_warning() -> None:
    found = selection(
        by="folds", folds=5, accuracy=(0.8, 0.9, 0.7), converged=(True, False, False), final_converged=False
    )
    lines = selection_lines(found)
    assert [line.level for line in lines] == ["note", "warning", "warning"]
    assert [str(line) for line in lines] == [
        "C chosen among 3 values from 0.1 to 10 by 5-fold cross-validation (90.0 %); then fitted on all training rows",
        "WARNING 2 of the 3 values it was chosen among did not converge",
        "WARNING the final fit did not converge",
    ]


@pytest.mark.parametrize(
    ("by", "rows"),
    [("leave-one-out", "by leaving out each of 1,438 training rows"), ("hold-out", "on 1,438 held-out training rows")],
)
def test_the_rows_that_chose_are_named(by: str, rows: str) -> None:
    (line,) = selection_lines(selection(by=by, held_out_rows=1438, accuracy=(0.8, 0.9, 0.7)))
    assert f"{rows} (90.0 %);" in line.text


def test_the_score_that_is_said_is_that_of_the_chosen_value() -> None:
    (line,) = selection_lines(selection(value=0.1, by="hold-out", held_out_rows=9, accuracy=(0.8, 0.9, 0.7)))
    assert "(80.0 %);" in line.text


@pytest.mark.parametrize(
    ("alike", "said"),
    [
        ((1.0, 10.0), "C = 1 and 10"),
        ((1.0, 100.0), "C = 1 and 100 (an edge of the grid)"),
        ((0.1, 1.0), "C = 0.1 (an edge of the grid) and 1"),
        ((0.1, 100.0), "C = 0.1 and 100 (both edges of the grid)"),
    ],
)
def test_values_that_the_rows_can_not_tell_apart_are_said(alike: tuple[float, float], said: str) -> None:
    found = selection(grid=(0.1, 1.0, 10.0, 100.0), by="folds", folds=5, repeats=2, accuracy=(0.8, 0.9, 0.9, 0.9))
    first, second = selection_lines(replace(found, alike=alike))
    assert "by 5-fold cross-validation, repeated 2 times (90.0 %)" in first.text
    assert second.text == f"{said} scored about as well as the best; C = 1 was used"
    (alone,) = selection_lines(selection(by="folds", folds=5, accuracy=(0.8, 0.9, 0.7), alike=(1.0, 1.0)))
    assert "about as well" not in alone.text


def test_the_edge_is_a_warning_whether_or_not_another_value_is_as_good() -> None:
    given = {"by": "folds", "folds": 5, "value": 10.0, "at_edge": True, "accuracy": (0.8, 0.9, 0.9)}
    for alike in (
        (10.0, 10.0),
        (1.0, 10.0),
    ):  # a wider grid may hold a better one
        warning = selection_lines(selection(**given, alike=alike))[-1]
        assert warning == Message("warning", "the chosen C lies at the edge of its grid; see --grid")


def test_of_labels_the_score_is_shown_too_by_which_heads_are_picked() -> None:
    scores = {"macro_log_loss": (0.5, 0.4, 0.6), "map": (0.6, 0.712, 0.5)}
    (line,) = selection_lines(selection(by="folds", folds=5, scores=scores))
    assert "(log-loss 0.4, mAP 0.712)" in line.text


def test_a_protocol_that_fixes_its_grid_is_told_of_no_flag_for_it() -> None:
    at_edge = selection(at_edge=True, accuracy=(0.8, 0.8, 0.9))
    (line,) = selection_lines(at_edge, "dinov2-logreg")
    fixed = "the chosen C lies at the edge of its grid, which the protocol dinov2-logreg fixes"
    assert line == Message("note", fixed)
    assert selection_lines(at_edge, "logreg") == [
        Message("warning", "the chosen C lies at the edge of its grid; see --grid")
    ]


def test_weights_of_words_that_no_penalty_holds_are_told_of_no_flag() -> None:
    at_edge = selection(value=1e6, grid=(1.0, 1e4, 1e6), at_edge=True, accuracy=(0.8, 0.8, 0.9))
    (line,) = selection_lines(at_edge, "logreg", "tfidf:said-0123.json")
    assert line.level == "note" and "edge of its grid, where hardly any penalty is left" in line.text
    assert selection_lines(at_edge, "logreg", "pixels")[0].level == "warning"


def test_of_errors_the_least_is_the_best() -> None:
    within, beyond = ({"mae": (3.0, least, 2.0)} for least in (2.0, 2.5))
    assert selection_lines(selection(value=10.0, at_edge=True, scores=within)) == []
    assert len(selection_lines(selection(value=10.0, at_edge=True, scores=beyond))) == 1


def test_a_curve_of_shots_counts_per_class_and_any_other_samples() -> None:
    shots, samples = (Curve(unit, (), None, "") for unit in ("shots", "samples"))
    assert [unit_of(shots), unit_of(samples), unit_of(samples, "in all")] == ["per class", "samples", "in all"]


@pytest.mark.parametrize(
    "whole",
    ["98.1 %", "0.0 s", "1.5 MB", "12 B", "39 images/s", "7 recordings/s", "71 ± 0.3", "[96.4, 99.4]", "94.2 – 98.1"],
)
def test_no_line_ends_within_a_number_and_its_unit_or_interval(whole: str) -> None:
    assert unbroken(f"in {whole}, of 3 Bees") == f"in {whole.replace(' ', chr(0xA0))}, of 3 Bees"
