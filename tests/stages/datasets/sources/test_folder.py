"""Image folders: what is found in them, and what is said about those that can't be used."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest

from frostline.stages.datasets import open_dataset
from frostline.stages.errors import DataError, UnreadableSample
from support.pictures import encoded, picture, plant, put

TWO = {"train/cat": 3, "train/dog": 2, "test/cat": 1, "test/dog": 2}
ONE = {"cat": 10, "dog": 20}


def opened(root, **options):
    return open_dataset(f"folder:{root}", **options)


def refusal(root, **options):
    with pytest.raises(DataError) as caught:
        opened(root, **options)
    assert caught.value.exit_code == 3
    return str(caught.value)


def test_train_and_test_folders_are_the_splits(tmp_path):
    dataset = opened(plant(tmp_path / "pets", TWO))
    assert dataset.name == "pets" and dataset.notes == ()
    assert dataset.train.targets.names == dataset.test.targets.names == ("cat", "dog")
    assert dataset.train.ids == [f"train/{i}.png" for i in ("cat/0000", "cat/0001", "cat/0002", "dog/0000", "dog/0001")]
    assert dataset.train.targets.values.tolist() == [0, 0, 0, 1, 1] and dataset.test.targets.values.tolist() == [
        0,
        1,
        1,
    ]
    assert (dataset.train.split, dataset.test.split) == ("train", "test")


def test_each_row_reads_its_own_image(tmp_path):
    plant(tmp_path, TWO)
    for seed, name in enumerate(("train/cat/0001", "test/dog/0001")):
        put(tmp_path / f"{name}.png", encoded(picture(seed + 50)))
    dataset = opened(tmp_path)
    assert np.array_equal(dataset.train.read(1), picture(50))
    assert np.array_equal(dataset.test.read(2), picture(51))


def test_val_is_the_test_split_where_there_is_no_test(tmp_path):
    dataset = opened(plant(tmp_path, {"train/cat": 2, "train/dog": 2, "val/cat": 1}))
    assert dataset.test.ids == ["val/cat/0000.png"]
    assert dataset.notes == ("val/ is the test split; there is no test/", "no test sample of 1 class: dog")


def test_folders_beside_train_and_test_are_noted(tmp_path):
    dataset = opened(plant(tmp_path, {**TWO, "val/cat": 1, "extra": 1}))
    assert dataset.test.ids[0].startswith("test/")
    assert dataset.notes == ("not used: extra/, val/ next to train/ and test/",)


@pytest.mark.parametrize("top", ["", "train/"])
def test_one_tree_is_split_by_fraction_within_each_class(tmp_path, top):
    dataset = opened(plant(tmp_path, {f"{top}{name}": n for name, n in ONE.items()}), test_fraction=0.3, seed=5)
    assert np.bincount(dataset.test.targets.values).tolist() == [3, 6]
    assert np.bincount(dataset.train.targets.values).tolist() == [7, 14]
    assert not set(dataset.train.ids) & set(dataset.test.ids)


def test_the_split_follows_the_images_and_not_their_names(tmp_path):
    root = plant(tmp_path / "a", ONE)
    held = {digest.tobytes() for digest in opened(root).test.digests}
    for i, file in enumerate(sorted(root.glob("*/*"))):
        file.rename(file.with_name(f"renamed {97 * i % 101:03d}.png"))
    assert {digest.tobytes() for digest in opened(root).test.digests} == held
    assert {digest.tobytes() for digest in opened(root, seed=1).test.digests} != held


def test_images_added_move_few_others_to_the_other_side(tmp_path):
    names = [f"{name}/{i}.png" for name, count in ONE.items() for i in range(count)]
    added = [f"cat/new{i}.png" for i in range(5)]
    for seed, name in enumerate(names):
        put(tmp_path / name, encoded(picture(seed)))  # always the same pictures: by chance two could change sides
    before = set(opened(tmp_path).test.ids)
    for seed, name in enumerate(added, len(names)):
        put(tmp_path / name, encoded(picture(seed)))
    after = set(opened(tmp_path).test.ids)
    assert len(before - after) <= 1


def test_moving_or_copying_the_folder_changes_no_content(tmp_path):
    before = opened(plant(tmp_path / "a" / "pets", TWO))
    shutil.copytree(tmp_path / "a" / "pets", tmp_path / "b" / "other name")
    shutil.move(tmp_path / "a" / "pets", tmp_path / "c")
    for place in ("b/other name", "c"):
        after = opened(tmp_path / place)
        assert [x.content for x in after.splits] == [x.content for x in before.splits]


@pytest.mark.parametrize("change", ["bytes", "name", "class name", "removed", "added"])
def test_any_change_changes_the_content_of_its_split_alone(tmp_path, change):
    before = opened(plant(tmp_path, TWO))
    if change == "bytes":
        put(tmp_path / "train/cat/0000.png")
    if change == "name":
        (tmp_path / "train/cat/0002.png").rename(tmp_path / "train/cat/x.png")  # the order stays
    if change == "class name":
        (tmp_path / "train/cat").rename(tmp_path / "train/cow")
        (tmp_path / "test/cat").rename(tmp_path / "test/cow")
    if change == "removed":
        (tmp_path / "train/cat/0000.png").unlink()
    if change == "added":
        put(tmp_path / "train/cat/x.png")
    after = opened(tmp_path)
    assert after.train.content != before.train.content
    assert (after.test.content == before.test.content) == (change != "class name")


def test_nested_folders_belong_to_their_class(tmp_path):
    plant(tmp_path, TWO)
    put(tmp_path / "train/dog/puppies/young/0.JPEG", encoded(picture(), "JPEG"))
    train = opened(tmp_path).train
    assert train.ids[-1] == "train/dog/puppies/young/0.JPEG" and train.targets.values[-1] == 1


def test_linked_images_and_folders_are_followed(tmp_path):
    away = plant(tmp_path / "away", {"more": 2})
    root = plant(tmp_path / "pets", TWO)
    (root / "train/cow").symlink_to(away / "more")
    (root / "train/cat/linked.png").symlink_to(away / "more/0000.png")
    train = opened(root).train
    assert train.targets.names == ("cat", "cow", "dog") and np.bincount(train.targets.values).tolist() == [4, 2, 2]


@pytest.mark.parametrize("target", [".", "..", "../..", "inner"])
def test_a_link_that_leads_back_up_or_in_circles_adds_nothing(tmp_path, target):
    plant(tmp_path, {**TWO, "train/cat/inner": 1})
    before = opened(tmp_path).train.ids
    (tmp_path / "train/cat/again").symlink_to(target)
    (tmp_path / "train/cat/inner/up").symlink_to("..")
    assert opened(tmp_path).train.ids == before


def test_pipes_and_links_to_nothing_are_problems_and_never_opened(tmp_path):
    plant(tmp_path, TWO)
    os.mkfifo(tmp_path / "train/cat/pipe.png")
    (tmp_path / "train/cat/zero.png").symlink_to("/dev/zero")
    (tmp_path / "train/cat/gone.png").symlink_to("nowhere")
    (tmp_path / "train/cat/self.png").symlink_to("self.png")
    train = opened(tmp_path).train
    found = {train.ids[row].rpartition("/")[2]: reason for row, reason in train.problems.items()}
    regular, link = "not a regular file", "a broken link"
    assert found == {"pipe.png": regular, "zero.png": regular, "gone.png": link, "self.png": link}
    for row, reason in train.problems.items():
        with pytest.raises(UnreadableSample, match=reason):
            train.read(row)


def test_damaged_images_are_problems_with_their_reasons(tmp_path):
    plant(tmp_path, TWO)
    put(tmp_path / "train/cat/a.jpg", b"")
    put(tmp_path / "test/dog/b.png", b"no image")
    put(tmp_path / "test/dog/c.jpg", encoded(picture(), "JPEG")[:-20])
    dataset = opened(tmp_path)
    assert dataset.train.problems == {3: "empty file (0 bytes)"}
    assert list(dataset.test.problems) == [3, 4]
    assert dataset.test.problems[3] == "not an image in a known format"
    assert "truncated" in dataset.test.problems[4]


def test_the_bytes_decide_what_a_file_is_and_not_its_ending(tmp_path):
    plant(tmp_path, TWO)
    put(tmp_path / "train/cat/0000.png", encoded(picture(3), "BMP"))
    train = opened(tmp_path).train
    assert not train.problems and np.array_equal(train.read(0), picture(3))


def test_files_without_an_image_ending_and_loose_images_are_noted(tmp_path):
    plant(tmp_path, TWO)
    for name in ("train/cat/notes.txt", "train/cat/.hidden.png", "train/loose.png"):
        put(tmp_path / name)
    assert opened(tmp_path).notes == (
        "1 file skipped, without an image extension: train/cat/notes.txt",
        "1 sample skipped, because they are in no class folder: loose.png",
    )


def test_a_folder_that_is_not_there_is_named(tmp_path):
    assert refusal(tmp_path / "nowhere").startswith(f"no folder {tmp_path / 'nowhere'}; expected train/<class>/")


def test_an_empty_folder_has_no_classes(tmp_path):
    assert "0 classes found; a classifier needs at least two" in refusal(tmp_path)


def test_one_class_is_refused(tmp_path):
    assert "1 class found (cat); a classifier needs at least two" in refusal(plant(tmp_path, {"cat": 5}))


def test_all_offenders_are_listed_at_once(tmp_path):
    said = refusal(plant(tmp_path, {"train/cat": 0, "train/dog": 2, "test/cat": 0, "test/owl": 1, "test/yak": 1}))
    for offender in (
        "train/cat: no sample",
        "test/cat: no sample",
        "test/owl: no such class in train/",
        "test/yak: no",
    ):
        assert offender in said


def test_an_empty_test_folder_is_refused(tmp_path):
    assert "test/ has no class folder" in refusal(plant(tmp_path, {"train/cat": 1, "train/dog": 1, "test": 0}))


def test_classes_too_small_to_split_are_listed_before_any_image_is_read(tmp_path):
    said = refusal(plant(tmp_path, {"cat": 1, "dog": 9, "owl": 2}), memory=tmp_path / "memory.npz")
    assert "class 'cat': 1 sample, 0 of them for testing at the test fraction 0.2; add samples" in said
    assert "class 'owl': 2 samples, 0" in said and "'dog'" not in said


@pytest.mark.parametrize("names", [("Test", "val"), ("testing", "validation"), ("test", "val")])
def test_splits_without_one_to_train_on_are_not_taken_for_classes(tmp_path, names):
    said = refusal(plant(tmp_path, {f"{name}/cat": 5 for name in names}))
    assert "and no train/; expected train/<class>/" in said


def test_a_class_without_a_readable_training_image_is_refused(tmp_path):
    plant(tmp_path, {"train/cat": 2, "train/dog": 0, "test/cat": 1})
    put(tmp_path / "train/dog/a.png", b"")
    assert "class 'dog': no training sample" in refusal(tmp_path)


def test_an_image_that_changes_or_goes_after_it_was_indexed_is_an_error(tmp_path):
    train = opened(plant(tmp_path, TWO)).train
    put(tmp_path / "train/cat/0000.png")
    (tmp_path / "train/cat/0001.png").unlink()
    for row, message in enumerate(("changed while it was being read", "can no longer be read")):
        with pytest.raises(DataError, match=message) as caught:
            train.read(row)
        assert not isinstance(caught.value, UnreadableSample)


def test_the_current_folder_has_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(plant(tmp_path / "pets", TWO))
    assert opened(".").name == "pets"


def test_names_that_are_not_utf8_are_kept(tmp_path):
    plant(tmp_path, TWO)
    strange = os.fsdecode(b"train/d\xff/a\xfe.png")
    put(tmp_path / strange, encoded(picture(4)))
    train = opened(tmp_path).train
    assert train.ids[-1] == strange and len(train.content) == 64
    assert np.array_equal(train.read(len(train) - 1), picture(4))
