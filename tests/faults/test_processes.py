"""Real processes: killed at random, many at once, out of memory, hanging, on a dataset or a clock that changes."""

from __future__ import annotations

import dataclasses
import errno
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from faults.children import Child
from faults.counts import Points
from faults.layer import Layer, fail, since
from faults.work import backbone, begin, contents, image, key_of, samples, work
from frostline.pipeline.cli.main import main
from frostline.pipeline.maintain.inventory import inventory, verify
from frostline.stages.backbones.inference.batches import BatchLimit, in_turn
from frostline.stages.datasets import Samples, open_dataset
from frostline.stages.errors import ConfigError, DataError
from frostline.stages.extract.extraction import Extraction, extract
from frostline.stages.modalities.base import Arrays
from frostline.stages.store import FeatureStore, load, open_set
from support.pictures import paint

Tell = Callable[[str], object]
MANY = samples(range(60))
KILLS, LONG_KILLS = 12, 2000


def committed(root: Path) -> dict[str, bytes]:
    """Return the shards that have a record, and the records."""
    records = list(root.glob("features/*/shards/*.json"))
    return {p.name: p.read_bytes() for r in records for p in (r, r.with_suffix(".h5"))}


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    root = tmp_path_factory.mktemp("wanted")
    work(root, some=MANY)
    return contents(root)


def test_kills_at_random_times_lose_no_committed_shard(
    tmp_path: Path, wanted: dict[str, bytes], campaign: bool, points: Points
) -> None:
    rng, root, finished, killed = np.random.default_rng(0), tmp_path / "0", 0, 0
    while killed < (LONG_KILLS if campaign else KILLS):
        child = Child(lambda tell, root=root: work(root, tell, MANY))
        time.sleep(rng.uniform(0, 0.25))
        before = committed(root)
        os.kill(child.pid, signal.SIGKILL)
        killed += child.wait() == -signal.SIGKILL
        assert before.items() <= committed(root).items()
        if "published" in child.told:
            assert contents(root) == wanted
            finished += 1
            root = tmp_path / str(finished)
    work(root, some=MANY)
    assert contents(root) == wanted
    points.add("kills at a random time", killed)
    points.add("extractions finished between kills", finished)


def overlapping(root: Path, first: int) -> None:
    """Extract twelve images in six shards; what overlaps with other sets is taken from there."""
    some = samples(range(first, first + 12))
    features = begin(root, some, shard_rows=2)
    known = FeatureStore(root / "features").rows_like(key_of(some))
    extract(Extraction(some, backbone(), features, batch_size=4, workers=1, known=known))


def look(root: Path, tell: Tell) -> None:
    """Read all there is until told to stop. Whatever is half written raises here."""
    looks = 0
    while not (root / "stop").exists():
        looks += 1
        for description in root.glob("features/*/key.json"):
            features = open_set(description.parent)
            for record in description.parent.glob("shards/*.json"):
                features.read(int(record.stem))
            if (description.parent / "features.h5").exists():
                assert features.published and len(load(features)) == 12
    tell(str(looks))


def test_eight_processes_at_once_all_succeed_with_one_result_and_readers_see_nothing_half_written(
    tmp_path: Path, campaign: bool, points: Points
) -> None:
    for first in (0, 4, 8):
        overlapping(tmp_path / "alone", first)
    for round_ in range(20 if campaign else 2):
        root = tmp_path / str(round_)
        root.mkdir()
        reader = Child(lambda tell, root=root: look(root, tell))
        crowd = [Child(lambda tell, root=root, i=i: overlapping(root, 4 * (i % 3))) for i in range(8)]
        assert [child.wait() for child in crowd] == [0] * 8
        (root / "stop").touch()
        assert reader.wait() == 0
        assert sets(root) == sets(tmp_path / "alone")
        points.add("processes beside each other", len(crowd))
        points.add("looks of a reader", int(reader.told[0]))


def sets(root: Path) -> dict[str, dict[str, bytes]]:
    """Return each set's files by its folder."""
    return {folder.name: contents(folder.parent.parent / folder.name) for folder in root.glob("features/*")}


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_at_a_random_time_ends_the_command_with_its_code_and_the_next_run_finishes(
    tmp_path: Path, sent: signal.Signals, code: int, campaign: bool, points: Points
) -> None:
    rng, command = np.random.default_rng(sent), ["extract", "--backbone", "pixels", "--data-dir"]
    assert main([*command, str(tmp_path / "wanted")]) == 0
    codes = []

    def extracts(root: Path) -> int:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs do not listen
        return main([*command, str(root)])

    for i in range(15 if campaign else 5):
        root = tmp_path / str(i)
        child = Child(lambda tell, root=root: extracts(root))
        while not root.exists():
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.3))
        before = committed(root)
        os.kill(child.pid, sent)
        codes.append(child.wait())
        assert before.items() <= committed(root).items()
    assert main([*command, str(tmp_path / "0")]) == 0
    assert committed(tmp_path / "0") == committed(tmp_path / "wanted")
    assert set(codes) <= {0, code} and code in codes
    points.add(f"{sent.name} at a random time", len(codes))


