"""A memory of file digests: a file whose size and times are unchanged is not read again."""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.datasets.images import EXTENSIONS, check_header, decoder
from stages.errors import DataError

Progress = Callable[[int, int], None]
# A file changed within the clock's grain of being hashed can keep its times: hash it again.
_GRAIN_NS = 2_000_000_000


@dataclass(frozen=True)
class Found:
    """One file of a tree: its path below the root, size, mtime and ctime (ns), and kind."""

    path: str
    size: int
    mtime: int
    ctime: int
    regular: bool

    @staticmethod
    def of(path: str, info: os.stat_result) -> Found:
        return Found(path, info.st_size, info.st_mtime_ns, info.st_ctime_ns, stat.S_ISREG(info.st_mode))


@dataclass(frozen=True)
class Indexed:
    """Files with their content: ``digests`` uint8 (n, 32), ``problems`` row to reason."""

    paths: Sequence[str]
    digests: NDArray[np.uint8]
    problems: dict[int, str]


def walk(root: Path, below: str = "") -> tuple[list[Found], list[str]]:
    """Return the image files under ``root/below``, sorted by path, and the other files' paths.

    Links are followed, each folder entered once; names that begin with a dot are passed over.
    """
    images: list[Found] = []
    others: list[str] = []
    seen: set[tuple[int, int]] = set()
    for path, info in _entries(root, below, seen):
        if Path(path).suffix.lower() not in EXTENSIONS:
            others.append(path)
        else:
            images.append(Found.of(path, info))
    return sorted(images, key=lambda f: f.path), sorted(others)


def _entries(root: Path, below: str, seen: set[tuple[int, int]]) -> Iterator[tuple[str, os.stat_result]]:
    folder = root / below
    try:
        here = folder.stat()
        entries = list(os.scandir(folder))
    except OSError as error:
        raise DataError(f"can't read the folder {folder}: {error.strerror}") from error
    if (here.st_dev, here.st_ino) in seen:
        return
    seen.add((here.st_dev, here.st_ino))
    for entry in entries:
        if entry.name.startswith("."):
            continue
        path = f"{below}/{entry.name}" if below else entry.name
        try:
            info = entry.stat()
        except OSError:  # a dangling link: kept, so that it is reported
            info = entry.stat(follow_symlinks=False)
        if stat.S_ISDIR(info.st_mode):
            yield from _entries(root, path, seen)
        else:
            yield path, info


def index_files(root: Path, files: Sequence[Found], memory: Path | None, progress: Progress | None = None) -> Indexed:
    """Return every file's SHA-256 and what its header already shows to be wrong with it.

    ``memory`` is the file that remembers digests between calls, or None. A file that can't
    be read has the digest of its reason.
    """
    started = time.time_ns()
    known = _load(memory) if memory else {}
    rows: list[tuple[bytes, str]] = []
    for i, file in enumerate(files):
        rows.append(known.get(file) or _examine(root / file.path, file))
        if progress:
            progress(i + 1, len(files))
    fresh = any(file not in known for file in files)
    if memory and fresh:
        settled = [(f, r) for f, r in zip(files, rows, strict=True) if max(f.mtime, f.ctime) < started - _GRAIN_NS]
        _save(memory, settled)
    digests = np.frombuffer(b"".join(d for d, _ in rows), np.uint8).reshape(-1, 32)
    return Indexed([f.path for f in files], digests, {i: p for i, (_, p) in enumerate(rows) if p})


def read_file(path: Path) -> bytes:
    """Return a file's bytes. Raises DataError if the system can't read it."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"can't be read: {error.strerror}") from error


def _examine(path: Path, file: Found) -> tuple[bytes, str]:
    problem: str | None
    if not file.regular:
        problem = "a dangling link" if path.is_symlink() and not path.exists() else "not a regular file"
        return hashlib.sha256(problem.encode()).digest(), problem
    try:
        data = read_file(path)
    except DataError as error:
        return hashlib.sha256(str(error).encode()).digest(), str(error)
    problem = check_header(data)
    return hashlib.sha256(data).digest(), problem or ""


def _save(memory: Path, rows: Iterable[tuple[Found, tuple[bytes, str]]]) -> None:
    """Write the memory, replacing the file at once; it is only a memory, so no fsync."""
    kept = list(rows)
    names = "\0".join(f.path for f, _ in kept).encode(errors="surrogateescape")
    problems = {str(i): p for i, (_, (_, p)) in enumerate(kept) if p}
    buffer = io.BytesIO()
    np.savez(
        buffer,
        names=np.frombuffer(names, np.uint8),
        stats=np.array([(f.size, f.mtime, f.ctime) for f, _ in kept], np.int64).reshape(-1, 3),
        digests=np.frombuffer(b"".join(d for _, (d, _) in kept), np.uint8),
        about=np.frombuffer(json.dumps({"decoder": decoder(), "problems": problems}).encode(), np.uint8),
    )
    memory.parent.mkdir(parents=True, exist_ok=True)
    temporary = memory.with_name(f"{memory.name}.{os.getpid()}.tmp")
    temporary.write_bytes(buffer.getvalue())
    temporary.replace(memory)


def _load(memory: Path) -> dict[Found, tuple[bytes, str]]:
    """Return what is remembered; a missing, damaged or older memory is an empty one."""
    try:
        with np.load(memory, allow_pickle=False) as stored:
            about = json.loads(stored["about"].tobytes())
            names = stored["names"].tobytes().decode(errors="surrogateescape").split("\0")
            stats, digests = stored["stats"].tolist(), stored["digests"].tobytes()
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return {}
    if about["decoder"] != decoder():
        return {}
    problems = about["problems"]
    return {
        Found(name, *row, True): (digests[32 * i : 32 * i + 32], problems.get(str(i), ""))
        for i, (name, row) in enumerate(zip(names, stats, strict=False))
    }
