"""A file that remembers arrays and facts between calls, as long as its stamp is the wanted one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from frostline.stages.buckets.mirror import sent
from frostline.stages.errors import DataError, StoreError
from frostline.stages.records.safe_read import read_file
from frostline.stages.replaced import replace_file

# A file that changes within its clock's grain of being read can keep its times.
GRAIN_NS = 2_000_000_000

Arrays = Mapping[str, NDArray[Any]]


def save_memo(memory: Path, stamp: str, facts: Mapping[str, Any], arrays: Arrays) -> None:
    """Replace the memory, in its bucket too. It is only a memory: no fsync, and no error where it can't be written."""
    about = json.dumps({"stamp": stamp, "facts": facts}).encode()
    content = save({"about": np.frombuffer(about, np.uint8), **arrays})
    data = hashlib.sha256(content).digest() + content
    with suppress(OSError, DataError, StoreError), sent(memory, data):
        replace_file(memory, data)


def load_memo(memory: Path, stamp: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]] | None:
    """Return (facts, arrays), or None if the memory is missing, damaged or of another stamp."""
    try:
        arrays = _arrays(memory)
        about = json.loads(arrays.pop("about").tobytes())
    except (OSError, ValueError, KeyError, SafetensorError):
        return None
    return (about["facts"], arrays) if about["stamp"] == stamp else None


def is_sound(memory: Path) -> bool:
    """Whether a memory is, byte for byte, what was remembered."""
    try:
        return bool(_arrays(memory))
    except (OSError, ValueError, SafetensorError):
        return False


def _arrays(memory: Path) -> dict[str, NDArray[Any]]:
    """Return what lies behind the SHA-256 that begins the file. Raises ValueError if that is of something else."""
    data = read_file(memory)
    if hashlib.sha256(data[32:]).digest() != data[:32]:
        raise ValueError(f"{memory} is damaged")
    arrays: dict[str, NDArray[Any]] = load(data[32:])
    return arrays
