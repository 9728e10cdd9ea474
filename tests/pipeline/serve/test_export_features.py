"""Cached features as one file for other programs: rows, ids and labels, whatever lies beside it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pytest

from frostline.pipeline.cli.main import main
from frostline.pipeline.run.run import extract
from frostline.pipeline.serve import export_features as command
from frostline.pipeline.settings import ExtractSettings
from frostline.stages.errors import ConfigError
from frostline.stages.serve import feature_file
from frostline.stages.serve.feature_file import write_features
from frostline.stages.store import Features, load, open_set
from frostline.stages.targets.values import Targets
from support.pictures import plant


class Read(NamedTuple):
    X: np.ndarray
    ids: list[str]
    labels: list[str]
    positions: np.ndarray
    classes: list[str]
    about: dict[str, Any]


def from_hdf5(file: Path) -> Read:
    with h5py.File(file) as f:
        texts = (f[name].asstr()[:].tolist() for name in ("ids", "labels"))
        about = json.loads(f.attrs["about"])
        return Read(f["features"][:], *texts, f["label_positions"][:], f["classes"].asstr()[:].tolist(), about)


def from_numpy(file: Path) -> Read:
    with np.load(file, allow_pickle=False) as f:
        texts = f["ids"].tolist(), f["labels"].tolist()
        return Read(f["features"], *texts, f["label_positions"], f["classes"].tolist(), json.loads(str(f["about"])))


def from_parquet(file: Path) -> Read:
    from pyarrow import parquet

    table = parquet.read_table(file)
    about = json.loads(table.schema.metadata[b"frostline"])
    X = np.stack(table["features"].to_numpy(zero_copy_only=False))
    texts = table["id"].to_pylist(), table["label"].to_pylist()
    return Read(X, *texts, table["label_position"].to_numpy(), about["classes"], about)


needs_pyarrow = pytest.mark.skipif(find_spec("pyarrow") is None, reason="pyarrow is not installed")
READERS: dict[str, Callable[[Path], Read]] = {"h5": from_hdf5, "npz": from_numpy, "parquet": from_parquet}
KINDS = ["h5", "npz", pytest.param("parquet", marks=needs_pyarrow)]


@pytest.fixture(params=["float32", "float16"])
def train(work: Path, request: pytest.FixtureRequest) -> Path:
    return extract(ExtractSettings(backbone="pixels", dtype=request.param, data_dir=work))[0].folder


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [None, 100])  # of features in memory: else they lie in a file
def test_a_file_holds_every_row_with_its_id_and_label_alone(
    train: Path, tmp_path: Path, kind: str, rows: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_file, "_ROWS", 500)
    if rows:
        monkeypatch.setattr(command, "_IN_MEMORY", rows)
    wanted = load(open_set(train))
    assert main(["export-features", str(train), str(tmp_path / f"all.{kind}")]) == 0
    shutil.rmtree(train)
    found = READERS[kind](tmp_path / f"all.{kind}")
    assert found.X.dtype == wanted.X.dtype and np.array_equal(found.X, wanted.X)
    assert tuple(found.ids) == wanted.ids and np.array_equal(found.positions, wanted.y)
    assert found.labels == [wanted.classes[position] for position in wanted.y]
    assert tuple(found.classes) == wanted.classes
    assert (found.about["dataset"], found.about["split"], found.about["rows"]) == ("digits", "train", 1438)
    assert found.about["key"]["backbone"] == "pixels" and found.about["digest"] == wanted.key
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [f"all.{kind}"]


@pytest.mark.parametrize("kind", KINDS)
def test_names_that_are_no_text_are_written_out(tmp_path: Path, kind: str) -> None:
    X, y = np.arange(6.0, dtype=np.float32).reshape(3, 2), np.array([1, 0, 1])
    ids = ("caf\u00e9/\u65e5.png", "broken\udcff.png", "with\0zero")
    write_features(
        Features(X, Targets(("a,b", "ä"), y), ids, np.zeros((3, 32), np.uint8), "train", "k"),
        {},
        tmp_path / f"x.{kind}",
    )
    found = READERS[kind](tmp_path / f"x.{kind}")
    assert found.ids == ["caf\u00e9/\u65e5.png", "broken\\xff.png", "with\\x00zero"]
    assert found.labels == ["ä", "a,b", "ä"] and np.array_equal(found.X, X)


def test_quarantined_samples_are_left_out_and_named(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plant(work.parent / "pets" / "train", {"cat": 4, "dog": 4})
    plant(work.parent / "pets" / "test", {"cat": 2, "dog": 2})
    how = {"dataset": f"folder:{work.parent / 'pets'}", "backbone": "pixels", "resize": (8, 8), "max_bad": 9}
    first = sorted((work.parent / "pets" / "train" / "cat").iterdir())[0]
    first.write_bytes(first.read_bytes()[:60])
    folder = extract(ExtractSettings(**how))[0].folder
    assert main(["export-features", str(folder), "pets.npz"]) == 5
    assert "7 × 192 with ids and labels, 1 quarantined left out" in capsys.readouterr().out
    found = from_numpy(Path("pets.npz"))
    assert len(found.ids) == 7 and found.about["quarantined"][0]["id"] not in found.ids


@pytest.mark.parametrize(
    ("place", "file", "code", "said"),
    [
        ("set", "x.csv", 2, "expected a name that ends in .h5, .npz, .parquet"),
        ("set", "no/where/x.h5", 2, "there is no folder"),
        (
            "alone/features.h5",
            "x.h5",
            4,
            "a features.h5 without its folder; expected a complete folder of data/features",
        ),
        ("alone", "x.h5", 4, "no folder of a feature set"),
        ("nowhere", "x.h5", 4, "no folder of a feature set"),
        ("begun", "x.h5", 4, "is not complete; run `frostline extract`"),
    ],
)
def test_what_can_not_be_exported_says_why(
    work: Path, capsys: pytest.CaptureFixture[str], place: str, file: str, code: int, said: str
) -> None:
    folder = extract(ExtractSettings(backbone="pixels", data_dir=work))[0].folder
    for name in ("set", "begun"):
        shutil.copytree(folder, name)
    open_set(Path("begun")).drop(1)
    Path("alone").mkdir()
    shutil.copy(folder / "features.h5", "alone")
    assert main(["export-features", place, file]) == code
    assert said in capsys.readouterr().err and not Path("x.h5").exists()


def test_a_missing_package_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_file, "find_spec", lambda _: None)
    targets = Targets(("c",), np.zeros(1, int))
    features = Features(np.ones((1, 1)), targets, ("a",), np.zeros((1, 32), np.uint8), "train", "k")
    with pytest.raises(ConfigError, match=r"pip install 'frostline\[parquet\]'"):
        write_features(features, {}, tmp_path / "x.parquet")


def test_several_labels_and_numbers_have_what_is_not_known_as_such(tmp_path: Path) -> None:
    X, ids, digests = np.arange(6.0, dtype=np.float32).reshape(3, 2), ("a", "b", "c"), np.zeros((3, 32), np.uint8)
    flags = np.array([[1, 0], [-1, 1], [0, 0]], np.int8)
    amounts = np.array([[1.5], [np.nan], [-2.0]])
    for kind, names, values in (("multi-label", ("red", "big"), flags), ("regression", ("age",), amounts)):
        features = Features(X, Targets(names, values, kind), ids, digests, "train", "k")
        called = ("values", "outputs") if kind == "regression" else ("label_values", "classes")
        write_features(features, {}, tmp_path / "x.npz")
        with np.load(tmp_path / "x.npz") as file:
            np.testing.assert_array_equal(file[called[0]], values)
            assert file[called[1]].tolist() == list(names) and "labels" not in file
        write_features(features, {}, tmp_path / "x.h5")
        with h5py.File(tmp_path / "x.h5") as file:
            np.testing.assert_array_equal(file[called[0]][:], values)
            assert file[called[1]].asstr()[:].tolist() == list(names)


@needs_pyarrow
def test_a_table_of_several_labels_has_a_column_for_each(tmp_path: Path) -> None:
    from pyarrow import parquet

    values = np.array([[1, 0], [-1, 1], [0, 0]], np.int8)
    targets = Targets(("red", "big"), values, "multi-label")
    X, ids = np.zeros((3, 2), np.float32), ("a", "b", "c")
    write_features(Features(X, targets, ids, np.zeros((3, 32), np.uint8), "train", "k"), {}, tmp_path / "x.parquet")
    table = parquet.read_table(tmp_path / "x.parquet")
    assert table.column_names == ["id", "red", "big", "features"]
    assert table["red"].to_pylist() == [1, None, 0] and table["big"].to_pylist() == [0, 1, 0]
