"""Trees as people have them: read where there is one reading, refused with all readings where there are several."""

from __future__ import annotations

import subprocess

import pytest

from frostline.stages.datasets import open_dataset
from frostline.stages.errors import DataError
from support.pictures import plant, put


def classes(*places, n=6, names=("cat", "dog")):
    """Return how many pictures go where: so many in each class folder of each place."""
    return {f"{place}/{name}".lstrip("/"): n for place in places for name in names}


def ids(samples):
    return {name.rpartition("/")[0] for name in samples.ids}


def refusal(root, **options):
    with pytest.raises(DataError) as caught:
        open_dataset(f"folder:{root}", **options)
    return str(caught.value)


ONE_READING = {
    "Keras": (classes("train", "validation"), "train", "validation", "validation/ is the test split"),
    "fastai": (classes("train", "valid"), "train", "valid", "valid/ is the test split; there is no test/"),
    "dev": (classes("Train", "Dev"), "Train", "Dev", "Dev/ is the test split; there is no test/"),
    "brain tumours": (classes("Training", "Testing"), "Training", "Testing", "Training/ is the training split"),
    "capitals": (classes("TRAIN", "TEST"), "TRAIN", "TEST", "TEST/ is the test split"),
    "sets": (classes("training_set", "test_set"), "training_set", "test_set", "test_set/ is the test split"),
    "images": (classes("train_images", "val images"), "train_images", "val images", "val images/ is the test split"),
    "doubly": (
        classes("pets/pets/train", "pets/pets/test"),
        "train",
        "test",
        "root/ holds samples only in pets/pets/",
    ),
    "beside annotations": (
        {**classes("Data/set/train", "Data/set/val"), "Annotations/set/train": 0, "Docs": 0},
        "train",
        "val",
        "root/ holds samples only in Data/set/, which is read",
    ),
    "splits in splits": (
        classes("seg_train/seg_train", "seg_test/seg_test"),
        "seg_train/seg_train",
        "seg_test/seg_test",
        "seg_test/seg_test/ is the test split",
    ),
    "sets in sets": (
        classes("training_set/training_set", "test_set/test_set"),
        "training_set/training_set",
        "test_set/test_set",
        "training_set/training_set/ is the training split",
    ),
    "a flat test beside val": (
        {**classes("train", "val"), "test": 9},
        "train",
        "val",
        "test/ not used: 9 samples without class folders, for frostline predict",
    ),
    "a flat test in a test": (
        {**classes("train", "valid"), "test/test": 9},
        "train",
        "valid",
        "test/ not used: 9 samples without class folders, for frostline predict",
    ),
    "a test of unknown": ({**classes("train", "val"), "test/unknown": 3}, "train", "val", "test/ not used: 3 samples"),
    "an empty test beside val": ({**classes("train", "val"), "test": 0}, "train", "val", "test/ not used: 0 samples"),
    "years": (classes("train2017", "val2017"), "train2017", "val2017", "val2017/ is the test split"),
    "numbers": (classes("train1", "test1"), "train1", "test1", "train1/ is the training split"),
    "parted numbers": (classes("Train_1", "Test_1"), "Train_1", "Test_1", "Test_1/ is the test split"),
    "test beside the classes": (classes("", "test"), "", "test", "the classes next to it are the training split"),
}


@pytest.mark.parametrize("tree", ONE_READING)
def test_a_tree_of_one_reading_is_understood_and_said(tmp_path, tree):
    counts, train, test, note = ONE_READING[tree]
    dataset = open_dataset(f"folder:{plant(tmp_path / 'root', counts)}")
    assert dataset.train.targets.names == ("cat", "dog")
    for samples, place in ((dataset.train, train), (dataset.test, test)):
        assert ids(samples) == {f"{place}/{name}".lstrip("/") for name in ("cat", "dog")} and len(samples) == 12
    assert note in "\n".join(dataset.notes)


