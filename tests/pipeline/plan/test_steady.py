"""A network whose features are not an image's own fills no cache, unless that is waived; then it is on record."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from frostline.pipeline.run.run import extract, run
from frostline.pipeline.settings import ExtractSettings, Settings
from frostline.stages.errors import ConfigError
from frostline.stages.store import open_set

NETS = """
import torch
from torch import nn

class OnDark(nn.Module):  # noise, which is never dark throughout, does not show it
    def forward(self, x):
        return x + (x < 0.02).all(1, keepdim=True) * torch.rand_like(x)

def on_dark():
    torch.manual_seed(0)
    body = nn.Flatten(2), OnDark(), nn.Flatten(), nn.Linear(192, 6, bias=False)
    return nn.Sequential(nn.AvgPool2d(1), *body)

def mixing():
    norm = nn.BatchNorm2d(6, track_running_stats=False)
    return nn.Sequential(nn.Conv2d(3, 6, 3), norm, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
"""
HOW = {"weights": "factory", "layer": "output", "resize": (8, 8), "mean": (0, 0, 0), "std": (1, 1, 1)}


@pytest.fixture
def nets(work: Path) -> str:
    (work.parent / "net.py").write_text(NETS)
    return "net.py"


def test_images_of_the_dataset_show_what_noise_does_not_and_nothing_is_cached(work: Path, nets: str) -> None:
    with pytest.raises(ConfigError, match=r"in a second pass: \d of 8 compared \(0000, "):
        extract(ExtractSettings(backbone=f"{nets}:on_dark", **HOW))
    assert not (work / "features").exists()


def test_who_must_goes_on_and_every_record_says_so(work: Path, nets: str, caplog: pytest.LogCaptureFixture) -> None:
    how = {"backbone": f"{nets}:mixing", "allow_unsteady": True, "baseline": "none", "grid": "C=1", **HOW}
    report = run(Settings(**how))
    told = "gives an image different features if the other images in the batch change"
    for done in report.probes[0].features:
        assert told in open_set(done.folder).provenance.unsteady
    assert any(note.startswith("WARNING these features are not reproducible") for note in report.notes)
    assert told in report.path.read_text()
    caplog.clear()
    with caplog.at_level(logging.INFO, "frostline"):
        extract(ExtractSettings(**{n: how[n] for n in ("backbone", "allow_unsteady", *HOW)}))
    assert "cached" in caplog.text and caplog.text.count(told) == 1
    assert len(list((work / "features").iterdir())) == 2


def test_a_sound_network_leaves_no_trace_of_the_question(work: Path) -> None:
    for done in extract(ExtractSettings(allow_unsteady=True)):
        assert not open_set(done.folder).provenance.unsteady
    assert not any(done.computed for done in extract(ExtractSettings()))


def test_a_set_that_is_cached_is_not_asked_about_again(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    extract(ExtractSettings())
    from frostline.stages.backbones.inference import steadiness

    def asked(*_: object) -> None:
        raise AssertionError("asked again")

    monkeypatch.setattr(steadiness, "unsteadiness", asked)
    assert not any(done.computed for done in extract(ExtractSettings()))
