"""CSV files as programs write them: separators, headers, encodings, and files of other kinds."""

from __future__ import annotations

import pytest

from frostline.stages.datasets import open_dataset
from support.csv_tables import UNTESTED, refusal, refusal_of, split_table, written
from support.pictures import put


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
    assert "cells seem to be separated by spaces; expected commas, semicolons, tabs or vertical bars" in said
    assert "--columns" not in said


def test_a_column_that_is_named_and_not_there_is_an_error(images):
    said = refusal(images, split_table(), columns={"split": "subset"})
    assert "has no column subset; found path, label, split" in said


@pytest.mark.parametrize(
    "encoding, said",
    [
        ("utf-16", "it is UTF-16 text, as PowerShell and Excel's Unicode Text write it"),
        ("utf-16-le", "it is UTF-16 text"),
        ("utf-32", "it is UTF-32 text; expected a table in UTF-8"),
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


def test_the_line_by_which_excel_is_told_the_separator_is_passed_over(images):
    text = "sep=;\r\n" + split_table("img/0003.png,,test").replace(",", ";")
    assert "line 6: no label" in refusal(images, text)


def test_a_table_without_a_header_is_asked_for_one(images):
    said = refusal(images, "img/0000.png,cat\nimg/0001.png,dog\n")
    assert "the first line contains a file name: is the header missing?" in said


def test_an_excel_table_with_a_mark_and_blank_rows_at_its_end_is_read(images):
    text = split_table().replace(",", ";").replace("\n", "\r\n") + ";;\r\n;;\r\n"
    assert len(open_dataset(written(images, text, "utf-8-sig")).train) == 2