def test_splits_within_the_classes_are_the_splits(tmp_path):
    counts = {f"{name}/{split}": n for name in ("cat", "dog") for split, n in (("train", 4), ("test", 2), ("val", 1))}
    dataset = open_dataset(f"folder:{plant(tmp_path, counts)}")
    assert ids(dataset.train) == {"cat/train", "dog/train"} and ids(dataset.test) == {"cat/test", "dog/test"}
    assert dataset.train.targets.names == ("cat", "dog") and (len(dataset.train), len(dataset.test)) == (8, 4)
    assert "each class holds train/ and test/: these are the splits" in dataset.notes


def test_a_test_without_classes_and_no_val_is_said_and_training_is_split(tmp_path):
    dataset = open_dataset(f"folder:{plant(tmp_path, {**classes('train', n=10), 'test': 7})}")
    assert ids(dataset.test) == {"train/cat", "train/dog"} and len(dataset.test) == 4
    said = "test/ not used: 7 samples without class folders, for frostline predict; train/ is split by --test-fraction"
    assert dataset.notes == (said,)


@pytest.mark.parametrize("name", ["test1", "Test_2", "test_stg1", "test2017", "unlabelled_test", "val1"])
def test_an_unlabelled_folder_called_almost_like_a_split_is_said_to_be_one(tmp_path, name):
    dataset = open_dataset(f"folder:{plant(tmp_path, {**classes('train', n=10), name: 7})}")
    said = (
        f"{name}/ not used: 7 samples without class folders, for frostline predict; train/ is split by --test-fraction"
    )
    assert dataset.notes == (said,) and ids(dataset.test) == {"train/cat", "train/dog"}


@pytest.mark.parametrize("name", ["test1", "test_2", "test2017", "val3"])
def test_a_numbered_split_with_the_training_classes_is_the_test_split(tmp_path, name):
    dataset = open_dataset(f"folder:{plant(tmp_path, classes('train', name))}")
    assert ids(dataset.test) == {f"{name}/cat", f"{name}/dog"}
    assert f"{name}/ is the test split" in "".join(dataset.notes)


@pytest.mark.parametrize("name", ["test_masks", "final test", "val_extra", "holdout", "Prüfung", "query"])
def test_class_folders_in_something_called_almost_like_a_split_are_a_question(tmp_path, name):
    said = refusal(plant(tmp_path, classes("train", name)))
    assert f"can be read in two ways: {name}/ holds class folders, like train/" in said
    assert "if it is the test split: rename it, mv " in said and "move it out of the folder" in said
    dataset = open_dataset(f"folder:{plant(tmp_path, classes('test'))}")
    assert (
        ids(dataset.test) == {"test/cat", "test/dog"} and f"not used: {name}/ next to train/ and test/" in dataset.notes
    )


def test_a_folder_of_other_classes_beside_training_is_no_question(tmp_path):
    root = plant(tmp_path, {**classes("train", n=10), **classes("other", names=("cat", "cow"))})
    assert open_dataset(f"folder:{root}").notes == ("not used: other/ next to train/",)


def test_a_class_of_letters_of_another_width_is_answered_with_the_plain_one(tmp_path):
    counts = {**classes("train", names=("A1", "B2")), **classes("test", names=("Ａ1", "B2"))}
    assert "test/Ａ1: no such class in train/; A1?" in refusal(plant(tmp_path, counts))


def test_two_numbered_splits_with_classes_are_a_question(tmp_path):
    assert "could each be the test split" in refusal(plant(tmp_path, classes("train", "test1", "test2")))


