"""Real images through a real third-party checkpoint, where the machine has them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from frostline.pipeline.cli.main import main
from support.cifar import unpack_cifar
from support.project import REPOSITORY


@pytest.fixture(scope="module")
def cifar(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 100 training and 50 test images of each class of CIFAR-10."""
    return unpack_cifar(assets, tmp_path_factory.mktemp("cifar"), train=100, test=50)


def test_a_checkpoint_of_ones_own_classifies_cifar(
    assets: Path, cifar: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [n for n in os.environ if n.startswith("FROSTLINE_")]:
        monkeypatch.delenv(name)
    arguments = ["--backbone", f"{REPOSITORY}/examples/resnet20.py:resnet20", "--grid", "C=1"]
    arguments += ["--weights", str(assets / "weights" / "resnet20-cifar10.th"), "--data-dir", str(tmp_path)]
    arguments += ["--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225", "--dataset", f"folder:{cifar}"]
    assert main(["run", *arguments, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["rows"] == {"train": 1000, "test": 500}
    assert report["probes"][0]["features"][0]["width"] == 64
    assert report["probes"][0]["evaluation"]["scores"]["accuracy"]["value"] > 0.75
