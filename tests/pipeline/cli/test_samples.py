"""Samples that are bad or there twice: said, and left out only where that is tolerated."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from frostline.pipeline.cli.main import main
from support.commands import BACKBONE, HEAD


def test_bad_images_are_listed_at_once_then_quarantined_when_tolerated(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    what = ["--dataset", f"folder:{folder}", *BACKBONE]
    (folder / "train" / "cat" / "00.png").write_bytes(b"")
    (folder / "train" / "dog" / "00.png").write_text("<html>")
    damaged = folder / "test" / "fox" / "00.png"
    pixels = damaged.read_bytes()
    damaged.write_bytes(pixels[:200] + bytes(200) + pixels[400:])  # seen only when it is decoded
    assert main(["run", *what, *HEAD]) == 3
    said = capsys.readouterr().err
    assert "train/cat/00.png: empty file (0 bytes)" in said
    assert "train/dog/00.png: not an image in a known format" in said
    assert "--max-bad 2" in said and "loading" not in said
    assert main(["run", *what, *HEAD, "--max-bad", "2"]) == 3
    assert "test/fox/00.png: damaged" in capsys.readouterr().err
    assert main(["run", *what, *HEAD, "--max-bad", "3", "--json"]) == 5
    report = json.loads(capsys.readouterr().out)
    assert report["quarantined"] == 3
    rows = [(f["rows"], len(f["quarantined"])) for f in report["probes"][0]["features"]]
    assert rows == [(36, 2), (12, 1)]
    assert report["probes"][0]["evaluation"]["rows"] == 11


def test_no_stage_passes_over_samples_that_another_refused(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for split in ("train", "test"):
        damaged = folder / split / "fox" / "00.png"
        pixels = damaged.read_bytes()
        damaged.write_bytes(pixels[:200] + bytes(200) + pixels[400:])
    what = ["--dataset", f"folder:{folder}", *BACKBONE]
    assert main(["extract", *what]) == 3
    assert main(["fit", *what, *HEAD]) == 3
    assert "train/fox/00.png: damaged" in capsys.readouterr().err
    assert main(["fit", *what, *HEAD, "--max-bad", "1"]) == 5
    assert main(["fit", *what, *HEAD]) == 3
    assert main(["evaluate", *what, *HEAD, "--max-bad", "1"]) == 5
    assert main(["extract", *what, "--max-bad", "1"]) == 3
    assert main(["extract", *what, "--max-bad", "2"]) == 5


def test_duplicates_and_conflicting_labels_are_counted(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(folder / "train" / "cat" / "00.png", folder / "test" / "cat" / "again.png")
    shutil.copy(folder / "train" / "cat" / "01.png", folder / "train" / "dog" / "same.png")
    assert main(["run", "--dataset", f"folder:{folder}", *BACKBONE, *HEAD]) == 0
    said = capsys.readouterr().out
    assert "1 of the test samples are also in train, 1 repeat within train" in said
    assert "2 identical samples have different labels" in said