@pytest.mark.parametrize(
    ("train", "test", "own"),
    [
        (("trainA", "trainB"), ("testA", "testB"), ("A", "B")),
        (("train_cats", "train_dogs"), ("test_cats", "test_dogs"), ("cats", "dogs")),
        (("Horse-Train", "Zebra-Train"), ("Horse-Val", "Zebra-Val"), ("Horse", "Zebra")),
    ],
)
def test_folders_for_each_class_and_split_are_told_how_they_can_be_read(tmp_path, train, test, own):
    root = plant(tmp_path / "my data", dict.fromkeys((*train, *test), 5))
    said = refusal(root)
    assert f"If {own[0]} and {own[1]} are the classes, run:" in said
    subprocess.run(said.partition("run:\n")[2], shell=True, check=True)
    dataset = open_dataset(f"folder:{root}")
    assert dataset.train.targets.names == own and (len(dataset.train), len(dataset.test)) == (10, 10)


@pytest.mark.parametrize("top", ["", "train/"])
def test_one_folder_of_class_folders_is_no_class(tmp_path, top):
    root = plant(tmp_path, {f"{top}images/{name}": 5 for name in ("cat", "dog")} | {f"{top}labels": 0})
    dataset = open_dataset(f"folder:{root}")
    assert dataset.train.targets.names == ("cat", "dog") and dataset.notes == (f"{top}images/ holds the class folders",)


@pytest.mark.parametrize("inner", [("cat", "dog"), ("cats", "dogs"), ("images", "images")])
def test_a_folder_in_each_class_that_makes_no_difference_is_no_question(tmp_path, inner):
    dataset = open_dataset(f"folder:{plant(tmp_path, {f'cat/{inner[0]}': 5, f'dog/{inner[1]}': 5})}")
    assert dataset.train.targets.names == ("cat", "dog") and not dataset.notes


def test_tiny_imagenet_is_read_by_its_outer_folders(tmp_path):
    counts = {"train/n01/images": 10, "train/n02/images": 10, "val/images": 5, "test/images": 5}
    dataset = open_dataset(f"folder:{plant(tmp_path, counts)}")
    assert dataset.train.targets.names == ("n01", "n02") and len(dataset.train) == 16
    assert "val/ not used: 5 samples without class folders" in "\n".join(dataset.notes)


def test_a_class_that_is_called_train_is_a_class_among_others(tmp_path):
    dataset = open_dataset(f"folder:{plant(tmp_path, {'bus': 5, 'car': 5, 'train': 5})}")
    assert dataset.train.targets.names == ("bus", "car", "train")
    assert dataset.notes == ("train/ is treated as a class, because it holds files and no folders",)


def test_a_class_in_training_that_is_called_like_a_split_is_noted(tmp_path):
    dataset = open_dataset(f"folder:{plant(tmp_path, {'train/cat': 5, 'train/dog': 5, 'train/test': 5})}")
    assert dataset.train.targets.names == ("cat", "dog", "test")
    assert dataset.notes == ("train/test/ is treated as a class, like the folders next to it",)


def test_valid_beside_invalid_is_a_class(tmp_path):
    assert open_dataset(f"folder:{plant(tmp_path, {'invalid': 5, 'valid': 5})}").train.targets.names == (
        "invalid",
        "valid",
    )


