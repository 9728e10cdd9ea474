"""CSV tables: what they mean, and every row at fault named at once."""

from __future__ import annotations

import os

import numpy as np
import pytest

from frostline.stages.datasets import open_dataset
from frostline.stages.errors import DataError
from support.pictures import encoded, picture, plant, put

UNTESTED = "no test sample of 1 class: dog"


@pytest.fixture
def images(tmp_path):
    return plant(tmp_path, {"img": 12})


def written(folder, text, encoding="utf-8"):
    (folder / "table.csv").write_bytes(text.encode(encoding))
    return f"csv:{folder / 'table.csv'}"


def rows(*lines, header="path,label,split"):
    return "\n".join([header, *lines]) + "\n"


def split_table(*more):
    return rows("img/0000.png,cat,train", "img/0001.png,dog,train", "img/0002.png,cat,test", *more)


def refusal(folder, text, **options):
    with pytest.raises(DataError) as caught:
        open_dataset(written(folder, text), **options)
    return str(caught.value)


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


def test_val_is_the_test_split_where_there_is_no_test(images):
    dataset = open_dataset(written(images, split_table().replace("test", "val")))
    assert dataset.test.ids == ["img/0002.png"]
    assert dataset.notes == ("split val is the test split; there is no split test", UNTESTED)


def test_val_rows_beside_test_rows_are_noted(images):
    dataset = open_dataset(written(images, split_table("img/0003.png,dog,val")))
    assert len(dataset.train) + len(dataset.test) == 3
    assert dataset.notes == ("1 row of split val not used", UNTESTED)


def test_a_byte_order_mark_quotes_spaces_blank_lines_and_other_columns_are_understood(images):
    put(images / 'img/a, "b".png', encoded(picture(5)))
    text = '"path", age ,label,split\r\n"img/a, ""b"".png",3, big cat ,Train\r\n\r\nimg/0001.png,,dog,train\r\n'
    dataset = open_dataset(written(images, text + "./img/../img/0002.png,1,dog,TEST", "utf-8-sig"))
    assert dataset.train.ids == ['img/a, "b".png', "img/0001.png"] and dataset.train.targets.names == ("big cat", "dog")
    assert dataset.test.ids == ["img/0002.png"]


def test_paths_start_at_the_root_that_is_given(images, tmp_path_factory):
    away = tmp_path_factory.mktemp("tables")
    dataset = open_dataset(written(away, split_table()), root=images)
    assert dataset.train.ids == ["img/0000.png", "img/0001.png"]


def test_absolute_paths_below_the_root_are_as_good_as_relative_ones(images):
    by_name = open_dataset(written(images, split_table()))
    absolute = open_dataset(written(images, split_table().replace("img/", f"{images}/img/")))
    assert absolute.train.content == by_name.train.content


def test_a_root_that_is_a_link_is_a_root(images, tmp_path_factory):
    link = tmp_path_factory.mktemp("links") / "root"
    link.symlink_to(images)
    text = split_table().replace("img/", f"{link}/img/")
    assert open_dataset(written(images, text), root=link).train.ids == ["img/0000.png", "img/0001.png"]


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
    assert f"images are looked for below {images}; see --root" in said
    for fault in (
        "line 5: img/0000.png again, as on line 2",
        "line 6: no label",
        "line 6: split 'spare'; wanted train, test, val",
        "line 7: img/gone.png: no such file",
        "line 9: ../outside.png leads out of the folder of the images",
        f"line 10: {outside} leads out of the folder",
        "line 11: img/leak.png is a link that leads out of the folder",
        "line 12: img/up/outside.png is a link that leads out",
        "line 13: no path",
        "line 14: img is not a regular file",
        "line 15: img/pipe.png is not a regular file",
        "line 16: im\\x00g: no such file",
        "class 'cow': no training sample, 1 test sample",
    ):
        assert fault in said


def test_the_same_file_by_another_spelling_is_a_duplicate(images):
    assert "line 5: ./img/0001.png again, as on line 3" in refusal(images, split_table("./img/0001.png,dog,test"))


