"""``vectors:FILE``: embeddings that other tools made, with what is to be predicted of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from frostline.stages.datasets.memo import GRAIN_NS, load_memo, save_memo
from frostline.stages.datasets.samples import Dataset, Samples
from frostline.stages.datasets.sources.base import Request, Source, check_on_disk
from frostline.stages.datasets.sources.labelled import Rows, open_labelled
from frostline.stages.datasets.sources.vector_table import Described, described
from frostline.stages.modalities.vector.vector_file import VectorFile, kind_note, open_vectors
from frostline.stages.records.packed_names import PackedNames
from frostline.stages.records.sealed import digest
from frostline.stages.targets.values import Targets, unlabelled


def open_vector_file(request: Request) -> Dataset:
    """Return the dataset of a file of vectors, see ``docs/vectors.md`` for how it is laid out.

    A sample's content is its numbers as float32; those of a file that has not changed are not read again while
    ``memory`` remembers their digests. Raises DataError that lists all that is wrong, before a number is read.
    """
    check_on_disk(request)
    opened = open_vectors(request.path, request.columns.get("features"))
    found = described(opened, request)
    table = replace(found.table, unit="row", notes=tuple(filter(None, (*found.table.notes, kind_note(opened.kept[0])))))
    return open_labelled(found.request, table, partial(_of_rows, opened, found))


def vector_samples(request: Request) -> tuple[Samples, tuple[str, ...]]:
    """Return all vectors of a file without labels, and notes; what they are called is in the file, or their number."""
    check_on_disk(request)
    opened = open_vectors(request.path, request.columns.get("features"))
    ids = opened.ids(request.columns.get("path"))
    samples = _samples(opened, ids, unlabelled(len(opened)), request)
    return samples, tuple(filter(None, [kind_note(opened.kept[0])]))


def _of_rows(opened: VectorFile, found: Described, rows: Rows) -> tuple[Samples, tuple[str, ...]]:
    ids = PackedNames.of(found.ids)
    nameless = dict.fromkeys(np.flatnonzero(ids.lengths == 0).tolist(), "no id")
    twice = dict.fromkeys(filter(None, ids.take(ids.repeated())))
    rows.check(nameless, more=[f"the id {name} is there more than once" for name in twice])
    return _samples(opened, ids, rows.targets, found.request), ()


@dataclass(frozen=True, eq=False)
class _Contents:
    digests: NDArray[np.uint8]
    faults: dict[int, str]


def _samples(opened: VectorFile, ids: Sequence[str], targets: Targets, request: Request) -> Samples:
    rows = opened.rows()
    contents = _contents(opened, request)
    return Samples(
        dataset=opened.file.stem,
        split="all",
        targets=targets,
        ids=ids,
        digests=contents.digests,
        read=rows.row,
        problems=contents.faults,
        encoded=rows.encoded,
        modality="vector",
        options={"width": rows.width},
    )


def _contents(opened: VectorFile, request: Request) -> _Contents:
    """Return the digest of each row, and what is wrong with rows: as remembered, else by reading them all once."""
    started, memory = time.time_ns(), request.memory
    info = opened.file.stat()
    times = (info.st_mtime_ns, info.st_ctime_ns)
    facts: Sequence[object] = [1, str(opened.file.absolute()), info.st_size, *times, list(opened.parts.values())]
    stamp = digest([*facts, len(opened), opened.rows().width])
    known = load_memo(memory, stamp) if memory else None
    if known:
        return _Contents(known[1]["digests"], {int(row): why for row, why in known[0]["faults"].items()})
    digests, faults = opened.rows().contents(request.progress)
    if memory and max(times) < started - GRAIN_NS:
        save_memo(memory, stamp, {"faults": faults}, {"digests": digests})
    return _Contents(digests, faults)


VECTORS = Source(
    "vectors:FILE",
    "embeddings that other tools made: .npz, .npy with a .csv beside it, .parquet, .h5",
    open_vector_file,
    settings=("columns", "target", "task", "separator", "group", "group_pattern", "group_file", "stratify"),
    at_hand=True,
    backbone="vectors",
    samples=vector_samples,
)
