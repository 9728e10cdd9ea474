"""The default precision: what is cached, else what is fast and bears its check."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from frostline.pipeline.cli.main import main
from frostline.stages.store import open_set
from support.pictures import paint

BACKBONE = ["--backbone", "resnet8-cifar10"]
HEAD = ["--grid", "C=0.1,1"]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_precision_that_is_cached_is_the_one_that_is_used(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str], precision: str
) -> None:
    what = ["--dataset", f"folder:{folder}", *BACKBONE]
    assert main(["extract", *what, "--precision", precision]) == 0
    capsys.readouterr()
    assert main(["run", *what, *HEAD]) == 0
    assert "features from the cache, no backbone run" in capsys.readouterr().out


def test_a_dataset_that_grew_keeps_the_precision_of_its_rows(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    what = ["extract", "--dataset", f"folder:{folder}", *BACKBONE]
    assert main([*what, "--precision", "fp32"]) == 0
    for split in ("train", "test"):
        paint(folder / split / "cat" / "new.png", 0, 7)
    capsys.readouterr()
    assert main([*what, "--dry-run", "--json"]) == 0
    assert [need["to_compute"] for need in json.loads(capsys.readouterr().out)[0]["features"]] == [1, 1]


def test_images_of_mixed_sizes_are_quarantined_in_the_default_precision_too(work: Path, folder: Path) -> None:
    what = ["extract", "--dataset", f"folder:{folder}", *BACKBONE, "--resize", "none", "--crop", "none"]
    assert main([*what, "--max-bad", "100"]) == 5


def test_features_that_do_not_bear_the_faster_precision_are_computed_in_fp32_and_that_is_said(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frostline.stages.backbones.calibrate.precision.fastest_precision", lambda device: "bf16")
    net = work.parent / "net.py"
    net.write_text(
        "import torch\n"
        "class Net(torch.nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.mix, self.fc = torch.nn.Linear(3, 3), torch.nn.Linear(3, 2)\n"
        "    def forward(self, x):\n"
        "        return self.fc((self.mix(x.mean((2, 3))) + 1000) - 1000)\n"
        "def net():\n"
        "    torch.manual_seed(0)\n"
        "    return Net()\n"
    )
    what = ["--dataset", f"folder:{folder}", "--backbone", f"{net}:net", "--weights", "factory"]
    assert main(["extract", *what, "--resize", "8x8", "--json"]) == 0
    said = capsys.readouterr()
    assert "using fp32: bf16 changes the features too much (cosine with fp32 on 8 images" in said.err
    assert open_set(next(work.glob("features/*train*"))).layout.key["precision"] == "fp32"
