"""The commands on samples in a bucket: features and scores of the same files on disk, and no secret written down."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from frostline.pipeline.cli.main import main
from frostline.stages.buckets import stores
from support.buckets import ENVIRONMENT, Bucket, tar_of
from support.cifar import unpack_cifar

HEAD = ("--precision", "fp32", "--baseline", "none", "--head", "ridge", "--json")


@pytest.fixture(scope="module")
def cifar(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 6 training and 3 test images of each class of CIFAR-10, and a table of them."""
    folder = unpack_cifar(assets, tmp_path_factory.mktemp("cifar"), train=6, test=3)
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.jpg"))
    rows = [f"{name},{name.split('/')[1]},{name.split('/')[0]}" for name in names]
    (folder / "labels.csv").write_text("\n".join(["path,label,split", *rows, ""]))
    return folder


def run(place: str, data: Path, capsys: pytest.CaptureFixture[str], *more: str) -> Any:
    capsys.readouterr()
    assert main(["run", "--dataset", place, "--data-dir", str(data), *HEAD, *more]) == 0
    return json.loads(capsys.readouterr().out)["probes"][0]


def features(found: Any) -> list[bytes]:
    stored = []
    for one in found["features"]:
        with h5py.File(Path(one["folder"]) / "features.h5") as file:
            stored.append(np.asarray(file["features"]).tobytes())
    return stored


def test_features_and_scores_are_those_of_the_disk(
    cifar: Path, bucket: Bucket, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = bucket.upload(cifar, "cifar/")
    (tmp_path / "cifar.tar").write_bytes(data := tar_of(cifar))
    names = [f"folder:{cifar}", f"tar:{tmp_path}/cifar.tar", f"tar:{bucket.put('cifar.tar', data)}"]
    names += [f"csv:{there}labels.csv", f"folder:{there}"]
    found = [run(name, tmp_path / str(i), capsys) for i, name in enumerate(names)]
    assert found[0]["evaluation"]["scores"]["accuracy"]["value"] > 0.5
    for one in found[1:]:
        assert one["evaluation"]["scores"] == found[0]["evaluation"]["scores"]
        assert [own["key"] for own in one["features"]] == [own["key"] for own in found[0]["features"]]
        assert features(one) == features(found[0])
    said = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert ENVIRONMENT["AWS_SECRET_ACCESS_KEY"].encode() not in said
    assert os.environ["AWS_ENDPOINT_URL"].encode() not in said


def test_a_head_is_asked_about_a_bucket(
    cifar: Path, bucket: Bucket, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = bucket.upload(cifar, "cifar/")
    run(f"csv:{there}labels.csv", tmp_path / "data", capsys)
    head = next((tmp_path / "data" / "heads").iterdir())
    asked = ["predict", str(head), f"csv:{there}labels.csv", "--out", str(tmp_path / "all.csv")]
    assert main([*asked, "--data-dir", str(tmp_path / "data")]) == 0
    assert len((tmp_path / "all.csv").read_text().splitlines()) == 1 + 90


def test_a_bucket_that_does_not_answer_ends_the_command_with_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("obstore", reason="no obstore; pip install -e '.[test]'")
    monkeypatch.setattr(stores, "PATIENCE_SECONDS", 0.5)
    for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}.items():
        monkeypatch.setenv(name, value)
    assert main(["run", "--dataset", "tar:s3://nobody-there/a.tar", "--data-dir", str(tmp_path)]) == 3
    said = capsys.readouterr().err
    assert "s3://nobody-there/a.tar can't be read: no answer" in said
    assert ENVIRONMENT["AWS_SECRET_ACCESS_KEY"] not in said
