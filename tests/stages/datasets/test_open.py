"""Datasets by name: the digits, duplicates, and names that are not known."""

from __future__ import annotations

import shutil
import subprocess
import sys

import numpy as np
import pytest

from frostline.stages.datasets import Duplicates, duplicates, open_dataset
from frostline.stages.errors import ConfigError, DataError
from support.pictures import plant, put
from support.project import REPOSITORY

TWO = {"train/cat": 4, "train/dog": 4, "test/cat": 2, "test/dog": 2}


def test_the_digits_are_all_there_and_split_within_each_class():
    dataset = open_dataset("digits", test_fraction=0.2)
    assert len(dataset.train) + len(dataset.test) == 1797 and dataset.train.targets.names == tuple("0123456789")
    everything = np.bincount(np.concatenate([samples.targets.values for samples in dataset.splits]))
    assert np.abs(np.bincount(dataset.test.targets.values) - 0.2 * everything).max() <= 1


def test_a_digit_reads_as_rgb_over_the_whole_range():
    test = open_dataset("digits").test
    images = np.stack([np.asarray(test.read(row)) for row in range(50)])
    assert images.shape == (50, 8, 8, 3) and (images.min(), images.max()) == (0, 255)


def test_another_seed_splits_the_digits_otherwise():
    zero, again, one = (open_dataset("digits", seed=seed).test.content for seed in (0, 0, 1))
    assert zero == again != one


def test_rows_taken_keep_what_belongs_to_them(tmp_path):
    plant(tmp_path, TWO)
    put(tmp_path / "train/cat/0001.png", b"")
    train = open_dataset(f"folder:{tmp_path}").train
    taken = train.take(np.array([5, 1, 0]), "some")
    assert taken.split == "some" and taken.ids == [train.ids[row] for row in (5, 1, 0)]
    assert taken.targets.values.tolist() == [1, 0, 0] and list(taken.problems) == [1]
    assert np.array_equal(taken.digests, train.digests[[5, 1, 0]])
    assert np.array_equal(taken.read(0), train.read(5)) and np.array_equal(taken.read(2), train.read(0))


def test_the_content_depends_on_the_order_of_rows():
    train = open_dataset("digits").train
    rows = np.arange(len(train))
    assert train.take(rows, "x").content == train.content != train.take(rows[::-1], "x").content


def test_a_dataset_without_copies_has_no_duplicates(tmp_path):
    assert duplicates(open_dataset(f"folder:{plant(tmp_path, TWO)}")) == Duplicates(0, 0, 0, 0)


def test_copies_are_counted_within_and_across_splits_and_labels(tmp_path):
    plant(tmp_path, TWO)
    original = tmp_path / "train/cat/0000.png"
    for copy in ("train/cat/copy.png", "train/cat/third.png", "test/cat/copy.png", "test/cat/again.png"):
        shutil.copy(original, tmp_path / copy)
    found = duplicates(open_dataset(f"folder:{tmp_path}"))
    assert found == Duplicates(within_train=2, within_test=1, across=2, conflicting=0)
    shutil.copy(original, tmp_path / "test/dog/copy.png")
    found = duplicates(open_dataset(f"folder:{tmp_path}"))
    assert found == Duplicates(within_train=2, within_test=2, across=3, conflicting=6)


def test_unreadable_samples_are_no_duplicates_of_each_other(tmp_path):
    plant(tmp_path, TWO)
    for name in ("train/cat/a.png", "train/dog/b.png", "test/dog/c.png"):
        put(tmp_path / name, b"")
    assert duplicates(open_dataset(f"folder:{tmp_path}")) == Duplicates(0, 0, 0, 0)


@pytest.mark.parametrize(
    "source, hint",
    [
        ("cifar1O", "did you mean 'cifar10'"),
        ("MNIST", "did you mean 'mnist'"),
        ("folder", "folder needs a path; expected folder:PATH"),
        ("folder:", "folder: needs a path; expected folder:PATH"),
        (
            "rar:x",
            r"(?s)expected one of\n  digits  .*\n  folder:PATH  .*\n  csv:FILE  .*\n  jsonl:FILE  .* caltech101, ",
        ),
        ("folders:x", "did you mean folder:x[?]"),
        ("torchvision:cifar11", "did you mean 'torchvision:cifar10' or"),
    ],
)
def test_an_unknown_name_comes_with_a_suggestion(source, hint):
    with pytest.raises(ConfigError, match=hint):
        open_dataset(source)


def test_a_home_folder_is_understood(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(plant(tmp_path, {"pets/cat": 5, "pets/dog": 5}).absolute()))
    assert open_dataset("folder:~/pets").name == "pets"


def test_a_fraction_that_leaves_no_training_sample_is_refused(tmp_path):
    with pytest.raises(DataError, match="class 'cat': 3 samples, 3 of them for testing"):
        open_dataset(f"folder:{plant(tmp_path, {'cat': 3, 'dog': 30})}", test_fraction=0.9)


def test_a_folder_is_opened_without_torch_or_scikit_learn(tmp_path):
    plant(tmp_path, TWO)
    code = (
        "import sys; from frostline.stages.datasets import open_dataset; open_dataset(sys.argv[1]); print(*sys.modules)"
    )
    command = [sys.executable, "-c", code, f"folder:{tmp_path}"]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY).stdout.split()
    assert "PIL.Image" in loaded and not {"torch", "torchvision", "sklearn", "scipy"} & set(loaded)
