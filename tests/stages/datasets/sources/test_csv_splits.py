"""The split of a CSV table: its names, columns of 0 and 1, and columns that may be meant."""

from __future__ import annotations

import pytest

from frostline.stages.datasets import open_dataset
from frostline.stages.datasets.names import folded
from support.csv_tables import UNTESTED, refusal, rows, split_table, written


def test_val_is_the_test_split_where_there_is_no_test(images):
    dataset = open_dataset(written(images, split_table().replace("test", "val")))
    assert dataset.test.ids == ["img/0002.png"]
    assert dataset.notes == ("split val is the test split, because there is no split test", UNTESTED)


def test_val_rows_beside_test_rows_are_noted(images):
    dataset = open_dataset(written(images, split_table("img/0003.png,dog,val")))
    assert len(dataset.train) + len(dataset.test) == 3
    assert dataset.notes == ("1 row of split val not used", UNTESTED)


@pytest.mark.parametrize("name", ["set", "Subset", "is_valid"])
def test_a_column_that_may_be_the_split_is_not_passed_over_in_silence(images, name):
    text = rows(*(f"img/{i:04d}.png,{'ab'[i % 2]},train" for i in range(12)), header=f"path,label,{name}")
    notes = open_dataset(written(images, text)).notes
    assert f"column {name} is not used; use it as the split with --columns split={name}" in notes


@pytest.mark.parametrize("name", ["validation", "Valid", "dev"])
def test_splits_have_the_names_that_people_give_them(images, name):
    dataset = open_dataset(written(images, split_table().replace("test", name).replace("train", "Training")))
    assert (len(dataset.train), len(dataset.test)) == (2, 1)
    assert dataset.notes == (f"split {name.lower()} is the test split, because there is no split test", UNTESTED)


def test_two_splits_that_may_be_the_one_are_a_question(images):
    said = refusal(images, split_table("img/0003.png,dog,dev", "img/0004.png,dog,val").replace("test", "train"))
    assert "splits 'dev' and 'val' could mean the same split; give them the same name" in said


@pytest.mark.parametrize(
    "header, train, test",
    [
        ("is_test", "0", "1"),
        ("is_valid", "False", "True"),
        ("Is_Train", "1.0", "0.0"),
        ("is_test", "false", "test"),
    ],
)
def test_a_column_of_0_and_1_that_its_name_makes_the_split_is_read(images, header, train, test):
    text = split_table().replace(",split", f",{header}").replace(",train", f",{train}").replace(",test", f",{test}")
    dataset = open_dataset(written(images, text), columns={"split": header})
    assert dataset.train.ids == ["img/0000.png", "img/0001.png"] and dataset.test.ids == ["img/0002.png"]


def test_a_column_of_0_and_1_that_may_be_the_split_is_proposed_as_it_can_be_read(images):
    text = rows(*(f"img/{i:04d}.png,{'ab'[i % 2]},{i // 8}" for i in range(12)), header="path,label,is_test")
    assert open_dataset(written(images, text)).notes == (
        "column is_test is not used; use it as the split with --columns split=is_test",
    )
    assert len(open_dataset(written(images, text), columns={"split": "is_test"}).test) == 4


@pytest.mark.parametrize("name", ["File Name", "FILENAME", "file-path", "Image_Path"])
def test_columns_with_other_signs_between_their_words_are_proposed(images, name):
    said = refusal(images, split_table().replace("path,label", f"{name},Class"))
    assert f"--columns path={name},label=Class?" in said


@pytest.mark.parametrize(("no", "yes"), [("0", "1"), ("False", "True"), ("no", "yes"), ("0.0", "1.0")])
def test_0_and_1_of_other_columns_are_a_question_with_both_answers(images, no, yes):
    cells = (f"img/{i:04d}.png,{'ab'[i % 2]},{no if i < 8 else yes}" for i in range(12))
    text = rows(*cells, header="path,label,split")
    said = refusal(images, text)
    assert f"column split says {folded(no).removesuffix('.0')} in " in said and "which is ambiguous" in said
    for kind in ("test", "train"):
        answer = f"rename it to is_{kind} and use --columns split=is_{kind}"
        assert answer in said
        renamed = text.replace("split", f"is_{kind}", 1)
        dataset = open_dataset(written(images, renamed), columns={"split": f"is_{kind}"})
        assert (len(dataset.test) < len(dataset.train)) == (kind == "test")


@pytest.mark.parametrize("codes", [("0", "2"), ("1", "2"), ("0", "0"), ("10", "20")])
def test_other_numbers_name_no_split(images, codes):
    text = split_table().replace(",train", f",{codes[0]}").replace(",test", f",{codes[1]}")
    assert "which is not the name of a split; expected train, test, val" in refusal(images, text)


@pytest.mark.parametrize("name", ["fold", "set"])
def test_a_column_of_folds_is_not_proposed_as_the_split(images, name):
    text = rows(*(f"img/{i:04d}.png,{'ab'[i % 2]},{i % 5}" for i in range(12)), header=f"path,label,{name}")
    assert open_dataset(written(images, text)).notes == ()


def test_two_unused_columns_of_one_name_are_no_matter(images):
    text = rows(*(f"img/{i:04d}.png,{'ab'[i % 2]},train,test" for i in range(12)), header="path,label,set,set")
    assert open_dataset(written(images, text)).notes == ()
