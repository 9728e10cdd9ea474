"""Windows of Parquet files: every row in any order, each row group once in a row, in bounded memory."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from frostline.stages.datasets.arrow import parquet_rows, windows
from frostline.stages.datasets.arrow.chunks import Stored
from frostline.stages.datasets.arrow.media import Media
from frostline.stages.datasets.arrow.parquet_rows import ParquetRows
from frostline.stages.datasets.arrow.windows import Windows
from frostline.stages.datasets.containers.blob import LocalBlob
from frostline.stages.errors import DataError


def rows_in(file: Path, cells: list[bytes], column: str = "image", **how: Any) -> ParquetRows:
    parquet.write_table(pyarrow.table({column: pyarrow.array(cells, pyarrow.binary())}), file, **how)
    return ParquetRows([LocalBlob(file)])


def noise(n: int, size: int) -> list[bytes]:
    return [random.Random(i).randbytes(size) for i in range(n)]


class Counting:
    """Stored rows that count how often each chunk is read, and the windows that it yields."""

    def __init__(self, stored: Stored) -> None:
        self.stored, self.begun, self.sizes = stored, Counter[int](), list[int]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stored, name)

    def windows(self, chunk: int, column: str) -> Iterator[Any]:
        self.begun[chunk] += 1
        for array in self.stored.windows(chunk, column):
            self.sizes.append(array.nbytes)
            yield array


def unreachable(path: str) -> bytes:
    raise AssertionError(path)


@pytest.mark.parametrize("group", [1, 7, 1000])
def test_rows_are_found_in_any_order(tmp_path: Path, group: int) -> None:
    cells = noise(60, 50)
    media = Media(rows_in(tmp_path / "a.parquet", cells, row_group_size=group), "image", unreachable)
    order = random.Random(0).sample(range(60), 60)
    assert [media.content(row) for row in order] == [cells[row] for row in order]


def test_rows_of_several_files_are_counted_on(tmp_path: Path) -> None:
    cells = noise(30, 20)
    for i in range(3):
        rows_in(tmp_path / f"{i}.parquet", cells[10 * i : 10 * i + 10], row_group_size=4)
    stored = ParquetRows([LocalBlob(tmp_path / f"{i}.parquet") for i in range(3)])
    assert stored.chunks.first_rows(3).tolist() == [0, 10, 20, 30]
    media = Media(stored, "image", unreachable)
    assert [media.content(row) for row in range(30)] == cells


def test_rows_in_order_decode_each_row_group_once(tmp_path: Path) -> None:
    stored = Counting(rows_in(tmp_path / "a.parquet", noise(50, 20), row_group_size=9))
    found = Windows(stored, "image")
    for row in range(50):
        found.find(row)
    assert stored.begun == dict.fromkeys(range(6), 1)


def test_a_row_group_of_any_size_is_decoded_a_window_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_rows, "_WINDOW", 4000)
    monkeypatch.setattr(windows, "_KEPT", 10_000)
    monkeypatch.setattr(windows, "_SPAN", 0)
    stored = Counting(rows_in(tmp_path / "a.parquet", noise(200, 400), use_dictionary=False))
    found = Windows(stored, "image")
    for row in range(200):
        found.find(row)
    assert stored.begun == {0: 1} and max(stored.sizes) < 5000
    assert sum(one.array.nbytes for one in found._kept.values()) <= 10_000
    assert found.find(0)[0][0].as_py() == noise(1, 400)[0]  # it was let go, so the row group is begun anew
    assert stored.begun == {0: 2}


def test_rows_near_each_other_are_kept_whatever_they_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_rows, "_WINDOW", 4000)
    monkeypatch.setattr(windows, "_KEPT", 10_000)
    stored = Counting(rows_in(tmp_path / "a.parquet", noise(900, 400), use_dictionary=False))
    found = Windows(stored, "image")
    for row in [*range(900), 0]:
        found.find(row)
    assert stored.begun == {0: 1}


def test_a_large_row_group_is_not_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_rows, "_WINDOW", 1 << 20)
    how = {"use_dictionary": False, "compression": "none", "write_batch_size": 8}
    stored = rows_in(tmp_path / "a.parquet", noise(600, 100_000), **how)
    assert len(stored.chunks) == 1
    before = pyarrow.total_allocated_bytes()
    for array in stored.windows(0, "image"):
        assert len(array) <= 12 and pyarrow.total_allocated_bytes() - before < 10 << 20


class InABucket:
    """A file that is read by ranges alone."""

    def __init__(self, file: Path) -> None:
        self._file, self.reads = LocalBlob(file), list[tuple[int, int]]()
        self.name, self.size, self.stamp, self.changed_ns = "s3://b/a.parquet", self._file.size, "etag", 0

    def read(self, offset: int, length: int, /) -> bytes:
        self.reads.append((offset, length))
        return self._file.read(offset, length)

    def expect(self, offset: int, /) -> None:
        """Do nothing."""


def test_a_file_in_a_bucket_is_read_by_ranges_a_row_group_at_once(tmp_path: Path) -> None:
    cells = noise(40, 5000)
    rows_in(tmp_path / "a.parquet", cells, row_group_size=10, use_dictionary=False)
    blob = InABucket(tmp_path / "a.parquet")
    media = Media(ParquetRows([blob]), "image", unreachable)
    blob.reads.clear()
    assert [media.content(row) for row in range(10, 20)] == cells[10:20]
    assert len([length for _, length in blob.reads if length > 100]) == 1 and sum(n for _, n in blob.reads) < 60_000


def test_values_that_repeat_do_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five MB that stand there once and are meant 2,000 times, ten GB, come a few rows at a time."""
    monkeypatch.setattr(parquet_rows, "_WIDEST", 32 << 20)
    image = random.Random(0).randbytes(5 << 20)
    encoded = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 2000, pyarrow.int32()), [image])
    schema = pyarrow.schema([("image", encoded.type)])
    parquet.write_table(pyarrow.table({"image": encoded}, schema=schema), tmp_path / "a.parquet", store_schema=False)
    stored = ParquetRows([LocalBlob(tmp_path / "a.parquet")])
    assert (tmp_path / "a.parquet").stat().st_size < 6 << 20 and stored.chunks.rows == 2000
    before = pyarrow.total_allocated_bytes()
    for at, array in zip(range(5), stored.windows(0, "image"), strict=False):
        assert len(array) <= 6 and array[0].as_py() == image, at
        assert pyarrow.total_allocated_bytes() - before < 100 << 20


