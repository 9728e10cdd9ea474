"""Which files are those of which split, by the names that people give them."""

from __future__ import annotations

import pytest

from frostline.stages.datasets.sources.file_splits import file_splits
from frostline.stages.errors import DataError


@pytest.mark.parametrize(
    ("paths", "splits"),
    [
        (["d/train-00000-of-00001.parquet", "d/test-00000-of-00001.parquet"], ["train", "test"]),
        (["d/test.parquet", "d/train-0.parquet", "d/train-1.parquet"], ["test", "train", "train"]),
        (["d/train/0000.parquet", "d/validation/0000.parquet"], ["train", "val"]),
        (["d/train/part-0-a1.parquet", "d/test/part-0-b2.parquet"], ["train", "test"]),
        (["d/train/x/0.parquet", "d/test/x/0.parquet"], ["train", "test"]),
        (["d/train2017.parquet", "d/val2017.parquet"], ["train", "val"]),
        (["train", "test"], ["train", "test"]),
        (["d/train-0.parquet", "d/train-1.parquet"], ["", ""]),
        (["d/a.parquet", "d/b.parquet"], ["", ""]),
        (["d/test-0.parquet", "d/test-1.parquet"], ["", ""]),
    ],
)
def test_splits_are_found(paths: list[str], splits: list[str]) -> None:
    found = file_splits(paths)
    assert (list(found.files), list(found.splits), found.notes) == (list(range(len(paths))), splits, ())


def test_validation_is_not_used_beside_test() -> None:
    found = file_splits(["train-0.parquet", "validation-0.parquet", "test-0.parquet"])
    assert (list(found.files), list(found.splits)) == ([0, 2], ["train", "test"])
    assert found.notes == ("files called validation are not used, because there are files called test",)


def test_a_file_of_no_split_beside_others_is_named() -> None:
    with pytest.raises(
        DataError, match=r"1 file without a split, in addition to those of train and test(.|\n)*d/extra\.parquet"
    ):
        file_splits(["d/train.parquet", "d/test.parquet", "d/extra.parquet"])


def test_several_files_that_may_be_one_split_are_a_question() -> None:
    with pytest.raises(DataError, match="files called train and training could each be the split"):
        file_splits(["train.parquet", "training.parquet", "test.parquet"])


@pytest.mark.parametrize("paths", [["d/val.tar", "d/more-0.tar", "d/more-1.tar"], ["d/val/0.tar", "d/more/0.tar"]])
def test_a_split_beside_which_none_trains_is_told(paths: list[str]) -> None:
    found = file_splits(paths)
    assert [*found.splits] == [""] * len(paths) and len(found.notes) == 1
    assert found.notes[0].startswith("files or folders called val are not used as splits, because none is called train")