SEVERAL = {
    "two that train": (classes("train", "Training"), "Training/ and train/ could each be the training split"),
    "two that test": (classes("train", "test", "Testing"), "Testing/ and test/ could each be the test split"),
    "val and validation": (classes("train", "val", "validation"), "val/ and validation/ could each be the test split"),
    "a flat test among classes": (
        {"cat": 5, "dog": 5, "test": 5},
        "test/ could be a split, or a class like cat/, dog/",
    ),
    "a val with other classes": (
        {"cat": 5, "dog": 5, "val/owl": 5, "val/yak": 5},
        "val/ could be a split, or a class like cat/, dog/",
    ),
    "one class with splits": (
        {"dog": 5, "pets/train/cat": 5, "pets/test/cat": 5},
        "pets/ holds splits, test, train, and is one of 2 folders",
    ),
    "folders of folders": (
        {f"animals/{name}": 5 for name in ("cat", "dog")} | {f"plants/{name}": 5 for name in ("fir", "oak")},
        "--class-level 1: 2 classes, animals, plants\n  --class-level 2: 4 classes, cat, dog, fir, oak",
    ),
    "splits of two datasets": (
        classes("a_train", "a_test", "b_train", "b_test"),
        "a_train/ and b_train/ could each be the training split",
    ),
    "splits of two domains": (
        classes("trainA", "testA", "trainB", "testB"),
        "trainA/ and trainB/ could each be the training split",
    ),
    "Office-31": (
        classes("amazon/images", "dslr/images", "webcam/images"),
        "--class-level 1: 3 classes, amazon, dslr, webcam\n  --class-level 3: 2 classes, cat, dog",
    ),
    "folds of a cross-validation": (
        {f"fold{i}/{name}": 3 for i in range(3) for name in ("cat", "dog")},
        "--class-level 2: 2 classes, cat, dog",
    ),
    "a patient a folder": (
        {"p1/benign": 3, "p2/benign": 3, "p3/malignant": 3},
        "--class-level 2: 2 classes, benign, malignant",
    ),
    "patients": (
        {f"train/{patient}/{state}": 4 for patient in ("p1", "p2") for state in ("benign", "malignant")},
        "--class-level 2: 2 classes, benign, malignant",
    ),
}


@pytest.mark.parametrize("tree", SEVERAL)
def test_a_tree_of_several_readings_is_refused_with_all_of_them(tmp_path, tree):
    counts, said = SEVERAL[tree]
    assert said in refusal(plant(tmp_path / "root", counts))


@pytest.mark.parametrize("top", ["", "train/"])
def test_the_level_that_is_named_is_that_of_the_classes(tmp_path, top):
    counts = {f"{top}{p}/{state}": 5 for p in ("p1", "p2") for state in ("benign", "malignant")}
    root = plant(tmp_path, counts)
    put(root / f"{top}p1/overview.png")
    outer, inner = (open_dataset(f"folder:{root}", class_level=level) for level in (1, 2))
    assert outer.train.targets.names == ("p1", "p2") and inner.train.targets.names == ("benign", "malignant")
    assert [len(x.train) + len(x.test) for x in (outer, inner)] == [21, 20]
    assert f"1 sample skipped, because they are in no class folder: {top}p1/overview.png" in inner.notes


def test_the_third_level_can_be_that_of_the_classes(tmp_path):
    root = plant(tmp_path, classes("amazon/images", "dslr/images"))
    dataset = open_dataset(f"folder:{root}", class_level=3)
    assert dataset.train.targets.names == ("cat", "dog") and len(dataset.train) + len(dataset.test) == 24


@pytest.mark.parametrize(
    "counts",
    [
        {"train2017": 5, "val2017": 5, "test2017": 5},
        {"train2017": 5, "val2017": 5, "annotations": 0},
        {"trainA": 5, "trainB": 5, "testA": 5, "testB": 5},
    ],
    ids=("COCO", "COCO with annotations", "CycleGAN"),
)
def test_splits_of_images_alone_are_no_classes(tmp_path, counts):
    said = refusal(plant(tmp_path, counts))
    assert (
        "there are 5 samples in no class folder in train" in said
        and "you can also list classes in a table: csv:FILE" in said
    )


def test_numbered_classes_are_no_splits(tmp_path):
    names = open_dataset(f"folder:{plant(tmp_path, {'test1': 5, 'test2': 5, 'train1x': 5})}").train.targets.names
    assert names == ("test1", "test2", "train1x")


def test_what_does_not_hold_classes_says_what_it_holds(tmp_path):
    said = refusal(plant(tmp_path / "a", {"train": 3, "test": 2}))
    assert "there are 3 samples in no class folder in train/; you can also list classes in a table: csv:FILE" in said
    assert "3 samples in no class folder (0000.png); list such samples in a table" in refusal(
        plant(tmp_path / "b", {".": 3})
    )


LEFTOVERS = ("@eaDir", "__MACOSX", "lost+found", ".ipynb_checkpoints", "#recycle", "$RECYCLE.BIN", "@Recycle")


