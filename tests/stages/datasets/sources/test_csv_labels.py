"""Labels of a CSV table: spellings of one class, missing ones, and numbers that are names."""

from __future__ import annotations

import pytest

from frostline.stages.datasets import open_dataset
from support.csv_tables import refusal, rows, split_table, written
from support.pictures import put


def labelled(*labels, splits=None):
    splits = splits or ["train"] * (len(labels) - 2) + ["test"] * 2
    return rows(*(f"img/{i:04d}.png,{a},{s}" for i, (a, s) in enumerate(zip(labels, splits, strict=True))))


@pytest.mark.parametrize(
    "labels, what",
    [
        (("1", "1.0", "1", "2", "2.0", "1"), "how they are written"),
        (("caf\u00e9", "caf\u00e9", "cafe\u0301", "dog", "dog", "caf\u00e9"), "Unicode form"),
        (("big cat", "big  cat", "big cat", "dog", "dog", "big cat"), "spaces"),
        (("cat", "cat", "dog", "dog", "CAT", "dog"), "case"),
    ],
)
def test_labels_are_compared_as_people_mean_them(images, labels, what):
    dataset = open_dataset(written(images, labelled(*labels)))
    assert len(dataset.train.targets.names) == 2 and len(dataset.train) == 4
    assert f"are treated as one class: they differ only in {what}" in dataset.notes[0]


def test_labels_of_training_that_differ_in_case_alone_are_a_question(images):
    said = refusal(images, labelled("Cat", "cat", "dog", "dog", "dog", "cat"))
    assert "'Cat' and 'cat' differ only in case: are they one class or two?" in said


@pytest.mark.parametrize("label", ["nan", "NaN", "<NA>"])
def test_a_label_that_pandas_wrote_for_none_is_none(images, label):
    said = refusal(images, split_table(f"img/0003.png,{label},train"))
    assert (
        f"line 5: label {label!r}, which is how pandas writes a missing value; expected a label, or remove "
        "the row" in said
    )


def test_labels_that_are_missing_are_told_by_their_rows_alone(images):
    text = rows(
        *(f"img/{i:04d}.png,{a}" for i, a in enumerate(["nan", "cat", "dog", "cat", "dog"])), header="path,label"
    )
    put(images / "img/0004.png")
    said = refusal(images, text, test_fraction=0.5)
    assert (
        "line 2: label 'nan', which is how pandas writes a missing value" in said
        and "class 'nan'" not in said
        and said.count("\n") == 1
    )


@pytest.mark.parametrize("asked", [{"task": "multi-label"}, {"separator": "|"}])
def test_a_column_of_several_labels_without_any_is_said(images, asked):
    text = rows(*(f"img/{i:04d}.png," for i in range(4)), header="path,tags")
    assert "column tags: no cell contains a label" in refusal(images, text, target=("tags",), **asked)


@pytest.mark.parametrize(
    "ages, task, said", [((12, 31), "auto", True), ((1, 2), "auto", False), ((12, 31), "single-label", False)]
)
def test_whole_numbers_that_become_classes_are_said(images, ages, task, said):
    text = rows(*(f"img/{i:04d}.png,{ages[i % 2]}" for i in range(12)), header="path,age")
    notes = open_dataset(written(images, text), target=("age",), task=task).notes
    note = "age: 2 different whole numbers, treated as class names; use --task regression if they are amounts"
    assert notes == ((note,) if said else ())
