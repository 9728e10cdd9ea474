"""Extraction as on a GPU, on the processor: decoding, computing and writing at the same time, to the same bytes."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from frostline.stages.backbones.inference.batches import BatchLimit, Embeddings
from frostline.stages.datasets import Samples, open_dataset
from frostline.stages.errors import StoreError, UnreadableSample
from frostline.stages.extract.extraction import extract
from frostline.stages.modalities.base import Arrays
from frostline.stages.store import FeatureSet, WriteBack
from support.extraction import begin, job, job_ahead
from support.killed import contents, killed
from support.project import REPOSITORY
from support.warm import Started, Warm

Start = Callable[[Path], Started]


@pytest.fixture(scope="module")
def samples() -> Samples:
    return open_dataset("digits").test


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, samples: Samples) -> dict[str, bytes]:
    features = begin(tmp_path_factory.mktemp("undisturbed"), samples)
    extract(job(samples, features))
    return contents(features.folder)


@pytest.fixture(scope="module")
def start(warm: Warm) -> Start:
    return lambda root: warm.start(["tests/support/extraction.py", str(root), "ahead"], cwd=REPOSITORY)


def set_in(root: Path) -> Path:
    return next(root.iterdir())


def test_work_done_ahead_gives_the_same_files(tmp_path: Path, samples: Samples, undisturbed: dict[str, bytes]) -> None:
    features = begin(tmp_path, samples)
    stats = extract(job_ahead(samples, features))
    assert contents(features.folder) == undisturbed and stats.rows == len(samples)
    assert not [t for t in threading.enumerate() if t.name.startswith("frostline-")]


@pytest.mark.parametrize("after", [0, 15])
def test_a_killed_one_resumes_to_the_same_bytes(
    tmp_path: Path, undisturbed: dict[str, bytes], start: Start, after: int
) -> None:
    committed = killed(start(tmp_path), tmp_path, after)
    assert start(tmp_path).wait() == 0
    final = contents(set_in(tmp_path))
    assert final == undisturbed
    assert all(final[f"shards/{name}"] == data for name, data in committed.items())


def test_processes_that_hold_several_shards_each_never_wait_for_each_other(
    tmp_path: Path, undisturbed: dict[str, bytes], start: Start
) -> None:
    processes = [start(tmp_path) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert contents(set_in(tmp_path)) == undisturbed


def test_what_writing_raises_is_raised_and_the_shards_before_are_kept(
    tmp_path: Path, samples: Samples, undisturbed: dict[str, bytes]
) -> None:
    features = begin(tmp_path, samples)
    (features.folder / "shards" / "00007.h5").mkdir(parents=True)  # a name that can't be replaced
    with pytest.raises(StoreError, match=r"00007\.h5: it is a folder"):
        extract(job_ahead(samples, features))
    assert set(range(7)) <= set(features.shards) - set(features.missing())
    for shard in features.missing():  # nothing is held any more
        with features.claim(shard, wait=False) as ours:
            assert ours
    (features.folder / "shards" / "00007.h5").rmdir()
    extract(job_ahead(samples, features))
    assert contents(features.folder) == undisturbed


@pytest.mark.parametrize("kind", [job, job_ahead])
def test_a_shard_of_which_no_image_can_be_read_is_committed_too(tmp_path: Path, samples: Samples, kind: object) -> None:
    def read(row: int) -> object:
        if 16 <= row < 48 or row == len(samples) - 1:
            raise UnreadableSample("damaged PNG")
        return samples.read(row)

    broken = dataclasses.replace(samples, read=read)
    features = begin(tmp_path, broken)
    assert callable(kind)
    extract(kind(broken, features))
    assert [bad.row for bad in features.quarantined()] == [*range(16, 48), len(samples) - 1]


def test_commits_are_done_in_order_and_no_more_than_two_wait() -> None:
    done: list[int] = []
    held: list[int] = []
    gate = threading.Event()

    def commit(i: int) -> None:
        gate.wait()
        done.append(i)

    def hold(i: int) -> ExitStack:
        held.append(i)
        stack = ExitStack()
        stack.callback(held.remove, i)
        return stack

    with WriteBack(behind=True) as writer:
        writer.commit(lambda: commit(0), hold(0))
        writer.commit(lambda: commit(1), hold(1))
        assert held == [0, 1] and done == []
        gate.set()
        for i in range(2, 6):
            writer.commit(partial(commit, i), hold(i))
            assert len(held) <= 2
        writer.finish()
    assert done == list(range(6)) and held == []


def test_two_sets_filled_at_once_hold_what_each_lacks(tmp_path: Path, samples: Samples) -> None:
    from frostline.stages.store import JointSets

    def two(root: Path) -> list[FeatureSet]:
        return [begin(root / name, samples) for name in "ab"]

    class Twice:
        def __init__(self, ahead: bool) -> None:
            self.backbone = (job_ahead if ahead else job)(samples, begin(tmp_path / "none", samples)).backbone
            self.spec, self.width, self.raw = self.backbone.spec, 2 * self.backbone.width, self.backbone.raw

        def stream(self, batches: Iterable[Arrays], limit: BatchLimit) -> Iterator[Embeddings]:
            for features in self.backbone.stream(batches, limit):
                yield np.concatenate([features, features], axis=1)

    found = []
    for ahead in (False, True):
        sets = two(tmp_path / str(ahead))
        extract(dataclasses.replace(job(samples, sets[0]), features=sets[0]))
        sets[0].drop(3)
        how = {"backbone": Twice(ahead), "features": JointSets(sets), "ahead": 2 * ahead}
        extract(dataclasses.replace(job(samples, sets[0]), **how))
        assert all(one.complete for one in sets)
        found.append([contents(one.folder) for one in sets])
    assert found[0] == found[1] and found[0][0] == found[0][1]
