"""A batch that takes too much memory is halved in predict as in extract."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from frostline.pipeline.cli.main import main
from frostline.pipeline.serve.predict import load_classifier
from frostline.pipeline.settings import PredictSettings
from frostline.stages.errors import ConfigError

NARROW = """
from pathlib import Path
import torch
from torch import nn

class Narrow(nn.Module):
    '''Has room for five images, or for none.'''
    def forward(self, x):
        if len(x) > 5 or Path('full').exists():
            raise torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB.')
        return x.mean((2, 3))

def net():
    return nn.Sequential(Narrow(), nn.Linear(3, 10))
"""
OWN = ["--backbone", "narrow.py:net"]
SIZES = ["--resize", "8x8", "--mean", "0", "--std", "1", "--layer", "0", "--precision", "fp32"]


def head_on(folder: Path, work: Path) -> Path:
    """Fit a head on the narrow network; return its folder."""
    Path("narrow.py").write_text(NARROW)
    asked = ["--dataset", f"folder:{folder}", *OWN, "--weights", "factory", *SIZES, "--batch-size", "4"]
    assert main(["run", *asked, "--grid", "C=1"]) == 0
    return next(work.glob("heads/*"))


def test_a_batch_that_takes_too_much_memory_is_halved_and_every_image_answered_for(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = head_on(folder, work)
    answers = []
    for batch_size in ("4", "16"):
        capsys.readouterr()
        assert main(["predict", str(head), str(folder / "test"), *OWN, "--json", "--batch-size", batch_size]) == 0
        printed = capsys.readouterr()
        answers.append(json.loads(printed.out))
    said = [line for line in printed.err.splitlines() if "not enough memory" in line]
    why = "(CUDA out of memory. Tried to allocate 2.00 GiB.)"
    assert said == [
        f"not enough memory for a batch of 16 images {why}; continuing with 8",
        f"not enough memory for a batch of 8 images {why}; continuing with 4",
    ]
    assert answers[0] == answers[1] and len(answers[0]) > 5


def test_where_one_image_takes_too_much_it_is_said_with_settings_that_predict_has(work: Path, folder: Path) -> None:
    classifier = load_classifier(head_on(folder, work), PredictSettings(backbone=OWN[1], batch_size=1))
    Path("full").touch()
    said = "not enough memory for a batch of 1 image .*choose another device"
    with pytest.raises(ConfigError, match=said) as error:
        classifier.predict([folder / "test" / "cat" / "00.png"])
    assert "--" not in str(error.value) and "resize" not in str(error.value)  # the head fixes an image's size
