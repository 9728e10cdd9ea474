"""Datasets in tar and zip files: what is predicted, of which split samples are, and that a folder is the same."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from frostline.stages.datasets import Request, open_dataset, open_samples
from frostline.stages.datasets.sources.container_splits import name_of
from frostline.stages.errors import ConfigError, DataError
from frostline.stages.records.packed_names import PackedNames
from support.archives import forest, pictures, shard, tar_of, zip_of
from support.pictures import put


def labels(samples) -> list[str]:
    return [samples.targets.names[value] for value in samples.targets.values.tolist()]


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_class_folders_in_a_container_are_those_of_the_same_folder(tmp_path: Path, kind: str) -> None:
    members = forest()
    for name, data in members:
        put(tmp_path / "pets" / name, data)
    file = (tar_of if kind == "tar" else zip_of)(tmp_path / f"pets.{kind}", members)
    folder, packed = open_dataset(f"folder:{tmp_path}/pets"), open_dataset(f"{kind}:{file}")
    assert packed.name == folder.name == "pets"
    for one, other in zip(folder.splits, packed.splits, strict=True):
        assert (one.content, one.target_digest, one.decoder(None)) == (
            other.content,
            other.target_digest,
            other.decoder(None),
        )
        assert isinstance(other.ids, PackedNames) and other.ids == [*one.ids]
        assert all(np.array_equal(one.read(row), other.read(row)) for row in range(len(one)))


def test_folders_around_all_samples_say_nothing(tmp_path: Path) -> None:
    names = [f"./data/pets/{name}/{i}.png" for name in ("cat", "dog") for i in range(5)]
    found = open_dataset(f"tar:{tar_of(tmp_path / 'a.tar', pictures(0, *names))}")
    assert found.train.targets.names == ("cat", "dog") and (len(found.train), len(found.test)) == (8, 2)
    assert found.train.ids[0].startswith("data/pets/cat/")


def test_a_folder_of_training_alone_is_split(tmp_path: Path) -> None:
    names = [f"train/{name}/{i}.png" for name in ("cat", "dog") for i in range(5)]
    found = open_dataset(f"tar:{tar_of(tmp_path / 'a.tar', pictures(0, *names))}")
    assert found.train.targets.names == ("cat", "dog") and (len(found.train), len(found.test)) == (8, 2)


def test_a_level_of_folders_names_the_class(tmp_path: Path) -> None:
    names = [f"{year}/{name}/{i}.png" for year in (2024, 2025) for name in ("cat", "dog") for i in range(3)]
    file = tar_of(tmp_path / "a.tar", pictures(0, *names))
    assert open_dataset(f"tar:{file}").train.targets.names == ("2024", "2025")
    assert open_dataset(f"tar:{file}", class_level=2).train.targets.names == ("cat", "dog")


def test_shards_of_splits_are_found_by_their_names(tmp_path: Path) -> None:
    for i, name in enumerate(("train-000", "train-001", "val-000")):
        tar_of(tmp_path / "pets" / f"{name}.tar", shard(4 * i, 4))
    found = open_dataset(f"tar:{tmp_path}/pets/*.tar")
    assert found.name == "pets" and labels(found.train) == ["0", "1"] * 4 and labels(found.test) == ["0", "1"] * 2
    assert [*found.train.ids][3:5] == ["train-000/003.png", "train-001/000.png"]
    assert "8 names in several files, such as 000.png: ids are prefixed with the file's name" in found.notes


def test_a_split_is_named_by_a_setting(tmp_path: Path) -> None:
    for i, name in enumerate(("a-0", "a-1", "b-0")):
        tar_of(tmp_path / f"{name}.tar", shard(4 * i, 4))
    found = open_dataset(f"tar:{tmp_path}/a-{{0..1}}.tar", test=f"{tmp_path}/b-*.tar")
    assert (len(found.train), len(found.test), found.name) == (8, 4, "a")
    with pytest.raises(DataError, match=r"some training files are also given with --test:\n.*a-1.tar"):
        open_dataset(f"tar:{tmp_path}/a-*.tar", test=f"{tmp_path}/a-1.tar")


def test_shards_without_a_split_in_their_names_are_split_by_content(tmp_path: Path) -> None:
    for i in range(2):
        tar_of(tmp_path / f"s-{i}.tar", shard(10 * i, 10))
    found = open_dataset(f"tar:{tmp_path}/s-*.tar", test_fraction=0.5, seed=3)
    assert (len(found.train), len(found.test)) == (10, 10)
    assert sorted({*found.train.ids} | {*found.test.ids}) == sorted(
        f"s-{s}/{i:03d}.png" for s in (0, 1) for i in range(10)
    )


def test_fields_are_columns(tmp_path: Path) -> None:
    file = tar_of(tmp_path / "a.tar", shard(0, 20))
    found = open_dataset(f"tar:{file}", target=("age",), group="patient", task="regression")
    assert found.train.targets.kind == "regression" and found.train.targets.groups is not None
    with pytest.raises(DataError, match="has no column size; found cls, patient, age"):
        open_dataset(f"tar:{file}", target=("size",))


def test_a_field_may_be_the_label_and_the_split(tmp_path: Path) -> None:
    members = pictures(0, *(f"{i}.png" for i in range(4)))
    about = [
        (f"{i}.json", b'{"label": "%s", "split": "%s"}' % (b"ab"[i % 2 :][:1], b"train" if i < 2 else b"test"))
        for i in range(4)
    ]
    found = open_dataset(f"tar:{tar_of(tmp_path / 'a.tar', [*members, *about])}")
    assert (labels(found.train), labels(found.test)) == (["a", "b"], ["a", "b"])


@pytest.mark.parametrize("place", ["classnames.txt", "wds/classes.txt"])
def test_numbers_of_classes_get_the_names_beside_the_shards(tmp_path: Path, place: str) -> None:
    tar_of(tmp_path / "wds" / "a.tar", shard(0, 10))
    (tmp_path / place).write_text("cat\ndog\nfox\n")
    assert open_dataset(f"tar:{tmp_path}/wds/a.tar").train.targets.names == ("cat", "dog")
    (tmp_path / place).write_text("cat\n")
    with pytest.raises(DataError, match="lists 1 class, but class 1 does not exist"):
        open_dataset(f"tar:{tmp_path}/wds/a.tar")


def test_a_sample_without_a_class_is_an_error_with_its_name(tmp_path: Path) -> None:
    members = [member for member in shard(0, 6) if member[0] != "002.cls"]
    with pytest.raises(DataError, match=r"002.png: no label"):
        open_dataset(f"tar:{tar_of(tmp_path / 'a.tar', members)}")


def test_samples_without_labels_are_an_error_that_says_what_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no column label; found no columns; expected NAME.cls next to each"):
        open_dataset(f"tar:{tar_of(tmp_path / 'a.tar', pictures(0, '0.png', '1.png'))}")


def test_keys_that_are_in_two_files_that_an_ending_tells_apart_are_an_error(tmp_path: Path) -> None:
    for name in ("s.tar", "s.tar2"):
        tar_of(tmp_path / name, shard(0, 2))
    with pytest.raises(DataError, match=r"2 names appearing twice, such as s/000.png; rename the files"):
        open_dataset(f"tar:{tmp_path}/s.*")


def test_texts_take_no_setting_of_images(tmp_path: Path) -> None:
    texts = [
        (f"{i}.{end}", data) for i in range(4) for end, data in (("txt", b"a text %d" % i), ("cls", b"%d" % (i % 2)))
    ]
    file = tar_of(tmp_path / "a.tar", texts)
    assert open_dataset(f"tar:{file}", test_fraction=0.5).train.modality == "text"
    with pytest.raises(ConfigError, match="--bit-depth"):
        open_dataset(f"tar:{file}", bit_depth=12)


def table(rows: str) -> tuple[str, bytes]:
    return "data/labels.csv", f"path,label,age\n{rows}".encode()


def test_a_table_in_a_zip_names_its_samples(tmp_path: Path) -> None:
    members = pictures(0, *(f"data/images/{i}.png" for i in range(6)))
    rows = "".join(f"images/{i}.png,{'ab'[i % 2]},{i}\n" for i in (4, 3, 2, 1))
    found = open_dataset(f"zip:{zip_of(tmp_path / 'a.zip', [*members, table(rows)])}", test_fraction=0.5)
    assert sorted([*found.train.ids, *found.test.ids]) == [f"data/images/{i}.png" for i in (1, 2, 3, 4)]
    pairs = {name: label for x in found.splits for name, label in zip(x.ids, labels(x), strict=True)}
    assert pairs["data/images/3.png"] == "b" and pairs["data/images/4.png"] == "a"
    assert "2 samples not used, because not listed in labels.csv" in found.notes


def test_a_table_that_names_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    members = pictures(0, *(f"data/{i}.png" for i in range(4)))
    wrong = table("0.png,a,1\n0.png,b,1\n9.png,b,1\n")
    with pytest.raises(
        DataError, match=r"labels.csv can't be used:\n  line 4: 9.png does not exist\n  line 3: 0.png again"
    ):
        open_dataset(f"zip:{zip_of(tmp_path / 'a.zip', [*members, wrong])}")


def test_a_table_of_something_else_is_told(tmp_path: Path) -> None:
    members = [*forest(), ("about.csv", b"name,value\nx,1\n")]
    found = open_dataset(f"zip:{zip_of(tmp_path / 'a.zip', members)}")
    assert len(found.train) == 6 and "about.csv is not used: no column path that names samples" in found.notes


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_container_that_changed_under_a_run_is_an_error(tmp_path: Path, kind: str) -> None:
    make = tar_of if kind == "tar" else zip_of
    file = make(tmp_path / f"a.{kind}", forest())
    found, before = open_dataset(f"{kind}:{file}"), file.stat()
    found.train.read(0)
    make(file, forest(50))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(DataError, match=r"changed|shorter"):
        [found.train.read(row) for row in range(6)]


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_an_unreadable_image_is_quarantined_like_a_file(tmp_path: Path, kind: str) -> None:
    members = [*forest(), ("train/cat/broken.png", b"no image")]
    found = open_dataset(f"{kind}:{(tar_of if kind == 'tar' else zip_of)(tmp_path / 'a', members)}")
    assert [found.train.ids[row] for row in found.train.problems] == ["train/cat/broken.png"]


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_samples_need_no_labels_to_be_predicted(tmp_path: Path, kind: str) -> None:
    make = tar_of if kind == "tar" else zip_of
    for i, name in enumerate(("train-0", "val-0", "test-0")):
        make(tmp_path / f"{name}.{kind}", pictures(2 * i, "x/0.png", "y/1.png"))
    found, notes = open_samples(f"{kind}:{tmp_path}/*.{kind}", Request("", modality="image"))
    assert [*found.ids] == [
        f"{name}/{own}" for name in ("test-0", "train-0", "val-0") for own in ("x/0.png", "y/1.png")
    ]
    assert found.read(5).size == (8, 6) and (found.split, len(found.targets)) == ("all", 6) and len(notes) == 1
    with pytest.raises(DataError, match="images; the head expects vectors"):
        open_samples(f"{kind}:{tmp_path}/*.{kind}", Request("", modality="vector"))


def test_a_head_of_texts_is_asked_about_the_texts_beside_images(tmp_path: Path) -> None:
    file = tar_of(tmp_path / "a.tar", [*pictures(0, "0.png", "1.png"), ("0.txt", b"a text"), ("1.txt", b"another")])
    found, _ = open_samples(f"tar:{file}", Request("", modality="text"))
    assert ([*found.ids], found.read(1)) == (["0.txt", "1.txt"], "another")


def test_a_head_of_images_is_asked_about_those_beside_recordings(tmp_path: Path) -> None:
    file = tar_of(tmp_path / "a.tar", [*pictures(0, "0.png", "1.png"), ("0.wav", b"RIFF")])
    os.utime(file, (1, 1))
    asked = Request("", modality="image", memory=tmp_path / "m.index")
    found, notes = open_samples(f"tar:{file}", asked)
    assert ([*found.ids], notes) == (["0.png", "1.png"], ("1 recording not used",))
    with pytest.raises(DataError, match="images and recordings: which are the samples"):
        open_dataset(f"tar:{file}", memory=asked.memory)


def test_a_component_that_is_not_there_is_an_error_with_those_that_are(tmp_path: Path) -> None:
    file = tar_of(tmp_path / "a.tar", [*pictures(0, "0.png", "1.png"), ("0.xml", b"<a/>"), ("0.cls", b"1")])
    with pytest.raises(DataError, match=r"a.tar\n  no member ends in .left.png; found .png \(2\), .xml \(1\)"):
        open_dataset(f"tar:{file}", input="left.png")


def test_keys_that_are_in_two_shards_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    for i, folder in enumerate(("train", "val")):
        tar_of(tmp_path / "s" / folder / "000.tar", shard(9 * i, 4))
    found = open_dataset(f"tar:{tmp_path}/s/{{train,val}}/000.tar")
    assert (found.train.ids[0], found.test.ids[3]) == ("train/000/000.png", "val/000/003.png")
    assert "4 names in several files, such as 000.png: ids are prefixed with the file's name" in found.notes


def test_a_sample_without_a_class_has_that_of_its_field(tmp_path: Path) -> None:
    fields = [(f"{i}.json", b'{"label": "%d"}' % (1 - i % 2)) for i in range(4)]
    tar_of(tmp_path / "a.tar", [*pictures(0, *(f"{i}.png" for i in range(4))), *fields])
    tar_of(tmp_path / "b.tar", shard(9, 4))
    found = open_dataset(f"tar:{tmp_path}/a.tar", test=f"{tmp_path}/b.tar")
    assert (labels(found.train), labels(found.test)) == (["1", "0", "1", "0"], ["0", "1", "0", "1"])
    assert "4 samples without a cls file: the field label is used as the class" in found.notes


def test_a_container_of_another_kind_is_told_by_what_reads_it(tmp_path: Path) -> None:
    tar, packed = tar_of(tmp_path / "a.tar", forest()), zip_of(tmp_path / "b.zip", forest())
    with pytest.raises(DataError, match=r"b.zip is a zip file; expected a tar file. Name it as zip:/.*b.zip"):
        open_dataset(f"tar:{packed}")
    with pytest.raises(DataError, match=r"a.tar is a tar file; expected a zip file. Name it as tar:/.*a.tar"):
        open_dataset(f"zip:{tar}")


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("t/{t/a-000,t/nolab}.tar", "t"),
        ("{t/a-000,t/nolab}.tar", "t"),
        ("x/pets/{train,val}/*.tar", "pets"),
        ("/x/pets/train/{a,b}/**/*.tar", "pets"),
        ("{a/one,b/two}.tar", "one"),
        ("pets/{train,val}-*.tar", "pets"),
        ("pets/{train,val}/000.tar", "000"),
        ("cifar-{000..009}.tar", "cifar"),
        ("*.tar", "samples"),
        ("{train,val}/*.tar", "samples"),
    ],
)
def test_what_a_dataset_of_several_files_is_called(place: str, name: str) -> None:
    assert name_of(place) == name
