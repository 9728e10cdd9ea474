"""Several devices: a process for each does shards of one set; the processor stands for all of them here."""

from __future__ import annotations

import logging
import os
from concurrent.futures import Future
from pathlib import Path

import pytest
import torch

from pipeline import devices, features
from pipeline.cli import main
from pipeline.config import ExtractSettings
from pipeline.devices import beside, counted_in, devices_of
from pipeline.features import extract_missing, help_with
from pipeline.pacing import keep, paced
from pipeline.plan import Plan
from stages.errors import ConfigError
from stages.extract import Extraction


def shard_files(work: Path) -> dict[str, bytes]:
    return {str(path.relative_to(work)): path.read_bytes() for path in work.glob("features/*/shards/*")}


def test_a_process_beside_this_one_does_shards_of_the_set_that_this_one_began(work: Path) -> None:
    settings = ExtractSettings(batch_size=5)
    assert main(["extract", "--batch-size", "5", "--data-dir", "alone"]) == 0
    plan = Plan(settings)
    need = plan.need("train", "plain")
    part = (settings.model_copy(update={"device": "cpu", "workers": 1}), plan.way, "train", need.key)
    with beside(help_with, [part]) as (nothing,):
        pass
    assert counted_in(nothing) == 0  # nobody began the set
    begun = plan.begin(need)
    job = Extraction(need.samples, plan.backbone, begun)
    keep([begun], paced(plan, len(need.samples), [begun], plan.backbone, job))
    with beside(help_with, [part]) as (helper,):
        pass
    assert counted_in(helper) == len(need.samples) and begun.complete
    extract_missing(plan)
    assert shard_files(work) == shard_files(work.parent / "alone")


def test_what_a_process_that_dies_leaves_is_done_here(
    work: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(features, "devices_of", lambda name: ["cpu", "cpu", "cpu"])
    monkeypatch.setattr(features, "_WORTH", 400)
    monkeypatch.setattr(features, "help_with", os._exit)  # called with settings, which it takes for an error
    with caplog.at_level(logging.WARNING, "frostline"):
        (train, _) = extract_missing(Plan(ExtractSettings()))
    assert train.computed == 1438 and len(caplog.messages) == 2
    assert all("ended early (TypeError" in message for message in caplog.messages)


def test_a_process_that_is_killed_is_said_and_counts_for_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "frostline"), beside(os._exit, [(1,)]) as (dead,):
        assert counted_in(dead) == 0
    assert "ended early (BrokenProcessPool" in caplog.text


def test_devices_share_the_rows_and_the_threads_that_decode(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []

    def noted(work: object, jobs: list[tuple[object, ...]]) -> object:
        asked.extend(jobs)
        return beside(len, [("four",)] * len(jobs))

    monkeypatch.setattr(features, "devices_of", lambda name: ["cuda:0", "cuda:1", "cuda:2"])
    monkeypatch.setattr(features, "_WORTH", 700)
    monkeypatch.setattr(features, "beside", noted)
    (train, test) = extract_missing(Plan(ExtractSettings(workers=9)))
    ((settings, _, split, key),) = asked  # 1,438 rows are enough for two devices, 359 for one
    assert isinstance(settings, ExtractSettings) and (settings.device, settings.workers) == ("cuda:1", 4)
    assert (split, key) == ("train", train.key) and train.computed == 1438 + 4 and test.computed == 359


def test_every_gpu_is_meant_unless_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert devices_of("cuda") == devices_of("auto") == ["cuda:0", "cuda:1"] and devices_of("cpu") == ["cpu"]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert devices_of("auto") == [devices.device_of("auto")]
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="no device 'cuda' here"):
            devices_of("cuda")


def test_a_job_that_is_done_is_counted() -> None:
    done: Future[int] = Future()
    done.set_result(7)
    assert counted_in(done) == 7
