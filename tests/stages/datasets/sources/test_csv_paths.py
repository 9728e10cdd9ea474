"""Paths of a CSV table: where they start, how they may be spelled, and what those mean that lead nowhere."""

from __future__ import annotations

import pytest

from frostline.stages.datasets import open_dataset
from support.csv_tables import UNTESTED, refusal, split_table, written
from support.pictures import put


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


def test_the_same_file_by_another_spelling_is_a_duplicate(images):
    assert "line 5: ./img/0001.png appears twice, first on line 3" in refusal(
        images, split_table("./img/0001.png,dog,test")
    )


def test_every_row_keeps_its_image_when_paths_are_respelled(images):
    text = split_table().replace("img/", "img\\").replace("img\\0002", "img/0002")
    dataset = open_dataset(written(images, text))
    assert dataset.train.ids == ["img/0000.png", "img/0001.png"] and dataset.test.ids == ["img/0002.png"]
    assert dataset.notes == ("2 paths with backslashes are read with slashes", UNTESTED)


def test_paths_without_an_ending_lead_to_the_one_image_of_that_name(images):
    dataset = open_dataset(written(images, split_table().replace(".png", "")))
    assert dataset.train.ids == ["img/0000.png", "img/0001.png"] and dataset.test.ids == ["img/0002.png"]
    assert dataset.notes[0] == "3 paths without an extension match the files of that name"
    put(images / "img/0001.jpg")
    assert "line 3: img/0001: no such file" in refusal(images, split_table().replace(".png", ""))


@pytest.mark.parametrize("disk, table", [("caf\u00e9", "cafe\u0301"), ("cafe\u0301", "caf\u00e9")])
def test_a_path_in_another_unicode_form_is_found_and_said(images, disk, table):
    put(images / f"img/{disk}.png")
    dataset = open_dataset(written(images, split_table(f"img/{table}.png,dog,test")))
    assert dataset.test.ids[-1] == f"img/{disk}.png"
    assert dataset.notes == ("1 path found in a different Unicode form",)


@pytest.mark.parametrize(
    "path, hint",
    [
        ("img/000", "no such file"),
        ("img/0009.PNG", "no such file; 0009.png is there"),
        ("ftp://example.org/0009.png", "addresses of this kind are not supported: expected s3://"),
        ("file:///elsewhere/0009.png", "leads outside /"),
        ("file:img/0009.png", "no such file"),
        ("~/0009.png", "~ is not expanded: write the full path, or give its folder with --root"),
        ("C:\\data\\img\\0009.png", "this is a Windows path: write it relative to /"),
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
    assert dataset.notes == ("2 paths written as file: addresses are read without that prefix",)
