"""``vectors:FILE``: labels, splits, groups and names from the file itself, or from the table beside it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from frostline.stages.datasets import Dataset, open_dataset
from frostline.stages.errors import DataError
from frostline.stages.serve.feature_file import write_features
from frostline.stages.store import Features
from frostline.stages.targets.values import Targets

N = 60
X = np.random.default_rng(0).standard_normal((N, 4), np.float32)
Y = np.arange(N) % 3
NAMES = np.array(["ant", "bee", "cow"])


def saved(folder: Path, **arrays: Any) -> str:
    np.savez(folder / "a.npz", **{"X": X, **arrays})
    return f"vectors:{folder / 'a.npz'}"


def labels(dataset: Dataset) -> dict[str, str]:
    """The name of every sample's class, by its id."""
    both = dataset.splits
    return {name: x.targets.names[y] for x in both for name, y in zip(x.ids, x.targets.values.tolist(), strict=True)}


def expected(names: Any = Y) -> dict[str, str]:
    return {f"{row + 1:06d}": str(name) for row, name in enumerate(names)}


def test_labels_are_numbers_texts_or_positions_of_named_classes(tmp_path: Path) -> None:
    assert labels(open_dataset(saved(tmp_path, y=Y))) == expected()
    assert labels(open_dataset(saved(tmp_path, labels=NAMES[Y]))) == expected(NAMES[Y])
    assert labels(open_dataset(saved(tmp_path, y=Y.astype(np.float64), classes=NAMES))) == expected(NAMES[Y])
    assert labels(open_dataset(saved(tmp_path, other=NAMES[Y]), target=("other",))) == expected(NAMES[Y])


def test_one_tree_is_split_by_content_and_each_sample_is_its_row(tmp_path: Path) -> None:
    found = open_dataset(saved(tmp_path, y=Y, ids=np.array([f"clip {row}" for row in range(N)])), test_fraction=0.25)
    assert (len(found.train), len(found.test), found.train.modality) == (45, 15, "vector")
    rows = {name: x.read(row) for x in found.splits for row, name in enumerate(x.ids)}
    assert all(np.array_equal(rows[f"clip {row}"], X[row]) for row in range(N))


def test_splits_are_a_column_or_arrays_of_their_own(tmp_path: Path) -> None:
    split = np.where(np.arange(N) < 40, "train", "test")
    own = {"X_train": X[:40], "y_train": Y[:40], "X_test": X[40:], "y_test": Y[40:]}
    np.savez(tmp_path / "own.npz", **own)
    for found in (open_dataset(saved(tmp_path, y=Y, split=split)), open_dataset(f"vectors:{tmp_path / 'own.npz'}")):
        assert found.test.ids == [f"{row:06d}" for row in range(41, 61)] and labels(found) == expected()


def test_groups_are_never_on_both_sides(tmp_path: Path) -> None:
    patient = np.arange(N) // 4
    found = open_dataset(saved(tmp_path, y=Y, patient=patient), group="patient")
    sides = [{patient[int(name) - 1] for name in x.ids} for x in found.splits]
    assert not sides[0] & sides[1]


