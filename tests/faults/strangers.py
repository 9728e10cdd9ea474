"""What strangers send, and a process in which it can do no harm."""

from __future__ import annotations

import io
import json
import os
import pickle
import resource
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from faults.children import Child
from frostline.stages.errors import FrostlineError


class Trap:
    """An object whose unpickling runs a command."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (self.command,)


def bounded(read: Callable[[], object], wanted: type[FrostlineError], room: int = 1 << 30) -> str:
    """Return what the error wanted says, raised in a process that may take no more than ``room`` bytes."""

    def go(tell: Callable[[str], object]) -> int:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + room, used + room))
        resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
        try:
            read()
        except wanted as error:
            tell(str(error).partition("\n")[0])
            return 0
        return 1

    child = Child(go)
    assert child.wait() == 0
    assert child.told[0]
    return child.told[0]


def old_pickle(content: object) -> bytes:
    return pickle.dumps(content)


def in_zip(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def in_legacy_format(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=False)
    return buffer.getvalue()


def compressed(tensors: dict[str, torch.Tensor]) -> bytes:
    """Return a checkpoint whose entries are deflated: small on disk, as large as one likes in memory."""
    source, target = zipfile.ZipFile(io.BytesIO(in_zip(tensors))), io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        for name in source.namelist():
            file.writestr(name, source.read(name))
    return target.getvalue()


def lying(header: object, data: bytes = b"", size: int | None = None) -> bytes:
    """Return a safetensors file whose header says what it likes."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + data


def entry(dtype: str, shape: list[int], start: int, end: int) -> dict[str, object]:
    return {"w": {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}}


LIES = {
    "a header longer than the file": lying({}, size=10**6),
    "a header of 2^63 bytes": lying({}, size=2**63),
    "offsets beyond the end": lying(entry("F32", [4], 0, 16), b"1234"),
    "an offset that overflows": lying(entry("F32", [2**62], 0, 2**64 - 1)),
    "a shape larger than its bytes": lying(entry("F32", [2**40], 0, 4), b"1234"),
    "a shape that overflows": lying(entry("F32", [2**33, 2**33], 0, 4), b"1234"),
    "negative offsets": lying(entry("F32", [1], -4, 0), b"1234"),
    "an unknown type": lying(entry("X9", [1], 0, 4), b"1234"),
    "a list for a header": lying([1]),
    "deep nesting": lying(b"[" * 100_000),
    "no tensors": lying({}),
    "an empty file": b"",
}


def pickled_array(content: object) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([content], object), allow_pickle=True)
    return buffer.getvalue()
