"""A skops file may be a stranger's: what could take more memory than it is large is refused before it is loaded."""

from __future__ import annotations

import io
import json
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

_ARCHIVE = b"PK\x03\x04"


def check_archive(data: bytes) -> None:
    """Raise ValueError if loading a skops file could take more memory than the file is large.

    A broken file raises what ``zipfile`` and ``json`` raise of it.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise ValueError("its entries are compressed, and could unpack to any size")
        if sum(max(entry.file_size, entry.compress_size) for entry in entries) > len(data):
            raise ValueError("its entries are declared larger than the file, or overlap")
        if any(_starts(archive, entry) == _ARCHIVE for entry in entries):
            raise ValueError("an entry is itself an archive, and could unpack to any size")
        _check_schema(json.loads(archive.read("schema.json")))


def _starts(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    with archive.open(entry) as file:
        return file.read(len(_ARCHIVE))


def _check_schema(schema: Any) -> None:
    """Raise ValueError if several objects are made of one entry, or an array of objects, which may be shared."""
    readers: dict[str, set[str]] = defaultdict(set)
    for i, node in enumerate(_nodes(schema)):
        if "file" in node:
            readers[str(node["file"])].add(repr(node.get("__id__", f"node {i}")))
        if node.get("__loader__") == "NdArrayNode" and node.get("type") != "numpy":
            raise ValueError("an array of objects, which could expand to any size")
    if any(len(objects) > 1 for objects in readers.values()):
        raise ValueError("several objects are read from one entry, and could together take any size")


def _nodes(schema: Any) -> Iterator[dict[str, Any]]:
    waiting = [schema]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