def test_a_table_beside_the_file_has_the_labels(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", X)
    lines = [f"img{row}.png,{NAMES[y]},{'test' if row % 5 == 0 else 'train'}" for row, y in enumerate(Y.tolist())]
    (tmp_path / "a.csv").write_text("\n".join(["file,class,split", *lines]))
    found = open_dataset(f"vectors:{tmp_path / 'a.npy'}", columns={"label": "class", "path": "file"})
    assert len(found.test) == 12 and labels(found)["img7.png"] == NAMES[Y[7]]
    (tmp_path / "a.csv").write_text("\n".join(["label", *map(str, Y.tolist()[1:])]))
    with pytest.raises(DataError, match=r"a.csv has 59 rows, and .*a.npy 60 vectors; expected one row per vector"):
        open_dataset(f"vectors:{tmp_path / 'a.npy'}")


def test_hdf5_in_the_layout_of_trident_needs_labels_from_a_table(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "slide.h5", "w") as opened:
        opened["features"], opened["coords"] = X, np.zeros((N, 2), np.int64)
    place = f"vectors:{tmp_path / 'slide.h5'}"
    with pytest.raises(
        DataError, match=r"has no labels; expected an array labels or y .* a table slide.csv next to it"
    ):
        open_dataset(place)
    (tmp_path / "slide.csv").write_text("\n".join(["label", *NAMES[Y].tolist()]))
    assert labels(open_dataset(place)) == expected(NAMES[Y])


def test_parquet_columns_are_targets_and_a_file_without_lists_says_what_there_is(tmp_path: Path) -> None:
    table = {"id": [f"n{row}" for row in range(N)], "label": NAMES[Y].tolist(), "embedding": X.tolist()}
    parquet.write_table(pyarrow.table(table), tmp_path / "a.parquet")
    assert labels(open_dataset(f"vectors:{tmp_path / 'a.parquet'}"))["n4"] == NAMES[Y[4]]
    parquet.write_table(pyarrow.table({"label": ["a"]}), tmp_path / "b.parquet")
    with pytest.raises(DataError, match=r"(?s)b.parquet has no array of vectors.*label: texts \(1,\)"):
        open_dataset(f"vectors:{tmp_path / 'b.parquet'}")


@pytest.mark.parametrize("ending", ["npz", "h5", "parquet"])
@pytest.mark.parametrize("kind", ["single-label", "multi-label", "regression"])
def test_what_export_features_writes_is_read_again_with_its_targets(tmp_path: Path, ending: str, kind: str) -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, (N, 3)).astype(np.int8)
    values: Any = {"single-label": Y, "multi-label": labels}.get(kind, rng.random((N, 3)))
    targets = Targets(tuple(NAMES.tolist()), values, kind)
    ids = [f"a/{row}" for row in range(N)]
    features = Features(X, targets, tuple(ids), np.zeros((N, 32), np.uint8), "train", "")
    write_features(features, {}, tmp_path / f"a.{ending}")
    found = open_dataset(f"vectors:{tmp_path / f'a.{ending}'}")
    known = {name: y for x in found.splits for name, y in zip(x.ids, x.targets.values.tolist(), strict=True)}
    assert found.train.targets.kind == kind and found.train.targets.names == tuple(NAMES.tolist())
    assert known == dict(zip(ids, values.tolist(), strict=True))


def test_several_columns_of_numbers_are_a_regression(tmp_path: Path) -> None:
    found = open_dataset(saved(tmp_path, y=X[:, :2].astype(np.float64)))
    assert (found.train.targets.kind, found.train.targets.names) == ("regression", ("y[0]", "y[1]"))


def test_a_file_that_has_not_changed_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("frostline.stages.datasets.sources.vectors.GRAIN_NS", 0)  # its ctime is now
    place, told = saved(tmp_path, y=Y), list[tuple[int, int]]()
    os.utime(tmp_path / "a.npz", (1, 1))
    how: Any = {"memory": tmp_path / "memory", "progress": lambda *at: told.append(at)}
    first = open_dataset(place, **how)
    again = open_dataset(place, **how)
    assert told == [(N, N)] and again.train.content == first.train.content
    saved(tmp_path, y=Y, X=X + 1)
    assert open_dataset(place, **how).train.content != first.train.content and len(told) == 2


def test_unreadable_rows_are_known_and_what_is_wrong_with_rows_is_listed(tmp_path: Path) -> None:
    odd = X.copy()
    odd[2] = np.nan
    found = open_dataset(saved(tmp_path, X=odd, y=Y, split=np.where(np.arange(N) < 40, "train", "test")))
    assert found.train.problems == {2: "number 1 of 4 is NaN, and 3 more"}
    ids = np.array(["same", "same", *map(str, range(N - 2))])
    with pytest.raises(DataError, match="the id same appears more than once"):
        open_dataset(saved(tmp_path, y=Y, ids=ids))