@pytest.mark.parametrize("name", LEFTOVERS)
@pytest.mark.parametrize("where", ["", "train/", "train/cat/"])
def test_leftovers_of_systems_are_no_samples_and_no_classes(tmp_path, name, where):
    root = plant(tmp_path, {**classes("train", "test", n=2), f"{where}{name}/0001.png": 3})
    dataset = open_dataset(f"folder:{root}")
    assert dataset.train.targets.names == ("cat", "dog") and (len(dataset.train), len(dataset.test)) == (4, 4)
    assert dataset.notes == (f"1 leftover of a NAS, an operating system or a notebook skipped: {name}",)


def test_leftover_files_are_counted_by_name(tmp_path):
    root = plant(tmp_path, classes("train", "test", n=2))
    for name in ("train/cat/Thumbs.db", "test/dog/Thumbs.db", "train/.DS_Store", "train/cat/._0000.png", "desktop.ini"):
        put(root / name)
    dataset = open_dataset(f"folder:{root}")
    assert len(dataset.train) == 4
    assert dataset.notes == (
        "5 leftovers of a NAS, an operating system or a notebook skipped: Thumbs.db (2), desktop.ini, .DS_Store, ._*",
    )


SPELLED = {
    "Unicode forms": ("café", "cafe\u0301", "Unicode form"),
    "spaces": ("big cat", "big  cat ", "spaces"),
    "case": ("Cat", "cAT", "case"),
    "numbers": ("1", "1.0", "how they are written"),
}


@pytest.mark.parametrize("kind", SPELLED)
def test_classes_of_two_splits_are_compared_as_people_mean_them(tmp_path, kind):
    one, other, what = SPELLED[kind]
    root = plant(tmp_path, {f"train/{one}": 2, "train/dog": 2, f"test/{other}": 1, "test/dog": 1})
    dataset = open_dataset(f"folder:{root}")
    assert (
        dataset.train.targets.names == tuple(sorted([one, "dog"]))
        and len(set(dataset.test.targets.values.tolist())) == 2
    )
    assert f"are treated as one class: they differ only in {what}" in dataset.notes[0]


@pytest.mark.parametrize("kind", ["Unicode forms", "spaces", "numbers"])
def test_spellings_of_one_class_within_training_are_one_class(tmp_path, kind):
    one, other, what = SPELLED[kind]
    dataset = open_dataset(f"folder:{plant(tmp_path, {one: 10, other: 5, 'dog': 10})}")
    assert dataset.train.targets.names == tuple(sorted([one, "dog"])) and f"differ only in {what}" in dataset.notes[0]
    assert len(dataset.train) == 20 and len(dataset.test) == 5


def test_classes_of_training_that_differ_in_case_alone_are_a_question(tmp_path):
    said = refusal(plant(tmp_path, {"train/Cat": 2, "train/cat": 2, "train/dog": 2, "test/cat": 1}))
    assert "'Cat' and 'cat' differ only in case: are they one class or two?" in said


def test_letters_of_two_cases_are_two_classes(tmp_path):
    dataset = open_dataset(f"folder:{plant(tmp_path, {'train/A': 2, 'train/a': 2, 'test/A': 1, 'test/a': 1})}")
    assert (
        dataset.train.targets.names == ("A", "a")
        and dataset.test.targets.values.tolist() == [0, 1]
        and not dataset.notes
    )


def test_an_unknown_test_class_is_named_with_the_nearest_one(tmp_path):
    said = refusal(plant(tmp_path, {"train/tabby_cat": 2, "train/dog": 2, "test/tabby-cat": 1}))
    assert "test/tabby-cat: no such class in train/; tabby_cat?" in said


def test_a_class_of_a_missing_label_is_noted(tmp_path):
    notes = open_dataset(f"folder:{plant(tmp_path, {'cat': 5, 'nan': 5})}").notes
    assert notes == ("class 'nan': is it a missing label, as written by pandas?",)
