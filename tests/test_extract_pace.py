"""How many images at once and in how many threads: found out on the first images, kept with the set, gone on with."""

from __future__ import annotations

import dataclasses
import json
import logging
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL.Image import Image

from pipeline import features
from pipeline.cli import main
from pipeline.config import ExtractSettings
from pipeline.features import extract_missing
from pipeline.pacing import Pace
from pipeline.plan import Plan, cores
from stages.backbones import pacing
from stages.backbones.pacing import fastest, in_threads
from stages.backbones.streaming import Embeddings, Pixels, Room, in_turn
from stages.datasets import open_dataset
from stages.store import open_set

PIXELS = np.zeros((3, 2, 2, 3), np.uint8)
ROUND = 4 + 8 + 16 + 32


class Timed:
    """A network that takes so many seconds for a batch of so many images."""

    device = torch.device("cpu")

    def __init__(self, seconds: dict[int, float]) -> None:
        self.seconds = seconds
        self.sizes: list[int] = []

    def embed(self, pixels: Pixels) -> Embeddings:
        self.sizes.append(len(pixels))
        if len(pixels) not in self.seconds:
            raise MemoryError
        time.sleep(self.seconds[len(pixels)])
        return np.zeros((len(pixels), 1), np.float32)

    def stream(self, batches: Iterable[Pixels], room: Room) -> Iterator[Embeddings]:
        return in_turn(self.embed, batches, room)


def chosen(seconds: dict[int, float], may_take: int = 10 * ROUND) -> tuple[int, list[int]]:
    network = Timed(seconds)
    return fastest(network, PIXELS, may_take, may_set_threads=False)[0], network.sizes  # type: ignore[arg-type]


def test_the_batch_size_that_is_fastest_by_far_is_taken_and_else_the_usual_one() -> None:
    assert chosen({4: 0.02, 8: 0.004, 16: 0.08, 32: 0.16})[0] == 8
    assert chosen({4: 0.02, 8: 0.04, 16: 0.08, 32: 0.1599})[0] == 16  # all alike


def test_sizes_that_memory_has_no_room_for_are_not_taken() -> None:
    assert chosen({1: 0.0, 2: 0.0, 4: 0.01, 8: 0.01})[0] == 8


def test_no_more_images_are_tried_than_allowed_and_none_where_that_tells_nothing() -> None:
    same = dict.fromkeys((4, 8, 16, 32), 0.0)
    assert chosen(same, 2 * ROUND - 1) == (16, [])
    assert sum(chosen(same, 3 * ROUND + 1)[1]) == 3 * ROUND
    assert sum(chosen(same, 100 * ROUND)[1]) == pacing._MOST_ROUNDS * ROUND


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


@pytest.mark.parametrize(
    "broken",
    [{"batch_size": 10**9}, {"batch_size": "16"}, {"batch_size": True}, {"threads": 0}, {"cores": cores() + 1}, None],
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


def test_how_rows_were_computed_is_shown(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["extract", "--json", "--workers", "1"]) == 0
    for shown in json.loads(capsys.readouterr().out):
        pace = shown["pace"]
        assert (pace["device"], pace["cores"], pace["batch_size"], pace["workers"]) == ("cpu", cores(), 16, 1)
        assert pace["threads"] == torch.get_num_threads() and pace["rows_per_second"] > 0 and 0 < pace["waiting"] < 1
    assert main(["extract", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[1]["pace"] == pace  # of the cache, too


@pytest.mark.parametrize(
    ("device", "waiting", "limit"),
    [
        ("cpu", 0.2, ""),
        ("cpu", 0.5, "decoding is the limit: 200 images/s decoded, 200 images/s the backbone could take"),
        ("cuda", 0.5, "decoding is the limit: 100 images/s decoded, 200 images/s the backbone could take"),
        ("cuda", 1.0, "decoding is the limit: 100 images/s decoded, any number of images/s the backbone could take"),
    ],
)
def test_where_the_backbone_waits_for_images_it_is_said_how_much_it_could_take(
    device: str, waiting: float, limit: str
) -> None:
    assert Pace(device, 2, 16, 2, 2, rows_per_second=100.0, waiting=waiting).limit == limit


def test_after_a_long_extraction_that_waited_for_images_it_is_said(
    work: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = open_dataset("digits")
    few = dataset.train.take(np.arange(100), "train")

    def slowly(row: int) -> Image:
        time.sleep(0.01)
        return few.read(row)

    slow = dataclasses.replace(dataset, train=dataclasses.replace(few, read=slowly))
    with caplog.at_level(logging.INFO, "frostline"):
        extract_missing(Plan(ExtractSettings(data_dir=work / "soon"), slow))
        assert "decoding is the limit" not in caplog.text
        monkeypatch.setattr(features, "_LONG", 0.0)
        extract_missing(Plan(ExtractSettings(data_dir=work / "long"), slow))
    assert "decoding is the limit" in caplog.text


def test_a_calibration_is_done_where_it_pays_and_serves_the_next_split(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    def noted(network: object, pixels: Pixels, may_take: int, *, may_set_threads: bool) -> tuple[int, int]:
        tried.append(may_take)
        return 8, torch.get_num_threads()

    monkeypatch.setattr(pacing, "fastest", noted)
    assert main(["extract"]) == 0
    assert tried == [int(0.03 * 1438)]
    assert [open_set(folder).pace["batch_size"] for folder in work.glob("features/*")] == [8, 8]
