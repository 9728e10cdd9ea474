"""How many images at once and in how many threads: found out on the first images, kept with the set, gone on with."""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from PIL.Image import Image

from frostline.pipeline.cli.main import main
from frostline.pipeline.engines.batch_settings import BatchSettings
from frostline.pipeline.engines.batching import keep, recorded
from frostline.pipeline.plan.inputs import open_inputs
from frostline.pipeline.plan.lookup import required_sets
from frostline.pipeline.plan.machine import cores
from frostline.pipeline.plan.make import make_plan
from frostline.pipeline.plan.plan import Plan
from frostline.pipeline.report import wording as phrases
from frostline.pipeline.report.wording import decoding_limit
from frostline.pipeline.settings import ExtractSettings
from frostline.pipeline.steps.features import extract_missing, extract_shared
from frostline.stages.backbones.calibrate import batch_size as pacing
from frostline.stages.backbones.calibrate.batch_size import fastest_batch, in_threads
from frostline.stages.backbones.inference.batches import BatchLimit, Embeddings, in_turn
from frostline.stages.datasets import open_dataset
from frostline.stages.extract.extraction import ExtractionStats
from frostline.stages.modalities.base import Arrays
from frostline.stages.modalities.items import rows_of
from frostline.stages.store import open_set

pytestmark = pytest.mark.usefixtures("small")
ITEMS = {"pixels": np.zeros((3, 2, 2, 3), np.uint8)}
ROUND = 4 + 8 + 16 + 32