def test_more_rows_than_bytes_can_hold_are_refused(tmp_path: Path) -> None:
    nulls = pyarrow.nulls(30_000_000, pyarrow.binary())
    parquet.write_table(pyarrow.table({"image": nulls}), tmp_path / "a.parquet", row_group_size=30_000_000)
    with pytest.raises(DataError, match="says that it holds 30,000,000 rows in"):
        ParquetRows([LocalBlob(tmp_path / "a.parquet")])


def test_pages_that_shrink_as_no_samples_do_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_rows, "_WIDEST", 1 << 20)
    stored = rows_in(tmp_path / "a.parquet", [bytes(8 << 20)], compression="zstd", use_dictionary=False)
    assert (tmp_path / "a.parquet").stat().st_size < 10_000
    with pytest.raises(DataError, match=r"image declares 8,388,\d+ bytes in \d+; no data compresses that well"):
        Media(stored, "image", unreachable).content(0)


def test_threads_read_the_same_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "_KEPT", 4000)
    monkeypatch.setattr(windows, "_SPAN", 0)
    cells = noise(300, 100)
    media = Media(rows_in(tmp_path / "a.parquet", cells, row_group_size=16), "image", unreachable)
    order = [random.Random(1).randrange(300) for _ in range(2000)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(media.content, order)) == [cells[row] for row in order]


@pytest.mark.parametrize("left", [0, 3, 400, -1])
def test_a_file_that_is_cut_off_is_named(tmp_path: Path, left: int) -> None:
    rows_in(tmp_path / "a.parquet", noise(30, 100))
    (tmp_path / "a.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:left])
    with pytest.raises(DataError, match=r"can't read .*a\.parquet: .*; expected an undamaged file"):
        ParquetRows([LocalBlob(tmp_path / "a.parquet")])


def test_a_page_that_is_damaged_is_named(tmp_path: Path) -> None:
    stored = rows_in(tmp_path / "a.parquet", noise(30, 100), use_dictionary=False, write_page_checksum=True)
    data = bytearray((tmp_path / "a.parquet").read_bytes())
    data[4:40] = b"\xff" * 36
    (tmp_path / "a.parquet").write_bytes(data)
    stored = ParquetRows([LocalBlob(tmp_path / "a.parquet")])
    with pytest.raises(DataError, match=r"can't read .*a\.parquet"):
        Media(stored, "image", unreachable).content(0)


def test_a_file_that_changes_under_its_reader_is_an_error(tmp_path: Path) -> None:
    media = Media(rows_in(tmp_path / "a.parquet", noise(30, 100), row_group_size=10), "image", unreachable)
    media.content(0)
    rows_in(tmp_path / "a.parquet", noise(31, 100), row_group_size=10)
    with pytest.raises(DataError, match="changed while it was being read"):
        media.content(15)


def test_empty_row_groups_are_passed_over(tmp_path: Path) -> None:
    schema = pyarrow.schema([("image", pyarrow.binary())])
    with parquet.ParquetWriter(tmp_path / "a.parquet", schema) as file:
        for cells in ([], [b"a"], [], [b"b", b"c"], []):
            file.write_table(pyarrow.table({"image": pyarrow.array(cells, pyarrow.binary())}))
    media = Media(ParquetRows([LocalBlob(tmp_path / "a.parquet")]), "image", unreachable)
    assert [media.content(row) for row in range(3)] == [b"a", b"b", b"c"]
