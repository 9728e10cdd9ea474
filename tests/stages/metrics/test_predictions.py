"""predictions.csv: one line per row that every reader takes for what it is."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from frostline.stages.metrics import Predictions, predictions_csv


def predicted(classes: tuple[str, ...], ids: tuple[str, ...] = ("a.jpg", "b.jpg"), **changed: bool) -> Predictions:
    decision_values = np.random.default_rng(0).dirichlet(np.ones(len(classes)), len(ids))
    y = np.arange(len(ids)) % len(classes)
    return Predictions(ids, y, decision_values, classes, changed.get("probabilistic", True), ("key",))


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_row_names_its_five_likeliest_classes_in_order() -> None:
    answers = predicted(tuple("abcdefg"))
    rows = read(predictions_csv(answers))
    for row, p, y in zip(rows, answers.decision_values, answers.y, strict=True):
        best = np.argsort(-p)[:5]
        assert [row[f"class_{k}"] for k in range(1, 6)] == [answers.classes[i] for i in best]
        assert [float(row[f"probability_{k}"]) for k in range(1, 6)] == pytest.approx(p[best], rel=1e-5)
        assert float(row["margin"]) == pytest.approx(p[best[0]] - p[best[1]], rel=1e-5)
        assert (row["prediction"], row["label"]) == (row["class_1"], answers.classes[y])
    assert [row["id"] for row in rows] == ["a.jpg", "b.jpg"]


def test_two_classes_make_two_pairs_of_columns() -> None:
    header = next(csv.reader([predictions_csv(predicted(("no", "yes"))).split("\n")[0]]))
    assert header == ["id", "label", "prediction", "margin", "class_1", "probability_1", "class_2", "probability_2"]


def test_values_that_are_no_probabilities_are_called_decisions() -> None:
    row = read(predictions_csv(predicted(("no", "yes"), probabilistic=False)))[0]
    assert "decision_1" in row
    assert "probability_1" not in row


def test_the_prediction_is_the_first_of_equals_as_it_is_in_the_scores() -> None:
    answers = Predictions(("x",), np.array([1]), np.full((1, 40), 1 / 40), tuple(f"{i}" for i in range(40)), True, ())
    row = read(predictions_csv(answers))[0]
    assert row["prediction"] == row["class_1"] == answers.classes[answers.labels[0]] == "0"
    assert float(row["margin"]) == 0


@pytest.mark.parametrize("name", ["=1+1", "+49", "-x", "@cmd", "\tx", "\rx", "\nx"])
def test_no_name_becomes_a_formula(name: str) -> None:
    row = read(predictions_csv(predicted((name, "b"), ids=(name,))))[0]
    assert row["id"] == row["label"] == f"'{name}"
    assert f"'{name}" in (row["class_1"], row["class_2"])


@pytest.mark.parametrize(
    "name", ['say "a, b"', "two\nlines", "a\rb", "猫", "<b>&amp;", "001", "'quoted'", "a=b", "کتاب‌ها"]
)
def test_any_other_name_comes_back_as_it_is(name: str) -> None:
    row = read(predictions_csv(predicted((name, "b"), ids=(name,))))[0]
    assert row["id"] == row["label"] == name


def test_negative_decisions_stay_numbers() -> None:
    answers = Predictions(("x",), np.array([0]), np.array([[-2.5, -1.25]]), ("a", "b"), False, ())
    row = read(predictions_csv(answers))[0]
    assert (row["decision_1"], row["decision_2"], row["margin"]) == ("-1.25", "-2.5", "1.25")


def test_a_file_name_that_is_no_text_comes_back_byte_by_byte() -> None:
    name = b"caf\xe9.jpg"
    text = predictions_csv(predicted(("a", "b"), ids=(name.decode(errors="surrogateescape"),)))
    assert name in text.encode("utf-8", "surrogateescape")
