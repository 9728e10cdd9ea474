"""A file is read by position, by threads and processes, and is known to be the same or not."""

from __future__ import annotations

import multiprocessing
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from frostline.stages.datasets.containers.blob import LocalBlob
from frostline.stages.datasets.containers.places import expand, is_pattern
from frostline.stages.errors import DataError


def blob_of(folder: Path, content: bytes = bytes(range(200)), name: str = "a.bin") -> LocalBlob:
    (folder / name).write_bytes(content)
    return LocalBlob(folder / name)


def test_a_piece_is_read_by_its_place(tmp_path: Path) -> None:
    blob = blob_of(tmp_path)
    assert (blob.read(3, 4), blob.read(0, 200), blob.read(200, 0)) == (bytes([3, 4, 5, 6]), bytes(range(200)), b"")
    assert (blob.name, blob.size) == (str(tmp_path / "a.bin"), 200)


@pytest.mark.parametrize("asked", [(199, 2), (-1, 2), (0, -1), (300, 0)])
def test_nothing_is_read_beyond_the_end(tmp_path: Path, asked: tuple[int, int]) -> None:
    with pytest.raises(DataError, match="ends after 200 bytes"):
        blob_of(tmp_path).read(*asked)


def test_no_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="can't read"):
        LocalBlob(tmp_path / "none")
    with pytest.raises(DataError, match="not a regular file"):
        LocalBlob(tmp_path)


def test_a_file_that_changed_since_is_not_read(tmp_path: Path) -> None:
    blob = blob_of(tmp_path)
    before = blob.stamp
    (tmp_path / "new").write_bytes(bytes(200))
    (tmp_path / "new").replace(tmp_path / "a.bin")
    assert LocalBlob(tmp_path / "a.bin").stamp != before
    with pytest.raises(DataError, match="changed while it was being read"):
        blob.read(0, 1)


def test_a_file_that_is_cut_off_while_it_is_open_is_an_error(tmp_path: Path) -> None:
    blob = blob_of(tmp_path)
    assert blob.read(0, 1) == b"\0"
    os.truncate(tmp_path / "a.bin", 10)
    with pytest.raises(DataError, match="became shorter"):
        blob.read(0, 200)


def test_a_file_that_is_gone_is_an_error(tmp_path: Path) -> None:
    blob = blob_of(tmp_path)
    (tmp_path / "a.bin").unlink()
    with pytest.raises(DataError, match="can no longer be read"):
        blob.read(0, 1)


def test_threads_read_more_files_than_stay_open(tmp_path: Path) -> None:
    blobs = [blob_of(tmp_path, bytes([i]) * 64, f"{i}.bin") for i in range(200)]
    before = len(os.listdir("/proc/self/fd"))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: blobs[i % 200].read(i % 60, 4), range(4000)))
    assert found == [bytes([i % 200]) * 4 for i in range(4000)]
    assert len(os.listdir("/proc/self/fd")) - before <= 64


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_another_process_reads_it(tmp_path: Path, method: str) -> None:
    blob = blob_of(tmp_path)
    blob.read(0, 1)
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.apply(blob.read, (5, 2)) == bytes([5, 6])
    assert blob.read(7, 1) == bytes([7]) and pickle.loads(pickle.dumps(blob)).stamp == blob.stamp


def names(folder: Path, pattern: str) -> list[str]:
    return [Path(blob.name).name for blob in expand(f"{folder}/{pattern}")]


def test_patterns_name_files(tmp_path: Path) -> None:
    for name in ("s-00.tar", "s-01.tar", "s-02.tar", "s-10.tar", "extra.tar", "odd[1].tar", "brace{1..2}.tar"):
        (tmp_path / name).touch()
    (tmp_path / "s-folder.tar").mkdir()
    assert names(tmp_path, "s-*.tar") == ["s-00.tar", "s-01.tar", "s-02.tar", "s-10.tar"]
    assert names(tmp_path, "s-{01..02}.tar") == ["s-01.tar", "s-02.tar"]
    assert names(tmp_path, "s-0{2,1}.tar") == ["s-02.tar", "s-01.tar"]
    assert names(tmp_path, "{extra,s-0?}.tar") == ["extra.tar", "s-00.tar", "s-01.tar", "s-02.tar"]
    assert names(tmp_path, "odd[1].tar") == ["odd[1].tar"] and names(tmp_path, "brace{1..2}.tar") == ["brace{1..2}.tar"]
    assert is_pattern("a-{0..1}.tar") and is_pattern("a*.tar") and not is_pattern("a.tar")


def test_a_file_that_two_choices_name_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "a.tar").touch()
    assert names(tmp_path, "{a,*}.tar") == ["a.tar"]


def test_files_of_a_range_that_are_missing_are_listed(tmp_path: Path) -> None:
    for number in (0, 2):
        (tmp_path / f"s-{number:03d}.tar").touch()
    with pytest.raises(DataError, match=r"2 files of .* not found:\n.*s-001.tar\n.*s-003.tar"):
        expand(f"{tmp_path}/s-{{000..003}}.tar")
    with pytest.raises(DataError, match=r"no file .*s-9\*.tar; expected a file, or a pattern: \* stands for"):
        expand(f"{tmp_path}/s-9*.tar")


def test_braces_that_count_without_end_are_refused(tmp_path: Path) -> None:
    for pattern in ("{0..99999999999}", "{0..9999}{0..9999}"):
        with pytest.raises(DataError, match="more than 1,000,000 files"):
            expand(f"{tmp_path}/{pattern}.tar")
