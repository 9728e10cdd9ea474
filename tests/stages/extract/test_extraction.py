"""Extraction: once, in shards, surviving what happens to processes and files."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from frostline.stages.backbones.inference.batches import BatchLimit, in_turn
from frostline.stages.datasets import Samples, open_dataset
from frostline.stages.errors import UnreadableSample
from frostline.stages.extract.extraction import extract
from frostline.stages.modalities.base import Arrays
from frostline.stages.modalities.image.spec import Preprocessing
from frostline.stages.store import FeatureStore, load
from support.extraction import KEY, begin, job, tiny_backbone
from support.killed import contents, killed
from support.project import REPOSITORY
from support.warm import Started, Warm

Start = Callable[[Path], Started]


@pytest.fixture(scope="module")
def samples() -> Samples:
    return open_dataset("digits").test


@pytest.fixture(scope="module")
def start(warm: Warm) -> Start:
    """Extract the test digits in a process of its own, in 23 shards."""
    return lambda root: warm.start(["tests/support/extraction.py", str(root)], cwd=REPOSITORY)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, start: Start) -> dict[str, bytes]:
    root = tmp_path_factory.mktemp("undisturbed")
    assert start(root).wait() == 0
    return contents(next(root.iterdir()))


@pytest.mark.parametrize("after", [0, 22])
def test_a_killed_extraction_resumes_to_the_same_bytes(
    tmp_path: Path, undisturbed: dict[str, bytes], start: Start, after: int
) -> None:
    committed = killed(start(tmp_path), tmp_path, after)
    assert len(committed) >= after
    assert start(tmp_path).wait() == 0
    final = contents(next(tmp_path.iterdir()))
    assert final == undisturbed
    assert all(final[f"shards/{name}"] == data for name, data in committed.items())


def test_two_processes_extract_the_same_set_and_both_succeed(
    tmp_path: Path, undisturbed: dict[str, bytes], start: Start
) -> None:
    processes = [start(tmp_path), start(tmp_path)]
    assert [process.wait() for process in processes] == [0, 0]
    assert contents(next(tmp_path.iterdir())) == undisturbed


def test_features_do_not_depend_on_batch_workers_or_shards(tmp_path: Path, samples: Samples) -> None:
    found = []
    for i, (batch, workers, rows) in enumerate([(32, 2, 16), (7, 1, 100), (359, 4, 359)]):
        features = begin(tmp_path / str(i), samples, shard_rows=rows)
        extract(dataclasses.replace(job(samples, features), batch_size=batch, workers=workers))
        found.append(load(features).X)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found[2], found[0], rtol=1e-4, atol=1e-5)


class Counting:
    """The backbone, with a count of the images that went through it."""

    def __init__(self) -> None:
        self.backbone = tiny_backbone()
        self.spec, self.width = self.backbone.spec, self.backbone.width
        self.raw = self.backbone.raw
        self.batches = 0

    def embed(self, batch: Arrays) -> NDArray[np.float32]:
        self.batches += 1
        return self.backbone.embed(batch)

    def stream(self, batches: Iterable[Arrays], limit: BatchLimit) -> Iterator[NDArray[np.float32]]:
        return in_turn(self.embed, batches, limit)


def test_only_images_that_are_new_go_through_the_backbone(tmp_path: Path, samples: Samples) -> None:
    some = samples.take(np.arange(300), "test")
    old = begin(tmp_path, some)
    extract(job(some, old))
    key = dataclasses.replace(KEY, dataset=samples.content)
    counting = Counting()
    new = begin(tmp_path, samples)
    known = FeatureStore(tmp_path).rows_like(key)
    extract(dataclasses.replace(job(samples, new), backbone=counting, known=known))
    fresh = begin(tmp_path / "fresh", samples)
    extract(job(samples, fresh))
    assert counting.batches == 5  # 59 new images lie in five shards of 16
    assert np.array_equal(load(new).X, load(fresh).X)


def test_unreadable_samples_are_quarantined_and_all_others_kept(tmp_path: Path, samples: Samples) -> None:
    def read(row: int) -> object:
        if row % 100 == 7:
            raise UnreadableSample("damaged PNG")
        return samples.read(row)

    broken = dataclasses.replace(samples, read=read)
    features = begin(tmp_path, broken)
    extract(job(broken, features))
    assert [bad.row for bad in features.quarantined()] == [7, 107, 207, 307]
    assert {bad.reason for bad in features.quarantined()} == {"damaged PNG"}
    assert len(load(features)) + len(features.quarantined()) == len(samples)


class Poisoned(Counting):
    """Gives NaN for the third image of each batch and 70,000 for the fourth."""

    def embed(self, batch: Arrays) -> NDArray[np.float32]:
        features = self.backbone.embed(batch)
        features[2], features[3, 0] = np.nan, 70_000
        return features


def test_features_that_are_no_numbers_are_quarantined_by_name(tmp_path: Path, samples: Samples) -> None:
    features = begin(tmp_path, samples, dtype="float16")
    extract(dataclasses.replace(job(samples, features), backbone=Poisoned()))
    reasons = {bad.row % 16: bad.reason for bad in features.quarantined()}
    assert reasons[2] == "the backbone gave NaN or infinity"
    assert reasons[3] == "a feature of 7e+04 is too large for float16; see --dtype"
    assert np.isfinite(load(features).X).all()


def test_an_image_of_another_size_is_quarantined_where_nothing_resizes(tmp_path: Path, samples: Samples) -> None:
    odd = dataclasses.replace(samples, read=lambda row: Image.new("RGB", (9, 8)) if row == 5 else samples.read(row))
    backbone = Counting()
    backbone.spec = dataclasses.replace(backbone.spec, preprocessing=Preprocessing(), size=(8, 8))
    features = begin(tmp_path, odd)
    extract(dataclasses.replace(job(odd, features), backbone=backbone))
    assert [bad.reason for bad in features.quarantined()] == ["8 × 9 pixels; the backbone expects 8 × 8, see --resize"]


def test_an_image_too_narrow_to_resize_is_quarantined(tmp_path: Path, samples: Samples) -> None:
    odd = dataclasses.replace(
        samples, read=lambda row: Image.new("RGB", (2, 30_000)) if row == 5 else samples.read(row)
    )
    backbone = Counting()
    backbone.spec = dataclasses.replace(backbone.spec, preprocessing=Preprocessing(256, 32))
    features = begin(tmp_path, odd)
    extract(dataclasses.replace(job(odd, features), backbone=backbone))
    assert [bad.reason for bad in features.quarantined()] == [
        "too narrow (2 × 30,000 pixels; a shorter side of 256 makes 256 × 3,840,000)"
    ]
