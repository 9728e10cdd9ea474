"""A workspace that version 0.1.0 made is read, used and verified: nobody's cache is lost.

It holds the features of twelve small images through ``pixels`` and the shipped backbone, heads, a run, and a bench's
memory, as ``tests/golden/workspace-0.1.0.tar.gz``, made by the commands in its README.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from frostline.pipeline.cli.main import main

ARCHIVE = Path(__file__).parent / "workspace-0.1.0.tar.gz"


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The workspace beside its images; its features were decoded by the Pillow that is here."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    decoder = (tmp_path / "decoder.txt").read_text().strip()
    monkeypatch.setattr("frostline.stages.modalities.image.modality.decoder", lambda min_side=None: decoder)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_all_of_it_is_sound(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify"]) == 0
    assert capsys.readouterr().out == (old / "verify.txt").read_text()
    assert main(["gc"]) == 0 and "nothing to remove" in capsys.readouterr().out
    assert main(["ls"]) == 0 and capsys.readouterr().out.count("pets-") == 4


@pytest.mark.parametrize("backbone", ["pixels", "resnet8-cifar10"])
def test_its_features_and_heads_are_used(old: Path, backbone: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["run", "--dataset", "folder:pets", "--backbone", backbone, "--precision", "fp32"]
    assert main([*arguments, "--head", "ridge,knn", "--folds", "loo", "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    assert "features from the cache, no backbone run" in said and said.count("head from the cache") == 2
    assert (old / f"scores-{backbone}.txt").read_text() in said


def test_its_heads_answer_for_new_images(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (head,) = (old / "data" / "heads").glob("pets-pixels-ridge-*")
    assert main(["predict", str(head), "pets/test"]) == 0
    assert capsys.readouterr().out == (old / "answers.txt").read_text()


def test_its_runs_have_pages(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = sorted(map(str, (old / "data" / "runs").iterdir()))
    assert main(["report", *runs]) == 0
    assert "<svg" in (old / "comparison.html").read_text()