def test_a_worker_that_hangs_can_be_killed_and_nothing_committed_is_lost(
    tmp_path: Path, wanted: dict[str, bytes]
) -> None:
    def read(row: int) -> Image.Image:
        if row == 31:
            threading.Event().wait()
        return image(row)

    child = Child(lambda tell: work(tmp_path, tell, samples(range(60), read)))
    while len(committed(tmp_path)) < 20:
        time.sleep(0.001)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert sorted(committed(tmp_path).values()) == sorted(data for name, data in wanted.items() if "0000" in name)
    work(tmp_path, some=MANY)
    assert contents(tmp_path) == wanted


def test_what_a_worker_raises_is_raised_and_the_shards_before_are_kept(
    tmp_path: Path, wanted: dict[str, bytes]
) -> None:
    def read(row: int) -> Image.Image:
        if row == 31:
            raise ZeroDivisionError
        return image(row)

    with pytest.raises(ZeroDivisionError):
        work(tmp_path, some=samples(range(60), read))
    assert len(committed(tmp_path)) == 20
    work(tmp_path, some=MANY)
    assert contents(tmp_path) == wanted


class Greedy:
    """The backbone, but for a batch that takes more memory than any machine has."""

    def __init__(self) -> None:
        self.spec, self.width, self.raw = backbone().spec, backbone().width, backbone().raw
        self.batches = 0

    def embed(self, batch: Arrays) -> NDArray[np.float32]:
        self.batches += 1
        if self.batches >= 5:
            torch.empty(1 << 50)
        return backbone().embed(batch)

    def stream(self, batches: Iterable[Arrays], room: BatchLimit) -> Iterator[NDArray[np.float32]]:
        return in_turn(self.embed, batches, room)


def test_a_batch_that_takes_too_much_memory_is_said_and_the_shards_before_are_kept(
    tmp_path: Path, wanted: dict[str, bytes]
) -> None:
    features = begin(tmp_path, MANY)
    with pytest.raises(ConfigError, match=r"not enough memory for a batch of 1 image .* free some"):
        extract(Extraction(MANY, Greedy(), features, batch_size=4, workers=1))
    assert features.missing() == list(range(4, 20))
    work(tmp_path, some=MANY)
    assert contents(tmp_path) == wanted


@pytest.fixture
def pets(tmp_path: Path) -> Samples:
    for split, label, i in [(s, k, i) for s in ("train", "test") for k in range(2) for i in range(3)]:
        paint(tmp_path / "pets" / split / "ab"[label] / f"{i}.png", label, 100 * label + i, (4, 4))
    return open_dataset(f"folder:{tmp_path / 'pets'}").train


@pytest.mark.parametrize("change", ["changed", "cut off", "removed"])
def test_a_dataset_that_changes_at_any_row_is_said_and_once_it_is_mended_the_end_is_the_same(
    pets: Samples, tmp_path: Path, change: str, points: Points
) -> None:
    work(tmp_path / "wanted", some=pets)
    wanted = contents(tmp_path / "wanted")
    for row in range(len(pets)):
        file, root = tmp_path / "pets" / pets.ids[row], tmp_path / str(row)
        sound = file.read_bytes()

        def read(row: int, file: Path = file, sound: bytes = sound) -> Image.Image:
            new = {"changed": sound + b"\0", "cut off": sound[:-1], "removed": b""}[change]
            file.write_bytes(new) if new else file.unlink()
            return pets.read(row)

        disturbed = dataclasses.replace(
            pets, read=lambda at, row=row, read=read: (read if at == row else pets.read)(at)
        )
        with pytest.raises(DataError, match=r"changed while it was being read|can no longer be read"):
            work(root, some=disturbed)
        file.write_bytes(sound)
        work(root, some=pets)
        assert contents(root) == wanted
        points.add("changes of the dataset")


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_jumps_hides_no_change_of_a_file(
    pets: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    real, source, memory = time.time_ns, f"folder:{tmp_path / 'pets'}", tmp_path / "memory.index"
    monkeypatch.setattr(time, "time_ns", lambda: real() + hours * 3600 * 10**9)
    assert open_dataset(source, memory=memory).train.content == pets.content
    assert memory.exists() == (hours > 0)  # files from the future are not remembered
    file = tmp_path / "pets" / pets.ids[0]
    status, data = file.stat(), bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    after = open_dataset(source, memory=memory).train.content
    assert after == open_dataset(source).train.content != pets.content


def test_reading_a_workspace_writes_nothing_so_that_it_may_be_read_only(tmp_path: Path) -> None:
    features = work(tmp_path)
    layer = Layer(tmp_path, since(0, fail(errno.EROFS)))
    with layer.installed():
        assert open_set(features.folder).complete and features.published
        assert len(load(features)) == len(samples())
        assert verify(tmp_path)[1] == [] and inventory(tmp_path)[0].missing == 0
        features.publish()
    assert layer.calls == []
