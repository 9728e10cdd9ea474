"""One pass over each container, remembered: one that is unchanged is not read again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from frostline.stages.datasets.containers.blob import Blob
from frostline.stages.datasets.containers.members import Members, Part, arrays_of, facts_of, join, part_of
from frostline.stages.datasets.index import Progress
from frostline.stages.datasets.memo import GRAIN_NS, load_memo, save_memo
from frostline.stages.errors import DataError
from frostline.stages.modalities.registry import MODALITIES
from frostline.stages.records.sealed import digest

Scan = Callable[[Blob], Part]
"""Reads a container once and returns its samples. It raises DataError that lists all that is wrong with it."""


def index_containers(
    blobs: Sequence[Blob], scan: Scan, version: str, memory: Path | None, progress: Progress | None = None
) -> Members:
    """Return the samples in containers.

    Each container has a memory of its own next to ``memory``, so that what was read is kept when the next one can't be.
    ``version``: of what ``scan`` finds; a memory of another one is not used. ``progress`` is told (done, total) of
    the containers. Raises DataError: none holds a sample, or they hold samples of several modalities.
    """
    parts = []
    for done, blob in enumerate(blobs, 1):
        then = blobs[done] if done < len(blobs) else None
        parts.append(_part(blob, scan, version, memory and memory_of(memory, blob), then))
        if progress:
            progress(done, len(blobs))
    return join(blobs, _of_one_modality(blobs, parts))


def memory_of(memory: Path, blob: Blob) -> Path:
    """Return the file that remembers one container of a dataset."""
    return memory.with_name(f"{memory.stem}-{digest(blob.name)[:16]}{memory.suffix}")


def _part(blob: Blob, scan: Scan, version: str, memory: Path | None, then: Blob | None) -> Part:
    """Return a container's samples. ``then``: the one that is likely to be read next if this one is."""
    stamp = f"{version} {blob.stamp} {blob.name}"
    known = load_memo(memory, stamp) if memory else None
    with suppress(KeyError):  # remembered by another version of ours
        if known and known[0]["readers"] == MODALITIES.load(known[0]["modality"]).readers():
            return part_of(known[1], known[0])
    started = time.time_ns()
    if then:
        then.expect(0)
    part = scan(blob)
    if memory and not part.is_choice and blob.changed_ns < started - GRAIN_NS:
        readers = MODALITIES.load(part.modality).readers()
        save_memo(memory, stamp, {**facts_of(part), "readers": readers}, arrays_of(part))
    return part


def _of_one_modality(blobs: Sequence[Blob], parts: Sequence[Part]) -> Sequence[Part]:
    """Return the parts with empty ones told the modality of the others. Raises DataError."""
    found = {part.modality: blob.name for blob, part in zip(blobs, parts, strict=True) if len(part)}
    if not found:
        said = "".join(f"\n  {note}" for note in dict.fromkeys(note for part in parts for note in part.notes))
        places = f"{', '.join(blob.name for blob in blobs[:3])}{' …' if len(blobs) > 3 else ''}"
        raise DataError(f"no sample in {places}{said}")
    if len(found) > 1:
        said = " and ".join(f"{MODALITIES.load(name).noun}s in {where}" for name, where in found.items())
        raise DataError(f"several kinds of samples: {said}; expected one kind: name only those files")
    return [replace(part, modality=modality) for modality in found for part in parts]
