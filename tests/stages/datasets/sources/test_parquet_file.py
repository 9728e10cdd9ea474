"""``parquet:PATTERN``: bytes, texts and labels of one file or many."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from frostline.stages.datasets import Request, open_dataset, open_samples
from frostline.stages.datasets.arrow import scan
from frostline.stages.datasets.index import examine
from frostline.stages.datasets.samples import Dataset
from frostline.stages.errors import DataError, UnreadableSample
from support.pictures import encoded, picture, put
from support.row_files import CLASSES, FILE, IMAGE, class_label, image_table, images, with_features


def write(file: Path, table: pyarrow.Table, **how: Any) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, file, **{"row_group_size": 7, **how})
    return file


def opened(place: Path, **how: Any) -> Dataset:
    return open_dataset(f"parquet:{place}", **how)


def rows_of(dataset: Dataset) -> dict[str, str]:
    """Return the label of each sample by its id."""
    return {
        sample: samples.targets.names[label]
        for samples in dataset.splits
        for sample, label in zip(samples.ids, samples.targets.values.tolist(), strict=True)
    }


def table_with(column: Sequence[Any], kind: Any = FILE, **columns: Any) -> pyarrow.Table:
    return pyarrow.table({"image": pyarrow.array(column, kind), **columns})


def labels(n: int) -> list[str]:
    return [CLASSES[i % 3] for i in range(n)]


def test_images_are_the_bytes_of_their_rows(tmp_path: Path) -> None:
    found = opened(write(tmp_path / "pets.parquet", image_table(30)))
    assert (found.name, len(found.train), len(found.test), found.train.modality) == ("pets", 24, 6, "image")
    assert rows_of(found) == {f"{i:04d}.png": CLASSES[i % 3] for i in range(30)}
    for samples in found.splits:
        for row, name in enumerate(samples.ids):
            wanted = encoded(picture(int(name[:4])))
            assert samples.encoded and samples.encoded(row) == wanted
            assert samples.digests[row].tobytes() == hashlib.sha256(wanted).digest()
            np.testing.assert_array_equal(np.asarray(samples.read(row)), np.asarray(picture(int(name[:4]))))


def test_the_files_of_a_hub_folder_are_its_splits(tmp_path: Path) -> None:
    data = tmp_path / "pets" / "data"
    write(data / "train-00000-of-00002.parquet", image_table(12, named=False))
    write(data / "train-00001-of-00002.parquet", image_table(9, 12, named=False))
    write(data / "test-00000-of-00001.parquet", image_table(6, 30, named=False))
    for place in (data / "*.parquet", data, tmp_path / "pets", data / "{train,test}-*.parquet"):
        found = opened(place)
        assert (found.name, len(found.train), len(found.test)) == ("pets", 21, 6)
        assert found.train.ids[11] == "train-00000-of-00002:11" and found.train.ids[12] == "train-00001-of-00002:0"
        assert found.test.ids[:1] == ["test-00000-of-00001:0"]
        assert found.train.encoded and found.train.encoded(12) == encoded(picture(12))


def test_the_files_are_the_splits_unless_a_column_is_named(tmp_path: Path) -> None:
    splits = ["train", "train", "train", "test", "test", "test"] * 2
    for i, name in enumerate(("train", "test")):
        write(tmp_path / f"{name}.parquet", image_table(12, 12 * i, split=splits, part=splits))
    of_files = opened(tmp_path)
    assert (set(of_files.train.ids), len(of_files.test)) == ({f"{i:04d}.png" for i in range(12)}, 12)
    assert "column split is not used: the split is taken from the names of the files" in of_files.notes
    of_column = opened(tmp_path, columns={"split": "part"})
    assert len(set(of_column.train.ids) & set(of_files.train.ids)) == 6


def test_another_place_is_the_test_split(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", image_table(12))
    write(tmp_path / "more" / "b.parquet", image_table(6, 20))
    for test in ("more/b.parquet", "more"):
        found = opened(tmp_path / "a.parquet", test=str(tmp_path / test))
        assert (len(found.train), len(found.test)) == (12, 6)
    with pytest.raises(DataError, match="some training files are also given with --test"):
        opened(tmp_path / "a.parquet", test=str(tmp_path / "a.parquet"))


def test_plain_bytes_are_samples_and_their_kind_is_seen(tmp_path: Path) -> None:
    cells = [one["bytes"] for one in images(12)]
    found = opened(write(tmp_path / "a.parquet", table_with(cells, pyarrow.binary(), label=labels(12))))
    assert found.train.modality == "image" and sorted(rows_of(found))[:2] == ["a:0", "a:1"]
    large = opened(write(tmp_path / "b.parquet", table_with(cells, pyarrow.large_binary(), label=labels(12))))
    assert {one.tobytes() for one in large.train.digests} == {one.tobytes() for one in found.train.digests}


def test_recordings_are_known_by_their_features_and_by_their_bytes(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile", reason="soundfile is not installed")
    cells = []
    for i in range(12):
        soundfile.write(tmp_path / "one.wav", np.random.default_rng(i).normal(0, 0.1, 800), 8000)
        cells.append({"bytes": (tmp_path / "one.wav").read_bytes(), "path": None})
    table = table_with(cells, label=labels(12))
    assert opened(write(tmp_path / "a.parquet", table)).train.modality == "audio"
    said = with_features(table, image={"_type": "Audio"})
    found = opened(write(tmp_path / "b.parquet", said)).train
    assert found.modality == "audio" and found.read(0).rate == 8000


def test_texts_and_paths_are_read_as_from_any_table(tmp_path: Path) -> None:
    texts = [f" text {i} " for i in range(12)]
    found = opened(write(tmp_path / "a.parquet", pyarrow.table({"text": texts, "label": labels(12)})))
    lines = [f"{text},{label}" for text, label in zip(texts, labels(12), strict=True)]
    (tmp_path / "a.csv").write_text("\n".join(["text,label", *lines]))
    same = open_dataset(f"csv:{tmp_path / 'a.csv'}")
    assert [name.replace("line ", "") for name in found.train.ids] == [
        str(int(name.replace("line ", "")) - 1) for name in same.train.ids
    ]
    np.testing.assert_array_equal(found.train.digests, same.train.digests)
    files = [put(tmp_path / f"{i}.png").name for i in range(12)]
    of_paths = opened(write(tmp_path / "b.parquet", pyarrow.table({"path": files, "label": labels(12)})))
    assert set(rows_of(of_paths)) == set(files)


def test_the_only_texts_that_datasets_knows_are_the_samples(tmp_path: Path) -> None:
    said = {"dtype": "string", "_type": "Value"}
    table = pyarrow.table({"tweet_text": [f"said {i}" for i in range(12)], "label": labels(12), "by": labels(12)})
    known = with_features(table, tweet_text=said, label=said)
    assert opened(write(tmp_path / "a.parquet", known)).train.read(0).startswith("said")
    several = with_features(table, tweet_text=said, by=said)
    with pytest.raises(DataError, match="has no column path; found tweet_text, label, by"):
        opened(write(tmp_path / "b.parquet", several))


def test_progress_counts_rows(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    file = write(tmp_path / "a.parquet", image_table(12))
    opened(file, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 12), (12, 12)]


def test_texts_of_several_files_are_called_by_file_and_row(tmp_path: Path) -> None:
    for split in ("train", "test"):
        texts = pyarrow.table({"sentence": [f"{split} {i}" for i in range(6)], "label": labels(6)})
        write(tmp_path / f"{split}.parquet", texts)
    found = opened(tmp_path)
    assert found.train.read(2) == "train 2" and found.train.ids[2] == "train:2" and found.test.ids[5] == "test:5"


def test_a_text_that_is_no_utf8_is_quarantined(tmp_path: Path) -> None:
    cells = pyarrow.array([b"good", b"\xff\xfe bad", *(f"{i}".encode() for i in range(10))]).cast(pyarrow.binary())
    text = pyarrow.StringArray.from_buffers(len(cells), *cells.buffers()[1:])
    found = opened(write(tmp_path / "a.parquet", pyarrow.table({"text": text, "label": labels(12)})))
    said = [reason for samples in found.splits for reason in samples.problems.values()]
    assert len(said) == 1 and "UTF-8" in said[0]


def test_a_label_that_is_no_utf8_is_listed(tmp_path: Path) -> None:
    cells = pyarrow.array([b"cat", b"\xff", *([b"dog"] * 10)], pyarrow.binary())
    label = pyarrow.StringArray.from_buffers(len(cells), *cells.buffers()[1:])
    file = write(tmp_path / "a.parquet", table_with(images(12), label=label))
    with pytest.raises(DataError, match=r"a:1: label is b'\\xff', which is not UTF-8"):
        opened(file)


def test_numbers_of_classes_have_their_names_and_none_is_a_fault(tmp_path: Path) -> None:
    table = image_table(12).drop_columns(["label"])
    numbers = pyarrow.array([0, 1, -1, None, 7, *[i % 3 for i in range(7)]], pyarrow.int64())
    table = with_features(table.append_column("label", numbers), image=IMAGE, label=class_label(*CLASSES))
    with pytest.raises(DataError, match=r"a:4: label is 7, but there are 3 class names"):
        opened(write(tmp_path / "a.parquet", table))
    table = table.set_column(1, "label", numbers.take(pyarrow.array([0, 1, 2, 3, 5, 5, 6, 6, 7, 7, 7, 7])))
    table = with_features(table, image=IMAGE, label=class_label(*CLASSES))
    with pytest.raises(DataError, match=r"b:2: no label\n *b:3: no label"):
        opened(write(tmp_path / "b.parquet", table))


def test_lists_are_several_labels(tmp_path: Path) -> None:
    names = [["cat"], ["cat", "dog"], [], ["dog"]] * 6
    found = opened(write(tmp_path / "a.parquet", table_with(images(24), tags=names)), target=("tags",))
    assert (found.train.targets.kind, found.train.targets.names) == ("multi-label", ("cat", "dog"))
    numbers = [[CLASSES.index(name) for name in row] for row in names]
    table = with_features(
        table_with(images(24), tags=pyarrow.array(numbers, pyarrow.list_(pyarrow.int64()))),
        tags={"feature": class_label(*CLASSES), "_type": "List"},
    )
    same = opened(write(tmp_path / "b.parquet", table), target=("tags",))
    assert same.train.targets.names == found.train.targets.names
    np.testing.assert_array_equal(same.train.targets.values, found.train.targets.values)


def test_other_columns_are_targets_groups_and_strata(tmp_path: Path) -> None:
    table = image_table(24, weight=[i / 7 for i in range(24)], animal=[f"a{i // 2}" for i in range(24)])
    found = opened(write(tmp_path / "a.parquet", table), target=("weight",), group="animal")
    assert found.train.targets.kind == "regression" and found.train.targets.groups is not None
    assert {i / 7 for i in range(24)} == {*found.train.targets.values[:, 0], *found.test.targets.values[:, 0]}


def test_the_only_classes_are_the_label(tmp_path: Path) -> None:
    table = with_features(image_table(12).rename_columns(["img", "fine"]), img=IMAGE, fine=class_label(*CLASSES))
    found = opened(write(tmp_path / "a.parquet", table))
    assert set(rows_of(found).values()) == set(CLASSES)
    assert "the label is column fine, the only one that holds class names" in found.notes


def test_a_file_without_labels_says_what_there_is(tmp_path: Path) -> None:
    table = table_with(images(12), species=labels(12), other=labels(12))
    with pytest.raises(DataError, match=r"has no column label; found species, other; .*--columns label=species\?"):
        opened(write(tmp_path / "a.parquet", table))


def test_several_columns_of_samples_are_a_question(tmp_path: Path) -> None:
    table = table_with(images(12), mask=pyarrow.array(images(12, 20), FILE), label=labels(12))
    file = write(tmp_path / "a.parquet", table)
    with pytest.raises(
        DataError, match="several columns that could hold the samples: image, mask; choose one with --input"
    ):
        opened(file)
    assert opened(file, input="mask").train.encoded
    with pytest.raises(DataError, match=r"has no column maks; found label, image, mask; --input mask\?"):
        opened(file, input="maks")


def test_a_path_beside_null_bytes_is_a_file_below_the_root(tmp_path: Path) -> None:
    cells = images(12)
    for i in range(3):
        put(tmp_path / "img" / f"{i}.png", cells[i]["bytes"])
        cells[i] = {"bytes": None, "path": f"img/{i}.png"}
    cells[3] = {"bytes": None, "path": "img/none.png"}
    cells[4] = {"bytes": None, "path": None}
    cells[5] = None
    cells[6] = {"bytes": None, "path": "../outside.png"}
    put(tmp_path.parent / "outside.png")
    file = write(tmp_path / "a.parquet", table_with(cells, label=labels(12)))
    for _ in range(2):
        found = opened(file, memory=tmp_path / "memo")
        whole = found.train.digests.tolist() + found.test.digests.tolist()
        wanted = {hashlib.sha256(encoded(picture(i))).digest() for i in (0, 1, 2, 7, 8, 9, 10, 11)}
        assert wanted <= {bytes(one) for one in whole}
        said = {x.ids[row]: why for x in found.splits for row, why in x.problems.items()}
        assert sorted(said) == ["a:3", "a:4", "a:5", "a:6"]
        assert "no such file" in said["a:3"] and "null" in said["a:4"] and said["a:4"] == said["a:5"]
        assert "leads outside" in said["a:6"]


def test_a_file_outside_that_changes_is_seen_at_the_next_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frostline.stages.datasets.containers.index.GRAIN_NS", 0)
    cells = [{"bytes": None, "path": put(tmp_path / f"{i}.png").name} for i in range(12)]
    file = write(tmp_path / "a.parquet", table_with(cells, split=["train", "test"] * 6, label=["a", "a", "b", "b"] * 3))
    before = opened(file, memory=tmp_path / "memo")
    put(tmp_path / before.train.ids[0])
    after = opened(file, memory=tmp_path / "memo")
    changed = (after.train.digests != before.train.digests).any(axis=1)
    assert changed.tolist() == [True, *[False] * 5] and after.train.encoded and after.train.encoded(0)


def test_paths_that_repeat_are_no_ids(tmp_path: Path) -> None:
    cells = [{**one, "path": "same.png"} for one in images(12)]
    found = opened(write(tmp_path / "a.parquet", table_with(cells, label=labels(12))))
    assert set(rows_of(found)) == {f"a:{i}" for i in range(12)}
    assert any("several rows have the same path, such as same.png" in note for note in found.notes)


def test_a_column_id_names_the_rows_if_it_tells_them_apart(tmp_path: Path) -> None:
    own = opened(write(tmp_path / "a.parquet", image_table(12, id=list(range(100, 112)))))
    assert set(rows_of(own)) == {str(i) for i in range(100, 112)}
    again = opened(write(tmp_path / "b.parquet", image_table(12, id=[1] * 12)))
    assert set(rows_of(again)) == {f"{i:04d}.png" for i in range(12)}


def test_schemas_that_differ_are_named_where_it_matters(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", image_table(12, extra=[1] * 12))
    write(tmp_path / "test.parquet", image_table(12, 20, extra=["x"] * 12))
    assert len(opened(tmp_path).test) == 12
    with pytest.raises(DataError, match=r"column extra is string in .*test\.parquet, and int64 in .*train\.parquet"):
        open_dataset(f"parquet:{tmp_path}/{{train,test}}.parquet", target=("extra",))
    write(tmp_path / "test.parquet", image_table(12, 20).rename_columns(["picture", "label"]))
    with pytest.raises(DataError, match=r"column image is absent in .*test\.parquet"):
        open_dataset(f"parquet:{tmp_path}/{{train,test}}.parquet")


@pytest.mark.parametrize("named", [True, False])
def test_no_rows_are_an_error(tmp_path: Path, named: bool) -> None:
    write(tmp_path / "a.parquet", image_table(12, named=named).slice(0, 0))
    with pytest.raises(DataError, match="parquet has no rows; expected one row per sample"):
        opened(tmp_path / "a.parquet")


def test_nested_columns_are_passed_over_with_a_note(tmp_path: Path) -> None:
    boxes = [{"x": i, "y": i} for i in range(12)]
    found = opened(write(tmp_path / "a.parquet", image_table(12, box=boxes, sizes=[[i] for i in range(12)])))
    assert "not used, neither texts nor numbers: column box, sizes" in found.notes


def test_images_that_can_not_be_read_are_quarantined(tmp_path: Path) -> None:
    cells = images(12)
    cells[2]["bytes"] = b"no image"
    cells[3]["bytes"] = b""
    found = opened(write(tmp_path / "a.parquet", table_with(cells, label=labels(12))))
    said = {x.ids[row]: why for x in found.splits for row, why in x.problems.items()}
    assert sorted(said) == ["0002.png", "0003.png"] and "not an image" in said["0002.png"]
    split = next(x for x in found.splits if "0002.png" in list(x.ids))
    with pytest.raises(UnreadableSample, match="not an image"):
        split.read(list(split.ids).index("0002.png"))


def test_an_unchanged_file_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("frostline.stages.datasets.containers.index.GRAIN_NS", 0)
    for split in ("train", "test"):
        write(tmp_path / f"{split}.parquet", image_table(12, 20 * (split == "test")))
    first = opened(tmp_path, memory=tmp_path / "memo")
    write(tmp_path / "test.parquet", image_table(12, 40))
    looked: list[int] = []
    monkeypatch.setattr(scan, "examine", lambda content, kind: looked.append(1) or examine(content, kind))
    again = opened(tmp_path, memory=tmp_path / "memo")
    assert len(looked) == 12 and again.train.content == first.train.content
    assert again.test.content != first.test.content


def test_files_of_the_test_split_are_named_by_a_setting(tmp_path: Path) -> None:
    train = image_table(12)
    test = train.append_column("split", pyarrow.array(["train"] * 12))
    write(tmp_path / "a-0.parquet", train.append_column("split", pyarrow.array(["test"] * 12)))
    write(tmp_path / "b" / "held.parquet", test)
    found = opened(tmp_path / "a-*.parquet", test=str(tmp_path / "b"))
    assert (len(found.train), len(found.test)) == (12, 12)
    assert "column split is not used: the split is taken from --test" in found.notes


def test_what_another_version_remembered_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("frostline.stages.datasets.containers.index.GRAIN_NS", 0)
    file = write(tmp_path / "a.parquet", image_table(12))
    with monkeypatch.context() as patch:
        patch.setattr("frostline.stages.datasets.containers.index.facts_of", lambda _: {"modality": "image"})
        opened(file, memory=tmp_path / "memo")
    assert len(opened(file, memory=tmp_path / "memo").train) == 9


def test_predictions_need_no_labels_and_leave_no_split_out(tmp_path: Path) -> None:
    for i, name in enumerate(("train", "validation", "test")):
        write(tmp_path / f"{name}.parquet", table_with(images(6, 10 * i, named=False)))
    samples, notes = open_samples(f"parquet:{tmp_path}", Request("", modality="image"))
    names = [f"{name}:{i}" for name in ("test", "train", "validation") for i in range(6)]
    assert (list(samples.ids), samples.split, notes) == (names, "all", ())
    assert samples.encoded and samples.encoded(17) == encoded(picture(15))


def test_a_head_says_which_column_is_meant(tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", image_table(6, text=[f"said {i}" for i in range(6)]))
    of_texts, _ = open_samples(f"parquet:{file}", Request("", modality="text"))
    assert (of_texts.modality, of_texts.read(3), of_texts.ids[3]) == ("text", "said 3", "line 4")
    of_images, _ = open_samples(f"parquet:{file}", Request("", modality="image"))
    assert (of_images.modality, of_images.ids[3]) == ("image", "0003.png")
    paths = write(tmp_path / "b.parquet", pyarrow.table({"path": [put(tmp_path / f"{i}.png").name for i in range(3)]}))
    assert list(open_samples(f"parquet:{paths}", Request("", modality="image"))[0].ids) == ["0.png", "1.png", "2.png"]
    with pytest.raises(DataError, match="several columns that could hold the samples: image, text"):
        opened(file)


def test_counts_of_rows_that_lie_are_errors(tmp_path: Path) -> None:
    """Each 12 in the footer, one of which counts the rows of the only row group, is made a 7, and a 13."""
    file = write(tmp_path / "a.parquet", image_table(12), row_group_size=12)
    good, refused = file.read_bytes(), 0
    start = len(good) - int.from_bytes(good[-8:-4], "little") - 8
    places = [at for at in range(start, len(good) - 8) if good[at] == 24]  # 12 as Thrift writes it
    assert len(places) > 2
    for at, count in itertools.product(places, (7, 13)):
        file.write_bytes(good[:at] + bytes([2 * count]) + good[at + 1 :])
        try:
            for samples in opened(file).splits:
                assert len(samples.ids) == len(samples.digests) == len(samples)
        except DataError:
            refused += 1
    assert refused