@pytest.mark.parametrize(
    "text, message",
    [
        ("file,label\na,b\n", "has no column path; found file, label; wanted path or text, label and maybe split"),
        ("a;b\n", "has no column path and label; found a, b"),
        ("", "has no column path and label"),
        ("path,label,label\na,b,c\n", "has two columns label"),
        ("path,label\n", "has a header and no rows; wanted one row per sample"),
        (
            "path,label\na,b,c\nd\n\ne,f\n",
            "quote a cell that holds a comma:\n  line 2: 3 cells, 2 columns\n  line 3: 1",
        ),
        ('path,label\n"a,b\n', "can't read the table"),
        (split_table().replace("test", "train"), "no test sample"),
        (split_table().replace("train", "test"), "no training sample"),
        (split_table().replace("dog", "cat"), "1 class found (cat); a classifier needs two or more"),
        (rows("img/0000.png,cat", "img/0001.png,dog", header="path,label"), "class 'cat': 1 sample, 0 of them"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(images, text, message):
    assert message in refusal(images, text)


def test_a_table_that_is_not_there_or_not_text_is_named(images):
    with pytest.raises(DataError, match=r"can't read the table .*nowhere\.csv"):
        open_dataset(f"csv:{images / 'nowhere.csv'}")
    with pytest.raises(DataError, match="wanted a UTF-8 CSV file"):
        open_dataset(written(images, "path,label\nimg/ä.png,x\n", "latin-1"))


def test_every_row_keeps_its_image_when_paths_are_respelled(images):
    text = split_table().replace("img/", "img\\").replace("img\\0002", "img/0002")
    dataset = open_dataset(written(images, text))
    assert dataset.train.ids == ["img/0000.png", "img/0001.png"] and dataset.test.ids == ["img/0002.png"]
    assert dataset.notes == ("2 paths with backslashes are read with slashes", UNTESTED)


@pytest.mark.parametrize("separator, said", [(";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars")])
def test_what_separates_the_cells_is_found_out_and_said(images, separator, said):
    dataset = open_dataset(written(images, split_table().replace(",", separator)))
    assert dataset.train.ids == ["img/0000.png", "img/0001.png"] and dataset.train.targets.names == ("cat", "dog")
    assert dataset.notes == (f"table.csv: cells are separated by {said}", UNTESTED)


def test_commas_within_cells_do_not_separate_where_semicolons_do(images):
    text = 'path;label;"a, b, c, d"\nimg/0000.png;cat;1,5\nimg/0001.png;dog;2,5\n'
    put(images / "img/0002.png"), put(images / "img/0003.png")
    more = "img/0002.png;cat;1\nimg/0003.png;dog;1\n"
    dataset = open_dataset(written(images, text + more), test_fraction=0.5)
    assert dataset.train.targets.names == ("cat", "dog")


@pytest.mark.parametrize("header", ["Path,LABEL,Split", " path , label , SPLIT ", "PATH,Label,split"])
def test_case_and_spaces_of_the_header_do_not_matter(images, header):
    assert len(open_dataset(written(images, split_table().replace("path,label,split", header))).train) == 2


def test_columns_of_other_names_are_named(images):
    text = split_table().replace("path,label,split", "file,class,set")
    columns = {"path": "file", "label": "class", "split": "set"}
    dataset = open_dataset(written(images, text), columns=columns)
    assert dataset.train.ids == ["img/0000.png", "img/0001.png"] and dataset.test.ids == ["img/0002.png"]


@pytest.mark.parametrize(
    "header, hint",
    [
        ("file,class,set", "has no column path and label; found file, class, set;"),
        ("file,class,set", "--columns path=file,label=class?"),
        ("Filename,Label,split", "--columns path=Filename?"),
        ("paths,lable,split", "--columns path=paths,label=lable?"),
        ("image_id,dx,split", "--columns path=image_id,label=dx?"),
    ],
)
def test_a_column_that_is_missing_is_answered_with_the_one_that_may_be_meant(images, header, hint):
    assert hint in refusal(images, split_table().replace("path,label,split", header))


@pytest.mark.parametrize(
    "asked, hint",
    [
        ({"target": ("tagz",)}, "; --target tags?"),
        ({"target": ("tagz", "klass")}, "; --target tags,class?"),
        ({"group": "tagz"}, "; --group tags?"),
        ({"target": ("tagz",), "columns": {"path": "pathe"}}, "; --columns path=path?; --target tags?"),
    ],
)
def test_a_target_or_group_that_is_missing_is_answered_by_its_own_option(images, asked, hint):
    text = split_table().replace("path,label,split", "path,tags,class")
    if "target" not in asked:
        text = text.replace("class", "label")
    assert refusal(images, text, **asked).endswith(hint)


def test_cells_between_spaces_are_seen(images):
    said = refusal(images, split_table().replace(",", " "))
    assert "cells seem to be separated by spaces: expected commas, semicolons, tabs or bars" in said
    assert "--columns" not in said


def test_a_column_that_is_named_and_not_there_is_an_error(images):
    said = refusal(images, split_table(), columns={"split": "subset"})
    assert "has no column subset; found path, label, split" in said


@pytest.mark.parametrize(
    "encoding, said",
    [
        ("utf-16", "it is UTF-16 text, as PowerShell and Excel's Unicode Text write it"),
        ("utf-16-le", "it is UTF-16 text"),
        ("utf-32", "it is UTF-32 text; wanted a UTF-8 CSV file"),
        ("utf-16-be", "iconv -f UTF-16BE -t UTF-8"),
        ("utf-32-be", "iconv -f UTF-32BE -t UTF-8"),
        ("latin-1", "line 2 has the byte 0xE4, which is not UTF-8; it is 'ä' in Latin-1 or Windows-1252"),
    ],
)
def test_text_of_another_encoding_is_named_with_what_to_do(images, encoding, said):
    found = refusal_of(images, split_table().replace("cat", "kätzchen").encode(encoding))
    assert said in found and "iconv -f" in found


@pytest.mark.parametrize(
    "start, said", [(b"PK\x03\x04", "Excel"), (b"PAR1", "Parquet"), (b"\x1f\x8b\x08", "compressed by gzip")]
)
def test_files_of_other_kinds_are_named(images, start, said):
    assert said in refusal_of(images, start + bytes(100))


def refusal_of(folder, data):
    (folder / "table.csv").write_bytes(data)
    with pytest.raises(DataError) as caught:
        open_dataset(f"csv:{folder / 'table.csv'}")
    return str(caught.value)


def test_paths_without_an_ending_lead_to_the_one_image_of_that_name(images):
    dataset = open_dataset(written(images, split_table().replace(".png", "")))
    assert dataset.train.ids == ["img/0000.png", "img/0001.png"] and dataset.test.ids == ["img/0002.png"]
    assert dataset.notes[0] == "3 paths without an ending lead to the images of that name"
    put(images / "img/0001.jpg")
    assert "line 3: img/0001: no such file" in refusal(images, split_table().replace(".png", ""))


@pytest.mark.parametrize("name", ["set", "Subset", "is_valid"])
def test_a_column_that_may_be_the_split_is_not_passed_over_in_silence(images, name):
    text = rows(*(f"img/{i:04d}.png,{'ab'[i % 2]},train" for i in range(12)), header=f"path,label,{name}")
    notes = open_dataset(written(images, text)).notes
    assert f"column {name} is not used; --columns split={name} makes it the split" in notes


def test_the_line_by_which_excel_is_told_the_separator_is_passed_over(images):
    text = "sep=;\r\n" + split_table("img/0003.png,,test").replace(",", ";")
    assert "line 6: no label" in refusal(images, text)


def test_a_table_without_a_header_is_asked_for_one(images):
    said = refusal(images, "img/0000.png,cat\nimg/0001.png,dog\n")
    assert "the first line names a file: is the header missing?" in said


def test_an_excel_table_with_a_mark_and_blank_rows_at_its_end_is_read(images):
    text = split_table().replace(",", ";").replace("\n", "\r\n") + ";;\r\n;;\r\n"
    assert len(open_dataset(written(images, text, "utf-8-sig")).train) == 2


@pytest.mark.parametrize("disk, table", [("caf\u00e9", "cafe\u0301"), ("cafe\u0301", "caf\u00e9")])
def test_a_path_in_another_unicode_form_is_found_and_said(images, disk, table):
    put(images / f"img/{disk}.png")
    dataset = open_dataset(written(images, split_table(f"img/{table}.png,dog,test")))
    assert dataset.test.ids[-1] == f"img/{disk}.png"
    assert dataset.notes == ("1 path found in another Unicode form",)


@pytest.mark.parametrize(
    "path, hint",
    [
        ("img/000", "no such file"),
        ("img/0009.PNG", "no such file; 0009.png is there"),
        ("https://example.org/0009.png", "an address: download the images"),
        ("file:///elsewhere/0009.png", "leads out of the folder of the images"),
        ("file:img/0009.png", "no such file"),
        ("~/0009.png", "~ is not read as a home folder: write the path in full, or name its folder by --root"),
        ("C:\\data\\img\\0009.png", "a path of Windows: write it from the folder of the images on"),
    ],
)
def test_a_path_that_leads_nowhere_is_answered_with_what_may_be_meant(images, path, hint):
    assert hint in refusal(images, split_table(f"{path},dog,test"))


@pytest.mark.parametrize("start", ["file://", "file://localhost", "file:"])
def test_addresses_of_files_of_this_machine_are_paths(images, start):
    put(images / "img/a b.png")
    text = split_table(f"{start}{images}/img/a%20b.png,dog,test").replace(
        "img/0000.png", f"{start}{images}/img/0000.png"
    )
    dataset = open_dataset(written(images, text))
    assert dataset.train.ids[0] == "img/0000.png" and dataset.test.ids[-1] == "img/a b.png"
    assert dataset.notes == ("2 paths written as file: addresses are read without that",)


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
    assert f"are one class: they differ in {what}" in dataset.notes[0]


def test_labels_of_training_that_differ_in_case_alone_are_a_question(images):
    said = refusal(images, labelled("Cat", "cat", "dog", "dog", "dog", "cat"))
    assert "'Cat' and 'cat' differ in case alone: one class or two?" in said


@pytest.mark.parametrize("label", ["nan", "NaN", "<NA>"])
def test_a_label_that_pandas_wrote_for_none_is_none(images, label):
    said = refusal(images, split_table(f"img/0003.png,{label},train"))
    assert f"line 5: label {label!r}, a missing one as pandas writes it; wanted a label, or no such row" in said


@pytest.mark.parametrize("name", ["validation", "Valid", "dev"])
def test_splits_have_the_names_that_people_give_them(images, name):
    dataset = open_dataset(written(images, split_table().replace("test", name).replace("train", "Training")))
    assert (len(dataset.train), len(dataset.test)) == (2, 1)
    assert dataset.notes == (f"split {name.lower()} is the test split; there is no split test", UNTESTED)


def test_two_splits_that_may_be_the_one_are_a_question(images):
    said = refusal(images, split_table("img/0003.png,dog,dev", "img/0004.png,dog,val").replace("test", "train"))
    assert "splits 'dev' and 'val' may each be the one; call them alike" in said


def test_labels_that_are_missing_are_told_by_their_rows_alone(images):
    text = rows(
        *(f"img/{i:04d}.png,{a}" for i, a in enumerate(["nan", "cat", "dog", "cat", "dog"])), header="path,label"
    )
    put(images / "img/0004.png")
    said = refusal(images, text, test_fraction=0.5)
    assert "line 2: label 'nan', a missing one" in said and "class 'nan'" not in said and said.count("\n") == 1


@pytest.mark.parametrize("asked", [{"task": "multi-label"}, {"separator": "|"}])
def test_a_column_of_several_labels_without_any_is_said(images, asked):
    text = rows(*(f"img/{i:04d}.png," for i in range(4)), header="path,tags")
    assert "column tags: no cell names a label" in refusal(images, text, target=("tags",), **asked)


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
        "column is_test is not used; --columns split=is_test makes it the split",
    )
    assert len(open_dataset(written(images, text), columns={"split": "is_test"}).test) == 4


def test_0_and_1_of_other_columns_are_no_split(images):
    text = split_table().replace(",train", ",0").replace(",test", ",1")
    assert "line 2: split '0'; wanted train, test, val" in refusal(images, text)


@pytest.mark.parametrize("name", ["fold", "set"])
def test_a_column_of_folds_is_not_proposed_as_the_split(images, name):
    text = rows(*(f"img/{i:04d}.png,{'ab'[i % 2]},{i % 5}" for i in range(12)), header=f"path,label,{name}")
    assert open_dataset(written(images, text)).notes == ()


def test_one_group_alone_is_said_of_the_dataset(images):
    text = rows(*(f"img/{i:04d}.png,{'ab'[i % 2]},p" for i in range(12)), header="path,label,patient")
    said = refusal(images, text, group="patient")
    assert said.startswith("table can't be split into training and test: rows of 1 group") and "fold" not in said


@pytest.mark.parametrize(
    "ages, task, said", [((12, 31), "auto", True), ((1, 2), "auto", False), ((12, 31), "single-label", False)]
)
def test_whole_numbers_that_become_classes_are_said(images, ages, task, said):
    text = rows(*(f"img/{i:04d}.png,{ages[i % 2]}" for i in range(12)), header="path,age")
    notes = open_dataset(written(images, text), target=("age",), task=task).notes
    note = "age: 2 different whole numbers, taken for names of classes; --task regression says otherwise"
    assert notes == ((note,) if said else ())


def test_two_unused_columns_of_one_name_are_no_matter(images):
    text = rows(*(f"img/{i:04d}.png,{'ab'[i % 2]},train,test" for i in range(12)), header="path,label,set,set")
    assert open_dataset(written(images, text)).notes == ()
