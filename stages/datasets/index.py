"""Digests of files. A remembered file whose size and times are unchanged is not read again."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.stages.datasets.memo import GRAIN_NS, load_memo, save_memo
from frostline.stages.datasets.walk import Files
from frostline.stages.errors import UnreadableSample
from frostline.stages.modalities.base import Modality
from frostline.stages.modalities.registry import MODALITIES

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Indexed:
    """Files with their content: ``digests`` uint8 (n, 32), ``problems`` row to reason, ``codecs`` see ``Samples``."""

    paths: Sequence[str]
    digests: NDArray[np.uint8]
    problems: dict[int, str]
    codecs: dict[int, str] = field(default_factory=dict)


def index_files(
    root: Path, files: Files, memory: Path | None, progress: Progress | None = None, modality: str = "image"
) -> Indexed:
    """Return the index of files below a root, see ``index_contents``."""
    kind = MODALITIES.load(modality)

    def content(row: int) -> bytes:
        return kind.trimmed(_read(root / files.paths[row], int(files.facts[row, 0]), kind.max_bytes))

    return index_contents(files, content, memory, progress, modality)


def index_contents(
    files: Files,
    content: Callable[[int], bytes],
    memory: Path | None,
    progress: Progress | None = None,
    modality: str = "image",
    announce: Callable[[Sequence[int]], object] | None = None,
) -> Indexed:
    """Return every file's SHA-256, and what is seen to be wrong with it without decoding it.

    ``content`` returns a row's bytes, or raises UnreadableSample: then its digest is that of the reason. ``memory`` is
    the file that remembers digests between calls, or None. ``progress`` is told (done, total) of the files that are
    read; ``announce`` their rows, before the first.
    """
    started = time.time_ns()
    kind = MODALITIES.load(modality)
    known, index = _recall(memory, files, kind.readers())
    lasting = files.facts[:, 1:].max(axis=1, initial=0) < started - GRAIN_NS
    unknown = np.flatnonzero(~known).tolist()
    done = known.copy()
    if announce:
        announce(unknown)
    try:
        for count, row in enumerate(unknown, 1):
            seen = examine(partial(content, row), kind)
            index.digests[row] = np.frombuffer(seen.digest, np.uint8)
            done[row], lasting[row] = True, lasting[row] & seen.was_read
            seen.tell(row, index.problems, index.codecs)
            if progress:
                progress(count, len(unknown))
    finally:  # what was read is kept when the next can't be
        if memory and (lasting & done)[unknown].any():
            _remember(memory, index, files.facts, np.flatnonzero(lasting & done), kind.readers())
    return index


@dataclass(frozen=True)
class Examined:
    """What is seen of a sample's bytes. ``digest``: their SHA-256, or that of ``fault`` where they can't be read."""

    digest: bytes
    fault: str | None
    was_read: bool
    codec: str | None

    def tell(self, row: int, problems: dict[int, str], codecs: dict[int, str]) -> None:
        """Note down what is to be said of it."""
        if self.fault:
            problems[row] = self.fault
        elif self.codec:
            codecs[row] = self.codec


def examine(content: Callable[[], bytes], modality: Modality[Any]) -> Examined:
    """Return what is seen of bytes without decoding them. ``content`` raises UnreadableSample: why there are none."""
    try:
        data = content()
    except UnreadableSample as error:
        return Examined(hashlib.sha256(str(error).encode()).digest(), str(error), False, None)
    return Examined(hashlib.sha256(data).digest(), modality.find_fault(data), True, modality.codec(data))


def check_size(size: int, most: int | None) -> None:
    """Raise UnreadableSample for a sample of more bytes than its modality reads."""
    if most is not None and size > most:
        raise UnreadableSample(
            f"too large ({size:,} bytes; at most {most:,} are supported): split it into smaller files"
        )


def _read(path: Path, size: int, most: int | None) -> bytes:
    if size < 0:
        raise UnreadableSample("a broken link" if path.is_symlink() and not path.exists() else "not a regular file")
    check_size(size, most)
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableSample(f"can't be read ({error.strerror})") from error


def _recall(memory: Path | None, files: Files, decoder: str) -> tuple[NDArray[np.bool_], Indexed]:
    """Return which files are known, bool (n,), and the index with the rows of those filled in."""
    index = Indexed(files.paths, np.zeros((len(files), 32), np.uint8), {})
    known = np.zeros(len(files), bool)
    remembered = load_memo(memory, decoder) if memory else None
    if remembered is None:
        return known, index
    facts, arrays = remembered
    place = dict(zip(facts["paths"], range(len(facts["paths"])), strict=True))
    at = np.fromiter(map(place.get, files.paths, repeat(-1)), np.int64, len(files))
    known[at >= 0] = (arrays["stats"][at[at >= 0]] == files.facts[at >= 0]).all(axis=1)
    index.digests[known] = arrays["digests"][at[known]]
    for words, remembered_words in ((index.problems, facts["problems"]), (index.codecs, facts["codecs"])):
        said = {int(i): word for i, word in remembered_words.items()}
        rows = np.flatnonzero(known & np.isin(at, list(said))).tolist()
        words.update({row: said[int(at[row])] for row in rows})
    return known, index


def _remember(memory: Path, index: Indexed, stats: NDArray[np.int64], rows: NDArray[np.int64], decoder: str) -> None:
    facts = {
        "paths": [index.paths[row] for row in rows.tolist()],
        "problems": {i: index.problems[row] for i, row in enumerate(rows.tolist()) if row in index.problems},
        "codecs": {i: index.codecs[row] for i, row in enumerate(rows.tolist()) if row in index.codecs},
    }
    save_memo(memory, decoder, facts, {"stats": stats[rows], "digests": index.digests[rows]})
