"""JSON with a seal, and digests."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frostline.stages.records.packed_names import encoded_names

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_RECENT_NS = 2_000_000_000  # a file may change twice within the grain of its time


def canonical_json(value: Any) -> bytes:
    """Return the one JSON text of a value: sorted names, no spaces, ASCII, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def sealed(fields: Mapping[str, Any], indent: int | None = None) -> bytes:
    """Return a mapping as JSON with a digest of itself, so that a changed byte is seen; canonical unless indented."""
    whole = {**fields, "seal": digest(dict(fields))}
    return canonical_json(whole) if indent is None else json.dumps(whole, indent=indent, sort_keys=True).encode()


def unsealed(data: bytes) -> dict[str, Any]:
    """Return what ``sealed`` was given. Raises ValueError if it is not that any more."""
    try:
        fields = json.loads(data)
        if not isinstance(fields, dict) or fields.pop("seal", None) != digest(fields):
            raise ValueError("its content does not match its checksum")
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return fields


def digest(value: Any) -> str:
    """Return the SHA-256 of a value's canonical JSON, 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def content_digest(ids: Sequence[str], digests: Iterable[NDArray[np.uint8]]) -> str:
    """Return the SHA-256 over samples' ids and the digests of their contents, in order, 64 hexadecimal digits."""
    total = hashlib.sha256()
    for sample, content in zip(encoded_names(ids), digests, strict=True):
        total.update(sample + b"\0" + content.tobytes())
    return total.hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, 64 hexadecimal digits.

    A file that has not changed for some time is read once in a process.
    """
    found = path.stat()
    if max(found.st_mtime_ns, found.st_ctime_ns) > time.time_ns() - _RECENT_NS:
        return _read_digest(path)
    return _digest_once(path, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


@lru_cache(1024)
def _digest_once(path: Path, *_facts: int) -> str:
    return _read_digest(path)


def _read_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
