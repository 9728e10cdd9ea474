"""Each container is read once; what is remembered of an unchanged one is used, whatever happens to those beside it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from frostline.stages.datasets.containers.blob import Blob
from frostline.stages.datasets.containers.index import index_containers, memory_of
from frostline.stages.datasets.containers.members import Members, Part, PartBuilder, member_samples
from frostline.stages.datasets.containers.places import expand
from frostline.stages.datasets.memo import is_sound
from frostline.stages.errors import DataError, UnreadableSample
from frostline.stages.records.packed_names import PackedNames
from frostline.stages.targets.values import Targets

WIDTH = 8


class Records:
    """A container of texts, 8 bytes each; ``#`` ones are of no use. It remembers what it read."""

    def __init__(self, modality: str = "text") -> None:
        self.read: list[str] = []
        self.modality = modality

    def scan(self, blob: Blob) -> Part:
        self.read.append(Path(blob.name).name)
        builder = PartBuilder(self.modality)
        for at in range(0, blob.size, WIDTH):
            builder.add(f"{Path(blob.name).stem}/{at}", (at, WIDTH), lambda at=at: content(blob, np.array([at, WIDTH])))
        labels = PackedNames.of(str(at % 3) for at in range(blob.size // WIDTH))
        return builder.part({"label": labels}, ["seen"])


def content(blob: Blob, place: np.ndarray) -> bytes:
    data = blob.read(int(place[0]), int(place[1]))
    if data.startswith(b"#"):
        raise UnreadableSample("a comment")
    return data


def shard(folder: Path, name: str, texts: Sequence[str], *, old: bool = True) -> Path:
    file = folder / name
    file.write_bytes("".join(text.ljust(WIDTH) for text in texts).encode())
    if old:
        os.utime(file, (1, 1))
    return file


def indexed(folder: Path, records: Records, memory: Path | None = None, version: str = "1") -> Members:
    return index_containers(expand(f"{folder}/*.txt"), records.scan, version, memory)


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    shard(tmp_path / "data", "a.txt", ["one", "#", "three"])
    shard(tmp_path / "data", "b.txt", [])
    shard(tmp_path / "data", "c.txt", ["four"])
    return tmp_path / "data"


def test_samples_of_all_containers_are_in_columns(shards: Path) -> None:
    found = indexed(shards, Records())
    assert found.joined.names == ["a/0", "a/8", "a/16", "c/0"]
    assert (found.container.tolist(), found.container.dtype) == ([0, 0, 0, 2], np.int32)
    assert found.joined.places.tolist() == [[0, 8], [8, 8], [16, 8], [0, 8]]
    assert found.joined.digests[3].tobytes() == hashlib.sha256(b"four    ").digest()
    assert found.joined.problems == {1: "a comment"} and found.joined.cells["label"] == ["0", "1", "2", "0"]
    assert found.joined.notes == ("seen (3 times)",)


def samples_of(found: Members):
    targets = Targets(("x",), np.zeros(len(found), np.int64))
    return member_samples("shards", targets, found, content)


def test_samples_are_read_from_their_places(shards: Path) -> None:
    samples = samples_of(indexed(shards, Records()))
    taken = samples.take(np.array([3, 1, 0]), "test")
    assert isinstance(taken.ids, PackedNames) and taken.ids == ["c/0", "a/8", "a/0"]
    assert (taken.read(0), taken.read(2), taken.problems) == ("four", "one", {1: "a comment"})
    with pytest.raises(UnreadableSample, match="a comment"):
        taken.read(1)


def test_a_sample_that_is_not_what_was_indexed_is_an_error(shards: Path) -> None:
    samples = samples_of(indexed(shards, Records()))
    assert samples.read(0) == "one"
    stamp = (shards / "a.txt").stat()
    with (shards / "a.txt").open("r+b") as file:
        file.write(b"two")
    os.utime(shards / "a.txt", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    with pytest.raises(DataError, match=r"a/0 in .*a.txt changed while it was being read"):
        samples.read(0)


def test_an_unchanged_container_is_not_read_again(shards: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("frostline.stages.datasets.containers.index.GRAIN_NS", -(10**12))  # their ctime is now
    memory, first, second = tmp_path / "index" / "x.index", Records(), Records()
    one, two = indexed(shards, first, memory), indexed(shards, second, memory)
    assert (first.read, second.read) == (["a.txt", "b.txt", "c.txt"], [])
    assert two.joined.names == one.joined.names and two.joined.problems == one.joined.problems
    assert (two.joined.places == one.joined.places).all() and (two.joined.digests == one.joined.digests).all()
    assert two.joined.cells == one.joined.cells and two.joined.notes == one.joined.notes
    assert all(is_sound(file) for file in memory.parent.glob("*.index")) and len([*memory.parent.iterdir()]) == 3


def test_a_changed_or_added_container_is_read_alone(shards: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("frostline.stages.datasets.containers.index.GRAIN_NS", -(10**12))
    memory, again = tmp_path / "x.index", Records()
    indexed(shards, Records(), memory)
    shard(shards, "c.txt", ["five"])
    shard(shards, "d.txt", ["six"])
    assert [*indexed(shards, again, memory).joined.names][-2:] == ["c/0", "d/0"] and again.read == ["c.txt", "d.txt"]


def test_what_was_read_is_kept_when_the_next_container_can_not_be(shards: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("frostline.stages.datasets.containers.index.GRAIN_NS", -(10**12))
    memory, broken, again = tmp_path / "x.index", Records(), Records()

    def scan(blob: Blob) -> Part:
        if blob.name.endswith("c.txt"):
            raise DataError("the bucket is gone")
        return broken.scan(blob)

    with pytest.raises(DataError, match="the bucket is gone"):
        index_containers(expand(f"{shards}/*.txt"), scan, "1", memory)
    indexed(shards, again, memory)
    assert again.read == ["c.txt"]


def test_a_memory_is_not_used_if_damaged_or_of_another_version_or_a_file_just_written(
    shards: Path, tmp_path: Path, monkeypatch
) -> None:
    memory, young = tmp_path / "x.index", Records()
    indexed(shards, young, memory)  # their ctime is within the clock's grain
    monkeypatch.setattr("frostline.stages.datasets.containers.index.GRAIN_NS", -(10**12))
    indexed(shards, young, memory)
    assert young.read == ["a.txt", "b.txt", "c.txt"] * 2
    damaged = memory_of(memory, expand(str(shards / "a.txt"))[0])
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    indexed(shards, young, memory)
    assert young.read[6:] == ["a.txt"]
    indexed(shards, young, memory, version="2")
    assert young.read[7:] == ["a.txt", "b.txt", "c.txt"]


def test_containers_without_a_sample_or_of_two_kinds_are_refused(shards: Path) -> None:
    with pytest.raises(DataError, match=r"no sample in .*b.txt"):
        index_containers(expand(f"{shards}/b.txt"), Records().scan, "1", None)

    def scan(blob: Blob) -> Part:
        return Records("audio" if blob.name.endswith("c.txt") else "text").scan(blob)

    with pytest.raises(DataError, match=r"several kinds of samples: texts in .*a.txt and recordings in .*c.txt"):
        index_containers(expand(f"{shards}/*.txt"), scan, "1", None)
