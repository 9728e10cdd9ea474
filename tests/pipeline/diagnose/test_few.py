"""The health of data of few samples a class is looked at without a failure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frostline.pipeline.cli.main import main

HOW = ["--backbone", "pixels", "--resize", "8x8", "--head", "logreg", "--grid", "C=1"]


@pytest.mark.parametrize("counts", [(1, 1, 1), (1, 1, 6), (1, 8)])
def test_labels_of_which_nothing_can_be_compared_are_not_doubted(
    work: Path, capsys: pytest.CaptureFixture[str], counts: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(0)
    for split, more in (("train", 0), ("test", 2)):
        for label, n in zip("abc", counts, strict=False):
            place = Path("images", split, label)
            place.mkdir(parents=True)
            for i in range(n + more):
                Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).save(place / f"{i}.png")
    assert main(["run", "--dataset", "folder:images", *HOW]) == 0
    assert "was not looked at" not in capsys.readouterr().err
    assert main(["health", "--dataset", "folder:images", *HOW[:4]]) == 0
    assert "label" in capsys.readouterr().out