@pytest.fixture
def small(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images of few pixels: what is measured is not looked at here."""
    monkeypatch.setenv("FROSTLINE_RESIZE", "8x8")


@pytest.fixture
def plain_pixels(small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of what is recorded, not of what a network computes."""
    monkeypatch.setenv("FROSTLINE_BACKBONE", "pixels")


class Clock:
    """Time that goes on by what is done, and by nothing else."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


class Timed:
    """A network that takes so many seconds for a batch of so many images, by a clock."""

    device = torch.device("cpu")

    def __init__(self, seconds: dict[int, float]) -> None:
        self.seconds, self.clock = seconds, Clock()
        self.sizes: list[int] = []

    def embed(self, batch: Arrays) -> Embeddings:
        self.sizes.append(rows_of(batch))
        if rows_of(batch) not in self.seconds:
            raise MemoryError
        self.clock.now += self.seconds[rows_of(batch)]
        return np.zeros((rows_of(batch), 1), np.float32)

    def stream(self, batches: Iterable[Arrays], room: BatchLimit) -> Iterator[Embeddings]:
        return in_turn(self.embed, batches, room)


def fastest_of(network: Timed, may_take: int = 10 * ROUND) -> int | None:
    with mock.patch.object(pacing, "time", network.clock):
        found = fastest_batch(network, ITEMS, may_take, may_set_threads=False)
    return found and found[0]


def chosen(seconds: dict[int, float], may_take: int = 10 * ROUND) -> tuple[int | None, list[int]]:
    network = Timed(seconds)
    return fastest_of(network, may_take), network.sizes


def test_the_batch_size_that_is_fastest_by_far_is_taken_and_else_the_usual_one() -> None:
    assert chosen({4: 0.02, 8: 0.004, 16: 0.08, 32: 0.16})[0] == 8
    assert chosen({4: 0.02, 8: 0.04, 16: 0.08, 32: 0.1599})[0] == 16  # all alike


def test_sizes_that_memory_has_no_room_for_are_not_taken() -> None:
    assert chosen({1: 0.0, 2: 0.0, 4: 0.01, 8: 0.01})[0] == 8


def test_no_more_images_are_tried_than_allowed_and_none_where_that_tells_nothing() -> None:
    same = dict.fromkeys((4, 8, 16, 32), 0.0)
    assert chosen(same, 4 * ROUND - 1) == (None, [])
    assert sum(chosen(same, 7 * ROUND + 1)[1]) == 6 * ROUND
    assert sum(chosen(same, 100 * ROUND)[1]) == 2 * pacing._MAX_ROUNDS * ROUND


class Repacks(Timed):
    """A network that takes its time wherever a batch has another size than the one before."""

    def embed(self, batch: Arrays) -> Embeddings:
        self.clock.now += 0.05 if self.sizes[-1:] != [rows_of(batch)] else 0.0
        return super().embed(batch)


def test_what_the_first_batch_of_a_size_takes_is_not_counted() -> None:
    network = Repacks({4: 0.0, 8: 0.001, 16: 0.02, 32: 0.08})  # 4 is fastest, and would be slowest with 0.05 s more
    assert fastest_of(network) == 4


def test_threads_are_set_for_a_while() -> None:
    before = torch.get_num_threads()
    with in_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def shard_files(work: Path) -> dict[str, bytes]:
    return {str(path.relative_to(work)): path.read_bytes() for path in work.glob("features/*/shards/*")}


def test_a_set_is_gone_on_with_at_the_batch_size_that_its_shards_were_made_with(work: Path) -> None:
    assert main(["extract", "--batch-size", "7"]) == 0
    (folder,) = work.glob("features/*-train-*")
    wanted = shard_files(work)
    open_set(folder).drop(1)
    assert main(["extract"]) == 0
    assert open_set(folder).pace["batch_size"] == 7 and shard_files(work) == wanted
    open_set(folder).drop(1)
    assert main(["extract", "--batch-size", "3"]) == 0  # what is asked for is done
    assert open_set(folder).pace["batch_size"] == 3


@pytest.mark.usefixtures("plain_pixels")
def test_the_batch_size_of_a_begun_set_is_only_lowered(work: Path) -> None:
    assert main(["extract", "--batch-size", "7"]) == 0
    features = open_set(next(work.glob("features/*-train-*")))
    known = recorded(features, "cpu")
    assert known is not None
    for asked, kept in ((9, 7), (4, 4), (7, 4)):
        assert keep([features], replace(known, batch_size=asked)).batch_size == asked
        assert features.pace["batch_size"] == kept
    for shard in features.shards:
        features.drop(shard)
    keep([features], replace(known, batch_size=9))
    assert features.pace["batch_size"] == 9  # nothing is there that was made with another


LAYERS = ("layer1", "layer2", "layer3")
HOW: dict[str, Any] = {"pool": "avg", "precision": "fp32"}


def planned(**settings: Any) -> Plan:
    return make_plan(open_inputs(ExtractSettings(**{"resize": "8x8", **settings})))


def in_batches(plan: Plan, images: int | None) -> Plan:
    return make_plan(open_inputs(plan.settings.model_copy(update={"batch_size": images})))


def of_layers(work: Path, batch_sizes: Sequence[int | None]) -> list[Plan]:
    """Return a plan for each layer, its training set begun at a batch size of its own, or not begun."""
    plans = [planned(data_dir=work, layer=layer, **HOW) for layer in LAYERS]
    for plan, images in zip(plans, batch_sizes, strict=True):
        if images:
            extract_missing(in_batches(plan, images))
            for request in required_sets(plan):
                assert request.existing is not None
                request.existing.drop(0)
    return plans


@pytest.mark.usefixtures("optimizations")
@pytest.mark.parametrize(("begun", "ended"), [([8, 4, None], [8, 4, 8]), ([None, 4, 4], [4, 4, 4])])
def test_sets_side_by_side_end_at_the_batch_sizes_that_they_were_begun_with(
    tmp_path: Path, begun: list[int | None], ended: list[int]
) -> None:
    plans = of_layers(tmp_path / "some", begun)
    wanted = [planned(data_dir=tmp_path / "whole", layer=layer, **HOW) for layer in LAYERS]
    assert extract_shared(plans) > 0
    for plan, other, images in zip(plans, wanted, ended, strict=True):
        extract_missing(plan)
        extract_missing(in_batches(other, images))
        for one, alone in zip(required_sets(plan), required_sets(other), strict=True):
            assert one.existing is not None and alone.existing is not None
            assert one.existing.pace["batch_size"] == images
            shards = [
                {f.name: f.read_bytes() for f in x.folder.glob("shards/*")} for x in (one.existing, alone.existing)
            ]
            assert shards[0] == shards[1]


@pytest.mark.usefixtures("plain_pixels")
def test_what_was_asked_for_or_halved_is_not_lent_and_what_was_measured_is(work: Path) -> None:
    assert main(["extract", "--batch-size", "7"]) == 0
    sets = [open_set(folder) for folder in work.glob("features/*")]
    for measured, wanted in ((False, 16), (True, 7)):
        for one in sets:
            one.keep_pace({**one.pace, "measured": measured})
            for shard in one.shards:  # or its rows would be copied
                one.drop(shard)
        (train, _) = extract_missing(planned(backbone="pixels", seed=1 + measured))  # split otherwise
        assert train.pace["batch_size"] == wanted and train.pace["measured"] == measured
        shutil.rmtree(train.folder)


@pytest.mark.usefixtures("plain_pixels")
def test_what_was_measured_among_other_threads_is_not_lent(work: Path) -> None:
    assert main(["extract", "--batch-size", "7"]) == 0
    for folder in work.glob("features/*"):
        one = open_set(folder)
        one.keep_pace({**one.pace, **dict.fromkeys(("threads", "max_threads"), torch.get_num_threads() + 1)})
        one.keep_pace({**one.pace, "measured": True})
        for shard in one.shards:
            one.drop(shard)
    (train, _) = extract_missing(planned(backbone="pixels", seed=1))
    assert train.pace["batch_size"] == 16


@pytest.mark.usefixtures("plain_pixels")
def test_a_begun_set_is_gone_on_with_at_its_batch_size_in_as_many_threads_as_there_are_now(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)  # which fixes the threads by itself
    assert main(["extract", "--batch-size", "7"]) == 0
    (folder,) = work.glob("features/*-train-*")
    found = open_set(folder)
    found.keep_pace({**found.pace, **dict.fromkeys(("threads", "max_threads"), torch.get_num_threads() + 1)})
    found.drop(1)
    assert main(["extract"]) == 0
    pace = open_set(folder).pace
    assert (pace["batch_size"], pace["threads"], pace["max_threads"]) == (7, *2 * [torch.get_num_threads()])


def test_a_pace_is_no_longer_the_measured_one_once_memory_ran_out() -> None:
    measured = BatchSettings("cpu", 2, 16, 2, 2, 2, measured=True)
    assert measured.after([ExtractionStats(10, 1.0, 0.0, 16, 2)], 10, 1.0).measured
    assert not measured.after([ExtractionStats(10, 1.0, 0.0, 8, 2)], 10, 1.0).measured


@pytest.mark.usefixtures("plain_pixels")
@pytest.mark.parametrize(
    "broken",
    [{"batch_size": 10**9}, {"batch_size": "16"}, {"batch_size": True}, {"threads": 0}, {"cores": 65536}, None],
)
def test_a_record_of_another_machine_or_of_what_can_not_be_is_not_followed(
    work: Path, broken: dict[str, object] | None
) -> None:
    assert main(["extract", "--batch-size", "7"]) == 0
    (folder,) = work.glob("features/*-train-*")
    found = open_set(folder)
    found.keep_pace({} if broken is None else {**found.pace, **broken})
    found.drop(1)
    assert main(["extract"]) == 0
    assert found.pace["batch_size"] == 16


@pytest.mark.usefixtures("plain_pixels")
def test_how_rows_were_computed_is_shown(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["extract", "--json", "--workers", "1"]) == 0
    for shown in json.loads(capsys.readouterr().out):
        pace = shown["pace"]
        assert (pace["device"], pace["cores"], pace["batch_size"], pace["workers"]) == ("cpu", cores(), 16, 1)
        assert pace["threads"] == pace["max_threads"] == torch.get_num_threads()
        assert pace["rows_per_second"] > 0 and 0 < pace["waiting"] < 1
    assert main(["extract", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[1]["pace"] == pace  # of the cache, too


@pytest.mark.parametrize(
    ("device", "waiting", "limit"),
    [
        ("cpu", 0.2, ""),
        ("cpu", 0.5, "decoding is the limit: 200 images/s decoded, 200 images/s the backbone could take"),
        ("cpu", 1.0, "decoding is the limit: 100 images/s decoded, any number of images/s the backbone could take"),
        ("cuda", 0.2, ""),
        ("cuda", 0.5, "decoding is the limit: 100 images/s decoded"),
    ],
)
def test_where_the_backbone_waits_for_images_it_is_said_how_much_it_could_take(
    device: str, waiting: float, limit: str
) -> None:
    batch = BatchSettings(device, 2, 16, 2, 2, 2, rows_per_second=100.0, waiting=waiting)
    assert decoding_limit(batch, 11.0, "image") == limit
    assert decoding_limit(batch, 9.0, "image") == ""


def test_after_a_long_extraction_that_waited_for_images_it_is_said(
    work: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = open_dataset("digits")
    few = dataset.train.take(np.arange(100), "train")

    def slowly(row: int) -> Image:
        time.sleep(0.01)
        return few.read(row)

    slow = replace(dataset, train=replace(few, read=slowly))
    with caplog.at_level(logging.INFO, "frostline"):
        extract_missing(make_plan(open_inputs(ExtractSettings(backbone="pixels", data_dir=work / "soon"), slow)))
        assert "decoding is the limit" not in caplog.text
        monkeypatch.setattr(phrases, "_LONG", 0.0)
        extract_missing(make_plan(open_inputs(ExtractSettings(backbone="pixels", data_dir=work / "long"), slow)))
    assert "decoding is the limit" in caplog.text


@pytest.mark.usefixtures("plain_pixels")
def test_a_calibration_is_done_where_it_pays_and_serves_the_next_split(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    def noted(network: object, batch: Arrays, may_take: int, *, may_set_threads: bool) -> tuple[int, int]:
        tried.append(may_take)
        return 8, torch.get_num_threads()

    monkeypatch.setattr(pacing, "fastest_batch", noted)
    assert main(["extract"]) == 0
    assert tried == [int(0.03 * 1438)]
    assert [open_set(folder).pace["batch_size"] for folder in work.glob("features/*")] == [8, 8]
