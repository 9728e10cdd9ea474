"""The whole network's output as the layer, from the command line: extracted, predicted with, exported, benched."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from frostline.pipeline.cli.main import main
from frostline.stages.store import load, open_set

NET = """
import torch
from torch import nn


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 6, 3, 2), nn.Identity()

    def forward(self, x):
        return self.fc(self.conv(x).relu().mean((2, 3)))
"""
NETWORK = ["--backbone", "net.py:Encoder"]


@pytest.fixture
def what(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NET)
    return ["--dataset", f"folder:{folder}", *NETWORK, "--weights", "factory", "--resize", "16x16"]


def test_without_a_layer_the_command_says_how_to_take_the_output(
    what: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["extract", *what]) == 2
    assert "use that output with --layer output" in capsys.readouterr().err


def test_the_output_is_extracted_predicted_with_and_exported(
    what: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *what, "--layer", "output", "--precision", "fp32", "--grid", "C=1"]) == 0
    features = load(open_set(next(Path("data/features").glob("*test*"))))
    assert features.X.shape == (12, 6)
    head = next(Path("data/heads").iterdir())
    image = str(folder / "test" / "fox" / "00.png")
    capsys.readouterr()
    assert main(["predict", str(head), image, *NETWORK, "--top", "3", "--json"]) == 0
    (answer,) = json.loads(capsys.readouterr().out)
    assert main(["export", str(head), "head.pt2", *NETWORK]) == 0
    from frostline.stages.datasets import decode_file
    from frostline.stages.modalities.image.spec import Preprocessing
    from frostline.stages.modalities.image.transform import preprocess

    program = torch.export.load("head.pt2").module()
    pixels = preprocess(decode_file(Path(image)), Preprocessing((16, 16), None))
    found = program(torch.from_numpy(pixels[None].copy()))[0]
    by_name = dict(answer["classes"])
    np.testing.assert_allclose([by_name[name] for name in ("cat", "dog", "fox")], found.detach(), atol=1e-5)


def test_a_bench_takes_it_as_one_of_the_layers(what: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    backbone = '[[backbone]]\nbackbone = "net.py:Encoder"\nweights = "factory"\nresize = "16x16"\nprecision = "fp32"\n'
    matrix = f'[[dataset]]\ndataset = "{what[1]}"\n{backbone}layer = ["conv", "output"]\n[[head]]\nhead = "centroid"\n'
    Path("some.toml").write_text(matrix)
    capsys.readouterr()
    assert main(["bench", "some.toml", "--json"]) == 0
    entries = json.loads(capsys.readouterr().out)["entries"]
    assert {entry["name"]["layer"]: entry["costs"]["parameters"] for entry in entries} == {"conv": 168, "output": 168}
