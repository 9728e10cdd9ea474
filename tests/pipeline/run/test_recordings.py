"""Recordings through the commands: run, a cached run, quarantine, predict, export, pages and tables."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from frostline.pipeline.cli.main import main
from frostline.stages.modalities.audio.modality import RECORDINGS
from support.audio_folders import encoded, save_audio_model, save_tones, tone

LOADED = """
import sys
from frostline.pipeline.cli.main import main
code = main(sys.argv[1:])
print([name for name in ("torch", "transformers") if name in sys.modules], code)
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    save_audio_model(tmp_path / "m", "wav2vec 2.0, layer norm")
    save_tones(tmp_path / "tones", 8)
    monkeypatch.chdir(tmp_path)
    return tmp_path


RUN = ["run", "--dataset", "folder:tones", "--backbone", "hf:m", "--precision", "fp32", "--json"]


def test_a_run_and_all_that_follows_it(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(RUN) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["classes"] == ["high", "low"]
    assert (record["quarantined"], [one["backbone"] for one in record["probes"]]) == (0, ["hf:m", "spectrum"])
    page = next(here.glob("data/runs/*/report.html")).read_text()
    confusion = record["probes"][0]["evaluation"]["confusion"]
    assert ("data:image/svg+xml;base64," in page) is bool(confusion[0][1] + confusion[1][0])
    again = subprocess.run([sys.executable, "-c", LOADED, *RUN], capture_output=True, text=True, check=True, cwd=here)
    assert again.stdout.splitlines()[-1] == "[] 0"
    head, beside = (str(next(here.glob(f"data/heads/*{name}*"))) for name in ("hf", "spectrum"))
    assert main(["predict", beside, "tones/test/low/0.wav"]) == 0
    assert "low" in capsys.readouterr().out
    assert main(["predict", head, "tones/test/low/0.wav", "tones/test/high", "--backbone", "hf:m"]) == 0
    assert len(capsys.readouterr().out.splitlines()) >= 5
    assert main(["export", head, "x.onnx", "--backbone", "hf:m"]) == 2
    assert "only heads for images and vectors can be exported" in capsys.readouterr().err
    assert main(["health", "--dataset", "folder:tones", "--backbone", "hf:m"]) == 0
    assert main(["verify"]) == 0


def test_bad_recordings_are_named_and_then_left_out(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "tones" / "train" / "low" / "bad.wav").write_bytes(encoded(tone(1.0))[:5000])
    (here / "tones" / "test" / "low" / "short.wav").write_bytes(encoded(tone(1 / 16_000)))
    assert main(RUN) == 3
    assert "bad.wav: truncated (its header says 32,000 bytes of audio, 4,956 are there)" in capsys.readouterr().err
    assert main([*RUN, "--max-bad", "2"]) == 5
    assert "too short (1 samples" in capsys.readouterr().out


def test_settings_of_one_modality_are_refused_for_another(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*RUN, "--resize", "32"]) == 2
    assert "--resize for the recordings of folder:tones; that is for images only" in capsys.readouterr().err
    assert main(["run", "--dataset", "digits", "--seconds", "2"]) == 2
    assert "--seconds for the images of digits; that is for recordings only" in capsys.readouterr().err
    assert main(["run", "--dataset", "folder:tones", "--backbone", "resnet8-cifar10"]) == 2
    assert "resnet8-cifar10 takes images, but the samples are recordings" in capsys.readouterr().err


def test_a_file_that_is_too_large_is_not_read_by_predict(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(RUN) == 0
    head = str(next(here.glob("data/heads/*hf*")))
    monkeypatch.setattr(type(RECORDINGS), "max_bytes", 40_000)
    (here / "large.wav").write_bytes(b"RIFF" + bytes(50_000))
    monkeypatch.setattr(RECORDINGS, "decode", lambda data, *_: pytest.fail(f"{len(data):,} bytes were read"))
    capsys.readouterr()
    assert main(["predict", head, "large.wav", "--backbone", "hf:m", "--max-bad", "1"]) == 5
    assert "too large (50,004 bytes; at most 40,000 are supported)" in capsys.readouterr().out


def test_the_spectrum_is_of_recordings_whole_and_stands_beside_them_unless_it_is_not_wanted(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = {
        ("--backbone", "spectrum", "--seconds", "2"): "seconds with spectrum, which always uses whole recordings",
        ("--backbone", "spectrum", "--pool", "avg"): "spectrum has no layers and no pooling",
        ("--baseline", "tfidf"): "baseline tfidf with samples of modality audio",
    }
    for flags, words in said.items():
        assert main([*RUN, *flags]) == 2
        assert words in capsys.readouterr().err
    for flags, found in {("--baseline", "none"): ["hf:m"], ("--backbone", "spectrum"): ["spectrum"]}.items():
        assert main([*RUN, *flags]) == 0
        assert [one["backbone"] for one in json.loads(capsys.readouterr().out)["probes"]] == found
    assert main(["run", "--dataset", "digits", "--baseline", "spectrum"]) == 2
    assert "baseline spectrum with samples of modality image" in capsys.readouterr().err
