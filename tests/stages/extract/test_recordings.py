"""Extraction of recordings: killed and resumed, in other company, and with bad files among them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from frostline.stages.extract.extraction import extract, go_alone
from frostline.stages.store import load
from support.audio_folders import encoded, save_audio_model, save_tones, tone
from support.killed import contents, killed
from support.project import REPOSITORY
from support.recordings_job import job_of


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tones(tmp_path_factory.mktemp("data") / "tones", 8)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    save_audio_model(folder, "wav2vec 2.0, layer norm")
    return folder


def start(model: Path, tones: Path, root: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "tests/support/recordings_job.py", str(model), str(tones), str(root)]
    return subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.DEVNULL)


def test_a_killed_extraction_resumes_to_the_same_bytes(model: Path, tones: Path, tmp_path: Path) -> None:
    assert start(model, tones, tmp_path / "whole").wait() == 0
    committed = killed(start(model, tones, tmp_path / "cut"), tmp_path / "cut", 2)
    assert 2 <= len(committed) <= 6
    assert start(model, tones, tmp_path / "cut").wait() == 0
    whole, cut = (contents(next((tmp_path / name).iterdir())) for name in ("whole", "cut"))
    assert cut == whole


def test_a_recording_has_the_same_bits_beside_others_and_bad_ones_are_quarantined(
    model: Path, tones: Path, tmp_path: Path
) -> None:
    before = job_of(model, tones, tmp_path / "before")
    extract(before)
    bad = tones / "train" / "low" / "5b.wav"
    bad.write_bytes(encoded(tone(0.01)))
    try:
        after = job_of(model, tones, tmp_path / "after")
        extract(after)
    finally:
        bad.unlink()
    was, now = load(before.features), load(after.features)
    assert [(one.id, one.reason.partition(" (")[0]) for one in after.features.quarantined()] == [
        ("train/low/5b.wav", "too short")
    ]
    np.testing.assert_array_equal(now.X, was.X)


@pytest.mark.parametrize(("name", "alone"), [("wav2vec 2.0, group norm", True), ("whisper", False)])
def test_clips_go_alone_where_their_lengths_differ_to_the_sample(
    name: str, alone: bool, tones: Path, tmp_path: Path
) -> None:
    save_audio_model(tmp_path / "m", name)
    varied = save_tones(tmp_path / "varied", 3)
    for i, file in enumerate(sorted(varied.rglob("*.wav"))):
        file.write_bytes(encoded(tone(0.5 + 0.01 * i)))
    assert go_alone(job_of(tmp_path / "m", varied, tmp_path / "s")) is alone
