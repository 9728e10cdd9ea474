"""Parquet files by row groups, and those by windows of rows: what is in memory at once does not depend on their sizes.

A window is decoded at about ``_WINDOW`` bytes, by what the footer says of the row group's mean. Where values repeat, in
a dictionary, the footer counts each once, and a row group can hold many times what it says. A window has then so few
rows that they fit into ``_WIDEST``, if each is as large as the whole dictionary, whose size is in the head of its page
and is what is decoded. A page of its own has at most 2 GiB, which is in its head, too.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any

from frostline.stages.datasets.arrow.blob_file import opened
from frostline.stages.datasets.arrow.chunks import Chunk, Chunks, blamed, check_unchanged, differences, twice
from frostline.stages.datasets.containers.blob import Blob
from frostline.stages.errors import DataError

_WINDOW = 2 << 20
_WIDEST = 256 << 20
_RATIO = 1000  # of decompressed bytes to those in the file, where they are many
_MOST_ROWS = 65_536
_PIECE = 1 << 20  # bytes read at once; without it pyarrow reads all of a row group's column
_AT_ONCE = 64 << 20
_OPEN = 8
_HEAD = 24
_PLAUSIBLE = 64  # rows for each byte of a file: more are no samples
_DICTIONARY = 2  # a page's type


class ParquetRows:
    """The rows of Parquet files, see ``chunks.Stored``. Not for several threads at once."""

    def __init__(self, blobs: Sequence[Blob]) -> None:
        """Read the footers. Raises ConfigError if pyarrow is not installed, DataError for what is no sound Parquet."""
        self.blobs, self.chunks = blobs, Chunks()
        self._opened: OrderedDict[int, Any] = OrderedDict()
        self.differing: dict[str, str] = {}
        for number, blob in enumerate(blobs):
            schema = self._file(number).schema_arrow
            if not number:
                self.schema: Any = schema
                self.differing |= twice(blob, schema)
            self.differing |= differences(blob, schema, blobs[0], self.schema)
            self._add(number, self._file(number).metadata)

    def _add(self, number: int, about: Any) -> None:
        blob = self.blobs[number]
        if about.num_rows > max(_MOST_ROWS, _PLAUSIBLE * blob.size):
            raise DataError(
                f"{blob.name} says that it holds {about.num_rows:,} rows in {blob.size:,} bytes; no data compresses "
                "that well, so it is not read"
            )
        counts = [about.row_group(group).num_rows for group in range(about.num_row_groups)]
        if min(counts, default=0) < 0 or sum(counts) != about.num_rows:
            raise DataError(
                f"can't read {blob.name}: its row groups don't hold its {about.num_rows:,} rows; copy it again"
            )
        for group, rows in enumerate(counts):
            self.chunks.add(number, group, rows)

    def _file(self, number: int) -> Any:
        """Return a file, opened; some stay so."""
        if number not in self._opened:
            self._opened[number] = _open(self.blobs[number])
            while len(self._opened) > _OPEN:
                self._opened.popitem(last=False)
        self._opened.move_to_end(number)
        return self._opened[number]

    def windows(self, chunk: int, column: str, /) -> Iterator[Any]:
        found = self.chunks[chunk]
        blob = self.blobs[found.file]
        check_unchanged(blob)
        file = self._file(found.file)
        with blamed(blob):
            rows = _window(blob, file, found, column)
            how: dict[str, Any] = {"row_groups": [found.place], "columns": [column], "use_threads": False}
            left = found.rows
            for batch in file.iter_batches(rows, **how):
                left -= len(batch)
                yield batch.column(batch.schema.get_field_index(column))
            if left:
                raise ValueError(f"a row group does not have the {found.rows:,} rows that it declares")


def _open(blob: Blob) -> Any:
    """Return a file, to be read a page at a time; of a bucket a row group at once where they are small."""
    where = opened(blob)
    from pyarrow import parquet

    with blamed(blob):
        file = parquet.ParquetFile(where, pre_buffer=False, buffer_size=_PIECE)
        if isinstance(where, str) or _largest(file.metadata) > _AT_ONCE:
            return file
        return parquet.ParquetFile(opened(blob), metadata=file.metadata, pre_buffer=True)


def _largest(about: Any) -> int:
    """Return the bytes of the largest row group."""
    return max((about.row_group(group).total_byte_size for group in range(about.num_row_groups)), default=0)


def _window(blob: Blob, file: Any, chunk: Chunk, column: str) -> int:
    """Return how many rows of a row group are decoded at once."""
    group = file.metadata.row_group(chunk.place)
    chunks = [group.column(number) for number in range(group.num_columns)]
    own = [one for one in chunks if one.path_in_schema.split(".")[0] == column or one.path_in_schema == column]
    whole, held = (sum(getattr(one, f"total_{how}compressed_size") for one in own) for how in ("un", ""))
    if whole > _WIDEST and whole > _RATIO * held:
        raise ValueError(f"{column} declares {whole:,} bytes in {held:,}; no data compresses that well")
    repeated = sum(_dictionary(blob, one) for one in own)
    wanted: int = min(_WINDOW * chunk.rows // max(1, whole), _WIDEST // max(1, repeated), _MOST_ROWS)
    return max(1, min(wanted, chunk.rows))


def _dictionary(blob: Blob, chunk: Any) -> int:
    """Return how many bytes a column's dictionary takes; 0 if it has none."""
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    head = blob.read(start, min(_HEAD, blob.size - start)) if 0 <= start < blob.size else b""
    try:
        kind, at = _field(head, 0)
        size, _ = _field(head, at)
    except ValueError:
        return int(chunk.total_uncompressed_size)
    return size if kind == _DICTIONARY else 0


def _field(head: bytes, at: int) -> tuple[int, int]:
    """Return an int32 of Thrift's compact protocol whose field comes next, and where it ends: of a page's head.

    The first is the page's type, the second its size when decompressed (``PageHeader`` of parquet.thrift).
    """
    if head[at : at + 1] != b"\x15":
        raise ValueError("no int32 in the next field")
    value, shift, at = 0, 0, at + 1
    while at < len(head) and shift < 35:
        value |= (head[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if head[at - 1] < 0x80:
            return (value >> 1) ^ -(value & 1), at
    raise ValueError("a number that does not end")