def test_integers_are_taken_as_float32_and_that_is_said(tmp_path: Path) -> None:
    found = open_dataset(saved(tmp_path, X=np.arange(4 * N).reshape(N, 4), y=Y))
    assert "vectors of int64 are converted to float32" in found.notes


def test_names_that_look_like_positions_are_names(tmp_path: Path) -> None:
    labels, file = np.array(["1", "2", "3"] * 8), tmp_path / "named.npz"
    np.savez(file, features=np.random.default_rng(0).random((24, 3)), labels=labels, classes=["1", "2", "3", "4"])
    assert open_dataset(f"vectors:{file}").train.targets.names == ("1", "2", "3")


def test_a_header_that_claims_gigabytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "bomb.npy"
    file.write_bytes(b"\x93NUMPY\x02\x00" + (1 << 30).to_bytes(4, "little") + b" " * 100)
    with pytest.raises(DataError, match="header of the array is declared as 1,073,741,824 bytes"):
        open_dataset(f"vectors:{file}")


def test_a_list_that_is_far_longer_than_its_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "bomb.parquet"
    column = pyarrow.array([np.zeros(20_000_000, np.float32)], pyarrow.large_list(pyarrow.float32()))
    parquet.write_table(pyarrow.table({"features": column}), file, compression="zstd")
    with pytest.raises(DataError, match="declares 80,000,000 bytes, but is stored in"):
        open_dataset(f"vectors:{file}")


def test_numbers_of_a_type_that_numpy_lacks_are_converted(tmp_path: Path) -> None:
    file, type_ = tmp_path / "half.h5", h5py.h5t.IEEE_F32LE.copy()
    type_.set_fields(15, 7, 8, 0, 7)
    type_.set_size(2)
    type_.set_ebias(127)
    values = np.arange(1, 25, dtype=np.float32).reshape(12, 2)
    with h5py.File(file, "w") as opened:
        space = h5py.h5s.create_simple(values.shape)
        h5py.h5d.create(opened.id, b"features", type_, space).write(h5py.h5s.ALL, h5py.h5s.ALL, values)
        opened["labels"] = np.arange(12) % 2
    train = open_dataset(f"vectors:{file}").train
    rows = {int(name): train.read(place).tolist() for place, name in enumerate(train.ids)}
    assert all(row == values[name - 1].tolist() for name, row in rows.items())


def test_two_files_are_the_splits_each_with_its_own_labels(tmp_path: Path) -> None:
    for name, rows in (("a", slice(0, 40)), ("b", slice(40, N))):
        np.save(tmp_path / f"{name}.npy", X[rows])
        (tmp_path / f"{name}.csv").write_text("label\n" + "\n".join(NAMES[Y[rows]]) + "\n")
    found = open_dataset(f"vectors:{tmp_path / 'a.npy'}", test=str(tmp_path / "b.npy"))
    assert list(found.train.ids[:2]) == ["train/000001", "train/000002"] and found.test.ids[19] == "test/000020"
    assert np.array_equal([found.train.read(row) for row in range(40)], X[:40])
    assert np.array_equal([found.test.read(row) for row in range(20)], X[40:])
    assert [found.test.targets.names[y] for y in found.test.targets.values] == NAMES[Y[40:]].tolist()


def test_two_files_of_other_widths_or_columns_are_refused(tmp_path: Path) -> None:
    first = saved(tmp_path, y=Y, ids=np.array([f"row {row}" for row in range(N)]))
    np.savez(tmp_path / "wide.npz", X=np.ones((3, 5), np.float32), y=Y[:3], ids=np.array(["x", "y", "z"]))
    np.savez(tmp_path / "other.npz", X=X[:3], y=Y[:3], weight=np.ones(3))
    with pytest.raises(DataError, match=r"vectors of several widths: .*a\.npz 4, .*wide\.npz 5; expected the same"):
        open_dataset(first, test=str(tmp_path / "wide.npz"))
    with pytest.raises(DataError, match="have different columns: ids, weight only in one of them"):
        open_dataset(first, test=str(tmp_path / "other.npz"))
