"""One dataset as a folder, a tar file, a zip file: the same features to the bit, and the same scores."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from frostline.pipeline.cli.main import main
from support.archives import tar_of, zip_of
from support.cifar import unpack_cifar

HEAD = ("--precision", "fp32", "--baseline", "none", "--head", "ridge", "--json")
KINDS = ("folder", "tar", "zip")


@pytest.fixture(scope="module")
def places(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The first 6 training and 3 test images of each class of CIFAR-10, three times."""
    folder = unpack_cifar(assets, tmp_path_factory.mktemp("cifar"), train=6, test=3)
    files = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*.jpg"))]
    members = [
        (name, (folder / name).read_bytes()) for split in ("train", "test") for name in files if name.startswith(split)
    ]
    tar, packed = tar_of(folder.parent / "cifar.tar", members), zip_of(folder.parent / "cifar.zip", members, 8)
    for file in (tar, packed):
        os.utime(file, (1, 1))
    return {"folder": f"folder:{folder}", "tar": f"tar:{tar}", "zip": f"zip:{packed}"}


def run(place: str, data: Path, capsys: pytest.CaptureFixture[str], *more: str) -> Any:
    capsys.readouterr()
    assert main(["run", "--dataset", place, "--data-dir", str(data), *HEAD, *more]) == 0
    return json.loads(capsys.readouterr().out)["probes"][0]


def features(found: Any) -> list[np.ndarray]:
    stored = []
    for one in found["features"]:
        with h5py.File(Path(one["folder"]) / "features.h5") as file:
            stored.append(file["features"][:])
    return stored


def test_features_and_scores_are_the_same(
    places: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    each = {kind: run(place, tmp_path / kind, capsys) for kind, place in places.items()}
    first = each["folder"]
    assert first["evaluation"]["scores"]["accuracy"]["value"] > 0.5
    for kind in KINDS[1:]:
        assert each[kind]["evaluation"]["scores"] == first["evaluation"]["scores"]
        assert [one["key"] for one in each[kind]["features"]] == [one["key"] for one in first["features"]]
        assert all(np.array_equal(a, b) for a, b in zip(features(each[kind]), features(first), strict=True))


def test_what_is_cached_of_the_one_serves_the_others(
    places: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind in KINDS:
        found = run(places[kind], tmp_path, capsys)
        assert all(one["computed"] == 0 for one in found["features"]) == (kind != "folder")


def test_a_container_is_not_read_again(
    places: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frostline.stages.datasets.containers.index.GRAIN_NS", 0)  # its ctime may be now
    run(places["tar"], tmp_path, capsys)
    (memory,) = (tmp_path / "index").glob("*.index")
    before = memory.stat()
    run(places["tar"], tmp_path, capsys)
    assert memory.stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_processes_beside_read_containers_too(
    places: dict[str, str], kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = run(places[kind], tmp_path / "alone", capsys)
    beside = run(places[kind], tmp_path / "beside", capsys, "--engine", "processes", "--workers", "2")
    assert all(np.array_equal(a, b) for a, b in zip(features(alone), features(beside), strict=True))


def test_a_head_is_asked_about_all_samples_of_a_container(
    places: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(places["folder"], tmp_path / "data", capsys)
    head = next((tmp_path / "data" / "heads").iterdir())
    asked = [
        "predict",
        str(head),
        places["tar"],
        "--out",
        str(tmp_path / "all.csv"),
        "--data-dir",
        str(tmp_path / "data"),
    ]
    assert main(asked) == 0
    assert len((tmp_path / "all.csv").read_text().splitlines()) == 1 + 90
