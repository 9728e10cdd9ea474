"""Near duplicates across the split are said where the score is, with the score without them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frostline.pipeline.cli.main import main

HOW = ["--backbone", "pixels", "--resize", "8x8", "--head", "knn", "--grid", "k=1"]


def folder(root: Path, every: int) -> str:
    rng = np.random.default_rng(0)
    for label in "abc":
        (root / label).mkdir(parents=True)
        for i in range(20):
            image = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).resize((64, 64))
            image.save(root / label / f"{i:03d}.png")
            if every and i % every == 0:
                image.resize((56, 56)).save(root / label / f"{i:03d}_copy.jpg", quality=85)
    return f"folder:{root}"


@pytest.mark.parametrize("every", [0, 1])
def test_the_terminal_says_what_near_duplicates_are_worth(
    work: Path, capsys: pytest.CaptureFixture[str], every: int
) -> None:
    dataset = folder(work.parent / "images", every)
    assert main(["run", "--dataset", dataset, *HOW]) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("- near duplicates:")]
    if not every:
        assert not said
        return
    (line,) = said
    assert " of 24 test samples nearly lie in train (seen through pixels); if they are of one object" in line
    assert "--write-groups FILE, then --group-file FILE; knn on pixels: " in line
    assert line.endswith(" on all") and " that are left, " in line
    (run,) = (work / "runs").iterdir()
    assert os.fspath(line[2:]) in (run / "run.json").read_text()
