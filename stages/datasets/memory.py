"""A file that remembers arrays and facts between calls, as long as its stamp is the wanted one."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# A file that changes within its clock's grain of being read can keep its times.
GRAIN_NS = 2_000_000_000

Arrays = Mapping[str, NDArray[Any]]


def remember(memory: Path, stamp: str, facts: Mapping[str, Any], arrays: Arrays) -> None:
    """Replace the memory. It is only a memory: no fsync, and no error where it can't be written."""
    about = json.dumps({"stamp": stamp, "facts": facts}).encode()
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, about=np.frombuffer(about, np.uint8), **arrays)
    temporary = memory.with_name(f"{memory.name}.{os.getpid()}.tmp")
    with suppress(OSError):
        memory.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(buffer.getbuffer())
            temporary.replace(memory)
        except OSError:
            temporary.unlink(missing_ok=True)


def recall(memory: Path, stamp: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]] | None:
    """Return (facts, arrays), or None if the memory is missing, damaged or of another stamp."""
    try:
        with memory.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            about = json.loads(stored["about"].tobytes())
            if about["stamp"] != stamp:
                return None
            return about["facts"], {name: stored[name] for name in stored.files if name != "about"}
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None
