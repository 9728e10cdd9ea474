"""Extraction of recordings and texts: killed and resumed, in other company, and with bad files among them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from frostline.stages.backbones import BackboneRequest, load_backbone
from frostline.stages.datasets import open_dataset
from frostline.stages.extract.extraction import Extraction, extract
from frostline.stages.modalities.audio.waveform import AUDIO, Waveform
from frostline.stages.modalities.items import rows_at_once
from frostline.stages.serve.predict import predict
from frostline.stages.store import load
from support.audio_folders import RATE, encoded, save_audio_model, save_tones, tone
from support.killed import contents, killed
from support.project import REPOSITORY
from support.recordings_job import job_for, job_of
from support.text_features import loaded
from support.text_models import TEXTS, save_text_model
from support.warm import Started, Warm


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tones(tmp_path_factory.mktemp("data") / "tones", 8)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    save_audio_model(folder, "wav2vec 2.0, layer norm")
    return folder


def test_a_killed_extraction_resumes_to_the_same_bytes(model: Path, tones: Path, tmp_path: Path, warm: Warm) -> None:
    def start(root: Path) -> Started:
        return warm.start(["tests/support/recordings_job.py", str(model), str(tones), str(root)], cwd=REPOSITORY)

    assert start(tmp_path / "whole").wait() == 0
    committed = killed(start(tmp_path / "cut"), tmp_path / "cut", 2)
    assert 2 <= len(committed) <= 6
    assert start(tmp_path / "cut").wait() == 0
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


@pytest.mark.parametrize(("name", "rows"), [("wav2vec 2.0, group norm", [16, 1]), ("whisper", [16, 16])])
def test_a_clip_alone_decides_how_many_go_at_once(name: str, rows: list[int], tmp_path: Path) -> None:
    save_audio_model(tmp_path, name)
    how = load_backbone(BackboneRequest(f"hf:{tmp_path}", modality=AUDIO), None).spec.preprocessing
    items = [how.item(Waveform(tone(seconds), RATE)) for seconds in (1.5, 0.51)]
    assert [rows_at_once(how, item, 16) for item in items] == rows


def test_long_windows_go_a_few_at_once(model: Path) -> None:
    asked = BackboneRequest(f"hf:{model}", modality=AUDIO, preprocessing={"seconds": 30.0})
    how = load_backbone(asked, None).spec.preprocessing
    assert [rows_at_once(how, how.item(Waveform(tone(seconds), RATE)), 16) for seconds in (2, 29.9, 65)] == [16, 4, 4]


class Itself:
    """A head that answers with the features."""

    classes = 3

    def decision_values(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return features.astype(np.float64)


def check_predictions(job: Extraction) -> None:
    """Predictions of some rows and of all of them are made of the bits that extraction commits."""
    extract(job)
    cached: Any = load(job.features).X
    head: Any = Itself()
    for rows in (range(len(job.samples)), range(4, 1, -1)):
        asked = predict(head, job.backbone, job.samples.read, rows, batch_size=job.batch_size)
        found = np.array([one.decision_values for one in asked], np.float32)
        np.testing.assert_array_equal(found, cached[list(rows)])


@pytest.mark.parametrize("name", ["wav2vec 2.0, group norm", "wav2vec 2.0, layer norm", "clap"])
@pytest.mark.parametrize("batch_size", [4, 16])
def test_predictions_are_computed_from_the_bits_that_are_cached(name: str, batch_size: int, tmp_path: Path) -> None:
    save_audio_model(tmp_path / "m", name)
    varied = save_tones(tmp_path / "varied", 6)
    for i, file in enumerate(sorted(varied.rglob("train/*/*.wav"))[::2]):
        file.write_bytes(encoded(tone(0.5 + 0.01 * i)))
    check_predictions(replace(job_of(tmp_path / "m", varied, tmp_path / "s"), batch_size=batch_size))


def test_predictions_of_texts_are_computed_from_the_bits_that_are_cached(tmp_path: Path) -> None:
    save_text_model(tmp_path / "m", "bert")
    rows = [
        {"text": text, "label": i % 2, "split": split} for split in ("train", "test") for i, text in enumerate(TEXTS)
    ]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    samples = open_dataset(f"jsonl:{tmp_path / 't.jsonl'}").train
    check_predictions(job_for(samples, loaded(f"hf:{tmp_path / 'm'}", "mean"), tmp_path / "s"))
