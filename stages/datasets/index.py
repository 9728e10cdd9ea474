"""Digests of files. A remembered file whose size and times are unchanged is not read again."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.datasets.images import decoder, find_fault
from stages.datasets.memory import GRAIN_NS, recall, remember
from stages.datasets.tree import File
from stages.errors import UnreadableImage

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Indexed:
    """Files with their content: ``digests`` uint8 (n, 32), ``problems`` row to reason."""

    paths: Sequence[str]
    digests: NDArray[np.uint8]
    problems: dict[int, str]


def index_files(root: Path, files: Sequence[File], memory: Path | None, progress: Progress | None = None) -> Indexed:
    """Return every file's SHA-256, and what is seen to be wrong with it without decoding it.

    ``memory`` is the file that remembers digests between calls, or None. ``progress`` is
    told (done, total) of the files that are read. A file that can't be read has the digest
    of the reason.
    """
    started = time.time_ns()
    stats = np.array([file[1:] for file in files], np.int64).reshape(-1, 3)
    known, index = _recall(memory, [file.path for file in files], stats)
    lasting = stats[:, 1:].max(axis=1, initial=0) < started - GRAIN_NS
    unknown = np.flatnonzero(~known).tolist()
    for done, row in enumerate(unknown, 1):
        content, fault, was_read = _examine(root, files[row])
        index.digests[row] = np.frombuffer(content, np.uint8)
        lasting[row] &= was_read
        if fault:
            index.problems[row] = fault
        if progress:
            progress(done, len(unknown))
    if memory and lasting[unknown].any():
        _remember(memory, index, stats, np.flatnonzero(lasting))
    return index


def _examine(root: Path, file: File) -> tuple[bytes, str | None, bool]:
    """Return (digest, what is wrong with the file, whether it could be read)."""
    try:
        data = _read(root, file)
    except UnreadableImage as error:
        return hashlib.sha256(str(error).encode()).digest(), str(error), False
    return hashlib.sha256(data).digest(), find_fault(data), True


def _read(root: Path, file: File) -> bytes:
    path = root / file.path
    if file.size < 0:
        raise UnreadableImage("a link to nothing" if path.is_symlink() and not path.exists() else "not a regular file")
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableImage(f"can't be read ({error.strerror})") from error


def _recall(memory: Path | None, paths: list[str], stats: NDArray[np.int64]) -> tuple[NDArray[np.bool_], Indexed]:
    """Return which files are known, bool (n,), and the index with the rows of those filled in."""
    index = Indexed(paths, np.zeros((len(paths), 32), np.uint8), {})
    known = np.zeros(len(paths), bool)
    remembered = recall(memory, decoder()) if memory else None
    if remembered is None:
        return known, index
    facts, arrays = remembered
    place = {path: i for i, path in enumerate(facts["paths"])}
    at = np.array([place.get(path, -1) for path in paths], np.int64)
    known[at >= 0] = (arrays["stats"][at[at >= 0]] == stats[at >= 0]).all(axis=1)
    index.digests[known] = arrays["digests"][at[known]]
    row_of = dict(zip(at[known].tolist(), np.flatnonzero(known).tolist(), strict=True))
    index.problems.update({row_of[int(i)]: fault for i, fault in facts["problems"].items() if int(i) in row_of})
    return known, index


def _remember(memory: Path, index: Indexed, stats: NDArray[np.int64], rows: NDArray[np.int64]) -> None:
    facts = {
        "paths": [index.paths[row] for row in rows.tolist()],
        "problems": {i: index.problems[row] for i, row in enumerate(rows.tolist()) if row in index.problems},
    }
    remember(memory, decoder(), facts, {"stats": stats[rows], "digests": index.digests[rows]})
