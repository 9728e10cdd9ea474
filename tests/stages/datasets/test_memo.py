"""Digests are remembered: what is unchanged is not read again, what changed is."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from contextlib import contextmanager

import pytest

from frostline.stages.datasets import open_dataset
from frostline.stages.datasets.memo import GRAIN_NS, load_memo, save_memo
from support.pictures import encoded, picture, plant, put

COUNTS = {"train/cat": 3, "train/dog": 3, "test/cat": 2}
_watchers = []


def _watch(event, arguments):
    if event == "open":
        for seen in _watchers:
            seen.append(str(arguments[0]))


sys.addaudithook(_watch)  # stays for good; does nothing unless a test listens


@contextmanager
def images_opened():
    """Collect the names of the image files that this process opens."""
    seen, images = [], []
    _watchers.append(seen)
    try:
        yield images
    finally:
        _watchers.remove(seen)
        images += [path.rpartition("/")[2] for path in seen if path.endswith(".png")]


@pytest.fixture(scope="module")
def settled(tmp_path_factory):
    """Three folders of images, old enough to be remembered, by their names."""
    roots = [plant(tmp_path_factory.mktemp("settled") / name, COUNTS) for name in ("same", "changed", "grown")]
    for root in roots:
        put(root / "train/cat/bad.png", b"")
    time.sleep(1.1 * GRAIN_NS / 1e9)
    return {root.name: root for root in roots}


def opened(root, memory):
    with images_opened() as images:
        dataset = open_dataset(f"folder:{root}", memory=memory)
    return dataset, sorted(images)


def contents(dataset):
    return [samples.content for samples in dataset.splits]


def test_unchanged_files_are_read_once(settled, tmp_path):
    first, read_first = opened(settled["same"], tmp_path / "memory.npz")
    second, read_second = opened(settled["same"], tmp_path / "memory.npz")
    assert len(read_first) == 9 and read_second == []
    assert contents(first) == contents(second)
    assert first.train.problems == second.train.problems == {3: "empty file (0 bytes)"}


def test_a_changed_file_is_read_again_even_with_its_old_size_and_mtime(settled, tmp_path):
    root, memory = settled["changed"], tmp_path / "memory.npz"
    before, _ = opened(root, memory)
    file = root / "train/cat/0001.png"
    data, info = bytearray(file.read_bytes()), file.stat()
    data[-1] ^= 1
    file.write_bytes(data)
    os.utime(file, ns=(info.st_atime_ns, info.st_mtime_ns))
    after, read = opened(root, memory)
    assert read == ["0001.png"]
    assert after.train.digests[1].tobytes() == hashlib.sha256(data).digest() != before.train.digests[1].tobytes()
    assert after.train.digests[0].tobytes() == before.train.digests[0].tobytes()


def test_only_added_files_are_read_and_removed_ones_are_forgotten(settled, tmp_path):
    root, memory = settled["grown"], tmp_path / "memory.npz"
    opened(root, memory)
    put(root / "train/cat/00.png", encoded(picture(9)))
    (root / "train/dog/0002.png").unlink()
    grown, read = opened(root, memory)
    assert read == ["00.png"]
    assert contents(grown) == contents(opened(root, None)[0])
    assert grown.train.problems == {4: "empty file (0 bytes)"}


def test_a_file_as_young_as_the_clock_is_coarse_is_not_trusted(tmp_path):
    root = plant(tmp_path / "pets", COUNTS)
    opened(root, tmp_path / "memory.npz")
    assert len(opened(root, tmp_path / "memory.npz")[1]) == 8


def test_without_a_memory_everything_is_read(settled):
    assert len(opened(settled["same"], None)[1]) == len(opened(settled["same"], None)[1]) == 9


@pytest.mark.parametrize("damage", [b"", b"no memory at all", b"PK\3\4 cut off"])
def test_a_damaged_memory_is_an_empty_one(settled, tmp_path, damage):
    memory = tmp_path / "memory.npz"
    first, _ = opened(settled["same"], memory)
    memory.write_bytes(damage)
    second, read = opened(settled["same"], memory)
    assert len(read) == 9 and contents(first) == contents(second)
    assert opened(settled["same"], memory)[1] == []


def test_a_flipped_bit_in_the_memory_is_noticed(settled, tmp_path):
    memory = tmp_path / "memory.npz"
    first, _ = opened(settled["same"], memory)
    data = bytearray(memory.read_bytes())
    data[data.index(first.train.digests[0].tobytes())] ^= 1
    memory.write_bytes(data)
    assert contents(opened(settled["same"], memory)[0]) == contents(first)


def test_a_memory_that_cannot_be_written_is_done_without(settled, tmp_path):
    put(tmp_path / "file", b"")
    dataset, _ = opened(settled["same"], tmp_path / "file" / "memory.npz")
    assert len(dataset.train) == 7


def test_a_memory_of_another_stamp_is_none(tmp_path):
    save_memo(tmp_path / "memory.npz", "Pillow 1", {"paths": ["a"]}, {})
    assert load_memo(tmp_path / "memory.npz", "Pillow 1") == ({"paths": ["a"]}, {})
    assert load_memo(tmp_path / "memory.npz", "Pillow 2") is None
    assert [file.name for file in tmp_path.iterdir()] == ["memory.npz"]


def test_progress_counts_the_files_that_are_read(settled, tmp_path):
    seen = []
    for _ in range(2):
        open_dataset(
            f"folder:{settled['same']}", memory=tmp_path / "memory.npz", progress=lambda *step: seen.append(step)
        )
    assert seen == [(i, 9) for i in range(1, 10)]
