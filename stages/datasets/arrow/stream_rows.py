"""Arrow streams on disk, as ``datasets`` caches and saves them, by record batches that are mapped into memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from frostline.stages.datasets.arrow.blob_file import opened
from frostline.stages.datasets.arrow.chunks import Chunks, blamed, check_unchanged, differences, twice
from frostline.stages.datasets.containers.blob import Blob
from frostline.stages.errors import DataError

_END = b"\xff\xff\xff\xff\0\0\0\0"


class StreamRows:
    """The rows of files in Arrow's IPC streaming format, see ``chunks.Stored``. Their bytes are not copied.

    A file that is cut while it is mapped kills its reader, as it does for everyone; it is looked at before each batch.
    """

    def __init__(self, blobs: Sequence[Blob]) -> None:
        """Find the batches. Raises ConfigError if pyarrow is not installed, DataError for what is no sound stream."""
        self.blobs, self.chunks = blobs, Chunks()
        self.differing: dict[str, str] = {}
        self._mapped: list[Any] = []
        for number, blob in enumerate(blobs):
            mapped = _mapped(blob)
            with blamed(blob):
                schema = self._scan(number, mapped)
            if not number:
                self.schema: Any = schema
                self.differing |= twice(blob, schema)
            self.differing |= differences(blob, schema, blobs[0], self.schema)
            self._mapped.append(mapped)

    def _scan(self, number: int, mapped: Any) -> Any:
        """Note down where a file's batches begin; return its schema."""
        from pyarrow import BufferReader, ipc

        stream, name = BufferReader(mapped), self.blobs[number].name
        schema = ipc.read_schema(stream)
        at = stream.tell()
        while mapped[at : at + len(_END)].to_pybytes() != _END:
            if at >= mapped.size:
                raise DataError(f"{name} is truncated: its end marker is missing; copy or save it again")
            message = ipc.read_message(stream)
            if message.type != "record batch":
                raise DataError(f"{name} holds a {message.type}; expected record batches, as saved by `datasets`")
            self.chunks.add(number, at, _batch(message, schema).num_rows)
            at = stream.tell()
        return schema

    def windows(self, chunk: int, column: str, /) -> Iterator[Any]:
        from pyarrow import BufferReader, ipc

        found = self.chunks[chunk]
        check_unchanged(self.blobs[found.file])
        with blamed(self.blobs[found.file]):
            message = ipc.read_message(BufferReader(self._mapped[found.file][found.place :]))
            array = _batch(message, self.schema).column(self.schema.get_field_index(column))
            _check(array)
            yield array


def _mapped(blob: Blob) -> Any:
    """Return a file's bytes, mapped. Raises DataError for what is no file on disk."""
    where = opened(blob)
    if not isinstance(where, str):
        raise DataError(f"{blob.name} can't be mapped into memory; download the folder")
    import pyarrow

    with blamed(blob), pyarrow.memory_map(where) as file:
        return file.read_buffer()


def _batch(message: Any, schema: Any) -> Any:
    """Return a message's batch, of the message's own bytes. Raises ValueError where they are compressed."""
    from pyarrow import ipc

    batch, body = ipc.read_record_batch(message, schema), message.body
    batch.validate()  # a length that lies ends the process where it is first used
    for array in batch.columns:
        for buffer in filter(None, array.buffers()):
            if buffer.size and not body.address <= buffer.address <= body.address + body.size - buffer.size:
                raise ValueError(
                    "its batches are compressed, so they can't be memory-mapped; save it without compression"
                )
    return batch


def _check(array: Any) -> None:
    """Raise ArrowInvalid where an array says that it lies beyond its bytes. A text need not be UTF-8."""
    import pyarrow
    from pyarrow import types

    if types.is_struct(array.type):
        for number in range(array.type.num_fields):
            _check(array.field(number))
    elif types.is_string(array.type) or types.is_large_string(array.type):
        array.cast(pyarrow.binary() if types.is_string(array.type) else pyarrow.large_binary()).validate(full=True)
    else:
        array.validate(full=True)
