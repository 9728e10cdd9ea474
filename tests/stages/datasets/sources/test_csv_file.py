"""CSV tables: the dataset that they make, and every row at fault named at once."""

from __future__ import annotations

import os

import numpy as np
import pytest

from frostline.stages.datasets import open_dataset
from frostline.stages.errors import DataError
from support.csv_tables import UNTESTED, refusal, rows, split_table, written
from support.pictures import encoded, picture, plant, put


def test_path_label_and_split_make_the_dataset_in_row_order(images):
    put(images / "img/0001.png", encoded(picture(77)))
    text = rows("img/0002.png,dog,test", "img/0001.png,cat,train", "img/0000.png,dog,train")
    dataset = open_dataset(written(images, text))
    assert (dataset.name, dataset.notes, dataset.train.targets.names) == (
        "table",
        (UNTESTED.replace("dog", "cat"),),
        ("cat", "dog"),
    )
    assert dataset.train.ids == ["img/0001.png", "img/0000.png"] and dataset.train.targets.values.tolist() == [0, 1]
    assert dataset.test.ids == ["img/0002.png"] and dataset.test.targets.values.tolist() == [1]
    assert np.array_equal(dataset.train.read(0), picture(77))


def test_without_splits_the_rows_are_split_by_fraction(images):
    text = rows(*(f"img/{i:04d}.png,{'cat' if i < 8 else 'dog'}" for i in range(12)), header="path,label")
    dataset = open_dataset(written(images, text), test_fraction=0.25)
    assert np.bincount(dataset.train.targets.values).tolist() == [6, 3] and np.bincount(
        dataset.test.targets.values
    ).tolist() == [2, 1]


def test_a_byte_order_mark_quotes_spaces_blank_lines_and_other_columns_are_understood(images):
    put(images / 'img/a, "b".png', encoded(picture(5)))
    text = '"path", age ,label,split\r\n"img/a, ""b"".png",3, big cat ,Train\r\n\r\nimg/0001.png,,dog,train\r\n'
    dataset = open_dataset(written(images, text + "./img/../img/0002.png,1,dog,TEST", "utf-8-sig"))
    assert dataset.train.ids == ['img/a, "b".png', "img/0001.png"] and dataset.train.targets.names == ("big cat", "dog")
    assert dataset.test.ids == ["img/0002.png"]


def test_a_folder_and_a_table_of_the_same_files_hold_the_same_content(tmp_path):
    plant(tmp_path, {"train/cat": 1, "train/dog": 1, "test/cat": 1})
    text = rows("train/cat/0000.png,cat,train", "train/dog/0000.png,dog,train", "test/cat/0000.png,cat,test")
    table, folder = open_dataset(written(tmp_path, text)), open_dataset(f"folder:{tmp_path}")
    assert [x.content for x in table.splits] == [x.content for x in folder.splits]


def test_every_row_at_fault_is_listed_with_its_line_and_all_its_faults(images):
    outside = put(images.parent / "outside.png")
    (images / "img/leak.png").symlink_to(outside)
    (images / "img/up").symlink_to(images.parent)
    os.mkfifo(images / "img/pipe.png")
    said = refusal(
        images,
        split_table(
            "img/0000.png,cat,test",
            "img/0009.png,,spare",
            "img/gone.png,cat,train",
            "",
            "../outside.png,cat,train",
            f"{outside},cat,train",
            "img/leak.png,cat,train",
            "img/up/outside.png,cat,train",
            ",cat,train",
            "img,cat,train",
            "img/pipe.png,cat,train",
            "im\0g,cat,train",
            "img/0008.png,cow,test",
        ),
    )
    assert f"files are searched in {images}; see --root" in said
    for fault in (
        "line 5: img/0000.png appears twice, first on line 2",
        "line 6: no label",
        "line 6: split 'spare'; expected train, test, val",
        "line 7: img/gone.png: no such file",
        f"line 9: ../outside.png leads outside {images}",
        f"line 10: {outside} leads outside {images}",
        f"line 11: img/leak.png is a link to a file outside {images}",
        "line 12: img/up/outside.png is a link to a file outside",
        "line 13: no path",
        "line 14: img is not a regular file",
        "line 15: img/pipe.png is not a regular file",
        "line 16: im\\x00g: no such file",
        "class 'cow': no training sample, 1 test sample",
    ):
        assert fault in said


@pytest.mark.parametrize(
    "text, message",
    [
        ("file,label\na,b\n", "has no column path; found file, label; expected path or text, label and maybe split"),
        ("a;b\n", "has no column path and label; found a, b"),
        ("", "has no column path and label"),
        ("path,label,label\na,b,c\n", "has two columns label"),
        ("path,label\n", "has no rows; expected one row per sample"),
        (
            "path,label\na,b,c\nd\n\ne,f\n",
            "quote a cell that holds a comma:\n  line 2: 3 cells, expected 2\n  line 3: 1",
        ),
        ('path,label\n"a,b\n', "can't read the table"),
        (split_table().replace("test", "train"), "no test sample"),
        (split_table().replace("train", "test"), "no training sample"),
        (split_table().replace("dog", "cat"), "1 class found (cat); a classifier needs at least two"),
        (rows("img/0000.png,cat", "img/0001.png,dog", header="path,label"), "class 'cat': 1 sample, 0 of them"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(images, text, message):
    assert message in refusal(images, text)


def test_a_table_that_is_not_there_or_not_text_is_named(images):
    with pytest.raises(DataError, match=r"no file .*nowhere\.csv"):
        open_dataset(f"csv:{images / 'nowhere.csv'}")
    with pytest.raises(DataError, match="expected a table in UTF-8"):
        open_dataset(written(images, "path,label\nimg/ä.png,x\n", "latin-1"))


def test_one_group_alone_is_said_of_the_dataset(images):
    text = rows(*(f"img/{i:04d}.png,{'ab'[i % 2]},p" for i in range(12)), header="path,label,patient")
    said = refusal(images, text, group="patient")
    assert said.startswith("table can't be split into training and test: rows of 1 group") and "fold" not in said
