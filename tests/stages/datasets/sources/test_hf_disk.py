"""``hf-disk:DIR``: what ``save_to_disk`` of Hugging Face's ``datasets`` leaves, read without that package."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from frostline.stages.datasets import Request, open_dataset, open_samples
from frostline.stages.datasets.samples import Dataset
from frostline.stages.errors import DataError
from support.pictures import encoded, picture
from support.row_files import CLASSES, image_table, images, save_dict_to_disk, save_to_disk, write_stream


def opened(place: Path) -> Dataset:
    return open_dataset(f"hf-disk:{place}")


def contents(dataset: Dataset) -> dict[str, tuple[bytes, str]]:
    """Return the bytes and the class of each sample by its id."""
    return {
        sample: (samples.encoded(row), samples.targets.names[samples.targets.values[row]])
        for samples in dataset.splits
        for row, sample in enumerate(samples.ids)
        if samples.encoded
    }


def test_a_dataset_is_read_from_its_files_in_order(tmp_path: Path) -> None:
    found = opened(save_to_disk(tmp_path / "pets", image_table(30), shards=3))
    assert (found.name, len(found.train), len(found.test), found.train.modality) == ("pets", 24, 6, "image")
    assert contents(found) == {f"{i:04d}.png": (encoded(picture(i)), CLASSES[i % 3]) for i in range(30)}


def test_a_dict_has_its_splits(tmp_path: Path) -> None:
    tables = {"test": image_table(9, 40, named=False), "train": image_table(12, named=False)}
    found = opened(save_dict_to_disk(tmp_path / "pets", tables))
    assert (len(found.train), len(found.test)) == (12, 9)
    assert found.train.ids[11] == "train:11" and found.test.ids[0] == "test:0"
    assert contents(found)["test:8"][0] == encoded(picture(48))
    alone = opened(tmp_path / "pets" / "train")
    assert len(alone.train) + len(alone.test) == 12 and "train:3" in [*alone.train.ids, *alone.test.ids]


def test_validation_serves_where_there_is_no_test(tmp_path: Path) -> None:
    tables = {"train": image_table(12), "validation": image_table(9, 40)}
    found = opened(save_dict_to_disk(tmp_path / "two", tables))
    assert len(found.test) == 9 and "split val is the test split, because there is no split test" in found.notes
    found = opened(save_dict_to_disk(tmp_path / "three", {**tables, "test": image_table(6, 60)}))
    assert len(found.test) == 6 and any("validation are not used" in note for note in found.notes)


def test_another_folder_is_the_test_split(tmp_path: Path) -> None:
    train = save_to_disk(tmp_path / "a", image_table(12, named=False))
    test = save_to_disk(tmp_path / "b", image_table(6, 20, named=False))
    found = open_dataset(f"hf-disk:{train}", test=str(test))
    assert (list(found.train.ids), found.test.ids[5]) == ([f"train:{i}" for i in range(12)], "test:5")
    with pytest.raises(DataError, match="is also given with --test"):
        open_dataset(f"hf-disk:{train}", test=str(train))


def test_predictions_take_all_splits_whatever_they_are_called(tmp_path: Path) -> None:
    tables = {name: image_table(4, 10 * i, named=False) for i, name in enumerate(("left", "right", "test"))}
    folder = save_dict_to_disk(tmp_path / "odd", tables)
    samples, _ = open_samples(f"hf-disk:{folder}", Request("", modality="image"))
    assert list(samples.ids) == [f"{name}:{i}" for name in tables for i in range(4)]
    assert samples.encoded and samples.encoded(6) == encoded(picture(12))


def test_splits_of_other_names_are_a_question(tmp_path: Path) -> None:
    folder = save_dict_to_disk(tmp_path / "odd", {"left": image_table(6), "right": image_table(6, 10)})
    with pytest.raises(DataError, match=r"has the splits left, right; expected train and test.*hf-disk:.*odd/left"):
        opened(folder)


@pytest.mark.parametrize("key", ["_indices_files", "_indices_data_files"])
def test_an_order_of_rows_is_kept(tmp_path: Path, key: str) -> None:
    folder = save_to_disk(tmp_path / "pets", image_table(12, named=False), **{key: [{"filename": "indices.arrow"}]})
    order = [7, 7, 3, 11, 0, 2, 5, 9, 10, 4, 8, 1]
    write_stream(folder / "indices.arrow", pyarrow.table({"indices": pyarrow.array(order, pyarrow.uint64())}))
    found = contents(opened(folder))
    assert found == {f"row:{i}": (encoded(picture(row)), CLASSES[row % 3]) for i, row in enumerate(order)}
    write_stream(folder / "indices.arrow", pyarrow.table({"indices": pyarrow.array([12], pyarrow.uint64())}))
    with pytest.raises(DataError, match="has row indices beyond"):
        opened(folder)


def test_it_is_what_parquet_of_the_same_table_is(tmp_path: Path) -> None:
    parquet.write_table(image_table(30), tmp_path / "pets.parquet", row_group_size=7)
    one, other = (
        open_dataset(f"parquet:{tmp_path / 'pets.parquet'}"),
        opened(save_to_disk(tmp_path / "d", image_table(30))),
    )
    for these, those in zip(one.splits, other.splits, strict=True):
        assert (these.content, these.target_digest) == (those.content, those.target_digest)


@pytest.mark.parametrize("missing", ["state.json", "dataset_info.json", "data-00000-of-00002.arrow"])
def test_a_folder_that_lacks_a_file_is_named(tmp_path: Path, missing: str) -> None:
    folder = save_to_disk(tmp_path / "pets", image_table(12), shards=2)
    (folder / missing).unlink()
    with pytest.raises(DataError, match=rf"(can't read .*|has no file ){missing}"):
        opened(folder)


@pytest.mark.parametrize("name", ["../other.arrow", "/etc/passwd", "", 3, None])
def test_files_beyond_the_folder_are_refused(tmp_path: Path, name: object) -> None:
    folder = save_to_disk(tmp_path / "pets", image_table(12), _data_files=[{"filename": name}])
    with pytest.raises(DataError, match="expected names of files or folders next to it"):
        opened(folder)


def test_anything_else_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no folder .*; expected one of Dataset"):
        opened(tmp_path / "none")
    folder = save_to_disk(tmp_path / "pets", image_table(12))
    (folder / "state.json").write_text("[" * 100_000)
    with pytest.raises(DataError, match=r"can't read .*state\.json"):
        opened(folder)
    (folder / "state.json").write_text(json.dumps({"_data_files": []}))
    with pytest.raises(DataError, match="names no files of rows"):
        opened(folder)


def test_reading_imports_neither_datasets_nor_torch(tmp_path: Path) -> None:
    folder = save_to_disk(tmp_path / "pets", image_table(12))
    code = (
        "import sys\nfrom frostline.stages.datasets import open_dataset\n"
        f"open_dataset('hf-disk:{folder}').train.read(0)\nassert not {{'datasets', 'torch'}} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_it_is_what_datasets_itself_wrote(tmp_path: Path) -> None:
    hf = pytest.importorskip("datasets", reason="the package datasets is not installed", exc_type=ImportError)
    features = hf.Features(image=hf.Image(), label=hf.ClassLabel(names=list(CLASSES)))
    cells = {"image": images(30), "label": [i % 3 for i in range(30)]}
    whole = hf.Dataset.from_dict(cells, features=features)
    whole.save_to_disk(tmp_path / "own", num_shards=3)
    ours = save_to_disk(tmp_path / "ours", image_table(30), shards=2)
    assert contents(opened(tmp_path / "own")) == contents(opened(ours))
    whole.shuffle(seed=0).save_to_disk(tmp_path / "shuffled")
    assert contents(opened(tmp_path / "shuffled")) == contents(opened(ours))
    whole.train_test_split(0.3, seed=0).save_to_disk(tmp_path / "split")
    found = opened(tmp_path / "split")
    assert (len(found.train), len(found.test)) == (21, 9)
    whole.to_parquet(tmp_path / "own.parquet")
    assert contents(open_dataset(f"parquet:{tmp_path / 'own.parquet'}")) == contents(opened(ours))
    with (tmp_path / "own.parquet").open("rb"):
        np.testing.assert_array_equal(opened(ours).train.digests, opened(tmp_path / "own").train.digests)
