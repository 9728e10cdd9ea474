"""Arrow streams on disk: mapped, not copied, and not trusted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow
import pytest

from frostline.stages.datasets.arrow.media import Media
from frostline.stages.datasets.arrow.stream_rows import StreamRows
from frostline.stages.datasets.containers.blob import LocalBlob
from frostline.stages.errors import DataError
from support.row_files import write_stream

CELLS = [b"one", None, b"", b"four" * 5000]


def stream(folder: Path, cells: Any = None, **options: Any) -> StreamRows:
    write_stream(folder / "a.arrow", pyarrow.table({"image": cells or CELLS}), 3, **options)
    return StreamRows([LocalBlob(folder / "a.arrow")])


def test_batches_are_found_and_read(tmp_path: Path) -> None:
    stored = stream(tmp_path)
    assert stored.chunks.rows == 4 and len(stored.chunks) == 2
    media = Media(stored, "image", lambda path: path.encode())
    assert [media.read(row)[0] for row in (3, 0, 2, 1)] == [CELLS[3], CELLS[0], CELLS[2], None]


def test_bytes_are_not_copied(tmp_path: Path) -> None:
    stored = stream(tmp_path, [b"x" * (1 << 20)] * 8)
    before = pyarrow.total_allocated_bytes()
    held = [array for chunk in range(len(stored.chunks)) for array in stored.windows(chunk, "image")]
    assert sum(array.nbytes for array in held) > 8 << 20
    assert pyarrow.total_allocated_bytes() - before < 1 << 16


def test_compressed_batches_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="its batches are compressed"):
        stream(tmp_path, compression="zstd")


@pytest.mark.parametrize("cut", [1, 8, 100, 10_000])
def test_a_file_that_is_cut_off_is_an_error(tmp_path: Path, cut: int) -> None:
    stream(tmp_path)
    data = (tmp_path / "a.arrow").read_bytes()
    (tmp_path / "a.arrow").write_bytes(data[:-cut])
    with pytest.raises(DataError, match=r"a\.arrow"):
        StreamRows([LocalBlob(tmp_path / "a.arrow")])


def test_offsets_beyond_the_file_are_an_error(tmp_path: Path) -> None:
    stream(tmp_path, [b"abcd", b"efgh"])
    data = (tmp_path / "a.arrow").read_bytes()
    offsets = b"".join(n.to_bytes(4, "little") for n in (0, 4, 8))
    assert data.count(offsets) == 1
    lying = b"".join(n.to_bytes(4, "little") for n in (0, 1 << 30, 8))
    (tmp_path / "a.arrow").write_bytes(data.replace(offsets, lying))
    stored = StreamRows([LocalBlob(tmp_path / "a.arrow")])
    with pytest.raises(DataError, match=r"can't read .*a\.arrow"):
        Media(stored, "image", lambda path: path.encode()).content(0)


def test_a_file_that_changes_under_its_reader_is_an_error(tmp_path: Path) -> None:
    media = Media(stream(tmp_path), "image", lambda path: path.encode())
    media.content(0)
    (tmp_path / "b.arrow").write_bytes((tmp_path / "a.arrow").read_bytes())
    (tmp_path / "b.arrow").replace(tmp_path / "a.arrow")
    with pytest.raises(DataError, match="changed while it was being read"):
        media.content(3)


def test_damaged_bytes_are_errors_and_never_end_the_process(tmp_path: Path) -> None:
    stream(tmp_path)
    code = f"""
import random
import subprocess
import sys
from pathlib import Path
from frostline.stages.datasets.arrow.media import Media
from frostline.stages.datasets.arrow.stream_rows import StreamRows
from frostline.stages.datasets.containers.blob import LocalBlob
from frostline.stages.errors import DataError
file, draw, failed = Path({str(tmp_path / "a.arrow")!r}), random.Random(0), 0
good = file.read_bytes()
for _ in range(600):
    data = bytearray(good)
    for _ in range(draw.choice((1, 2, 8))):
        data[draw.randrange(1200)] = draw.randrange(256)
    file.write_bytes(data)
    try:
        stored = StreamRows([LocalBlob(file)])
        media = Media(stored, "image", str.encode) if "image" in stored.schema.names else None
        for row in range(stored.chunks.rows if media else 0):
            media.read(row)
    except DataError:
        failed += 1
assert failed > 100, failed
"""
    subprocess.run([sys.executable, "-c", code], check=True)
