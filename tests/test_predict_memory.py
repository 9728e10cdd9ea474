"""A batch that takes too much memory is halved in predict as in extract."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.cli import main

NARROW = """
import torch
from torch import nn

class Narrow(nn.Module):
    '''Has room for five images.'''
    def forward(self, x):
        if len(x) > 5:
            raise torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB.')
        return x.mean((2, 3))

def net():
    return nn.Sequential(Narrow(), nn.Linear(3, 10))
"""
SIZES = ["--resize", "8x8", "--mean", "0", "--std", "1", "--layer", "0", "--precision", "fp32"]


def test_a_batch_that_takes_too_much_memory_is_halved_and_every_image_answered_for(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("narrow.py").write_text(NARROW)
    own = ["--backbone", "narrow.py:net"]
    asked = ["--dataset", f"folder:{folder}", *own, "--weights", "factory", *SIZES, "--batch-size", "4"]
    assert main(["run", *asked, "--grid", "C=1"]) == 0
    head = next(work.glob("heads/*"))
    answers = []
    for batch_size in ("4", "16"):
        capsys.readouterr()
        assert main(["predict", str(head), str(folder / "test"), *own, "--json", "--batch-size", batch_size]) == 0
        printed = capsys.readouterr()
        answers.append(json.loads(printed.out))
    said = [line for line in printed.err.splitlines() if "not enough memory" in line]
    why = "(CUDA out of memory. Tried to allocate 2.00 GiB.)"
    assert said == [
        f"not enough memory for 16 images at once {why}; going on with 8",
        f"not enough memory for 8 images at once {why}; going on with 4",
    ]
    assert answers[0] == answers[1] and len(answers[0]) > 5
