"""What is cached: used where nothing changed, and told apart from what is not where something did."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest

from frostline.pipeline.cli.main import main
from support.commands import BACKBONE, HEAD
from support.pictures import paint


def watched(read: Callable[..., Any], opened: list[str]) -> Callable[..., Any]:
    """Return the function with a list of what it was called on."""

    def reading(path: Path | str, *others: Any) -> Any:
        opened.append(str(path))
        return read(path, *others)

    return reading


def test_a_second_head_needs_neither_images_nor_backbone(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    what = ["--dataset", f"folder:{folder}", "--backbone", "resnet8-cifar10"]
    monkeypatch.setattr("frostline.stages.datasets.index.GRAIN_NS", 0)  # their ctime is now
    assert main(["run", *what, "--grid", "C=1"]) == 0
    capsys.readouterr()
    opened: list[str] = []
    monkeypatch.setattr(Path, "read_bytes", watched(Path.read_bytes, opened))
    monkeypatch.setattr("os.open", watched(os.open, opened))
    assert main(["run", *what, "--grid", "C=2"]) == 0
    said = capsys.readouterr()
    assert "features from the cache, no backbone run; head fitted" in said.out and "loading" not in said.err
    assert opened and not [name for name in opened if name.endswith((".png", ".safetensors"))]


def test_moving_the_dataset_changes_nothing_and_changing_it_is_explained(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--dataset", f"folder:{folder}", *BACKBONE, *HEAD]) == 0
    moved = folder.with_name("animals")
    shutil.move(folder, moved)
    capsys.readouterr()
    assert main(["run", "--dataset", f"folder:{moved}", *BACKBONE, *HEAD]) == 0
    assert "features from the cache, no backbone run; head from the cache" in capsys.readouterr().out
    shutil.move(moved, folder)
    paint(folder / "train" / "cat" / "new.png", 0, 7)
    assert main(["run", "--dataset", f"folder:{folder}", *BACKBONE, *HEAD, "--dry-run", "--json"]) == 0
    train, test = json.loads(capsys.readouterr().out)[0]["features"]
    assert (train["rows"], train["reusable"], train["to_compute"]) == (37, 36, 1)
    assert [change.split()[0] for change in train["changes"]] == ["dataset"]
    assert (test["cached"], test["to_compute"], test["changes"]) == (12, 0, [])


@pytest.mark.parametrize(
    ("flags", "field"),
    [
        (["--resize", "28x28"], "resize [32, 32] → [28, 28]"),
        (["--precision", "bf16"], "precision fp32 → bf16"),
        (["--dtype", "float16"], "dtype float32 → float16"),
        (["--layer", "layer3"], "layer fc:input → layer3"),
        (["--mean", "0.5"], "mean [0.4914, 0.4822, 0.4465] → [0.5, 0.5, 0.5]"),
    ],
)
def test_a_changed_setting_is_not_the_cache_and_is_named(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str], flags: list[str], field: str
) -> None:
    what = ["--dataset", f"folder:{folder}", *BACKBONE, "--precision", "fp32"]
    assert main(["extract", *what]) == 0
    capsys.readouterr()
    assert main(["extract", *what, *flags]) == 0
    said = capsys.readouterr().err
    assert f"cached features can't be used: {field}" in said and "36 rows to compute" in said
    assert len(list(work.glob("features/*train*"))) == 2


def test_a_label_that_changed_is_another_feature_set_but_computes_nothing(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    what = ["--dataset", f"folder:{folder}", *BACKBONE]
    assert main(["extract", *what]) == 0
    (folder / "train" / "cat" / "03.png").rename(folder / "train" / "dog" / "cat03.png")
    capsys.readouterr()
    assert main(["extract", *what, "--dry-run", "--json"]) == 0
    train = json.loads(capsys.readouterr().out)[0]["features"][0]
    assert (train["cached"], train["reusable"], train["to_compute"]) == (0, 36, 0)


def test_views_are_cached_beside_each_other_and_used_together(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    what = ["--dataset", f"folder:{folder}", *BACKBONE, "--json"]
    assert main(["run", *what, *HEAD]) == 0
    capsys.readouterr()
    assert main(["run", *what, *HEAD, "--views", "plain,hflip"]) == 0
    probe = json.loads(capsys.readouterr().out)["probes"][0]
    assert [(f["split"], f["view"], f["computed"]) for f in probe["features"]] == [
        ("train", "plain", 0),
        ("train", "hflip", 36),
        ("test", "plain", 0),
        ("test", "hflip", 12),
    ]
    assert probe["head"]["selection"]["final_rows"] == 72
    assert probe["evaluation"]["rows"] == 12


def test_features_open_in_plain_h5py(work: Path, folder: Path) -> None:
    assert main(["extract", "--dataset", f"folder:{folder}", *BACKBONE]) == 0
    with h5py.File(next(work.glob("features/*train*/features.h5"))) as file:
        assert file["features"].shape == (36, 128)
        assert file["ids"].asstr()[0] == "train/cat/00.png"
        assert file.attrs["layer"] == "fc:input"
