"""``vectors:FILE``: embeddings that other tools made, with what is to be predicted of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from frostline.stages.buckets.address import path_of
from frostline.stages.datasets.memo import GRAIN_NS, load_memo, save_memo
from frostline.stages.datasets.samples import Dataset, Samples
from frostline.stages.datasets.sources.base import Request, Source, check_on_disk
from frostline.stages.datasets.sources.labelled import Rows, open_labelled
from frostline.stages.datasets.sources.two_tables import train_and_test
from frostline.stages.datasets.sources.vector_table import Described, described
from frostline.stages.errors import DataError
from frostline.stages.modalities.vector.rows import Rows as VectorRows
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
    places = [request.path, *([] if request.test is None else [path_of(request.test)])]
    opened = [open_vectors(place, request.columns.get("features")) for place in places]
    found = [described(one, request) for one in opened]
    tables = [one.table for one in found]
    table = tables[0] if request.test is None else train_and_test(request, *tables)
    notes = dict.fromkeys(filter(None, (*table.notes, *(kind_note(one.kept[0]) for one in opened))))
    made = partial(_of_rows, opened, _names(found), found[0].request)
    return open_labelled(found[0].request, replace(table, unit="row", notes=tuple(notes)), made)


def _names(found: Sequence[Described]) -> PackedNames:
    """Return what the rows of all files are called; where two files have one name, each begins with its split's."""
    own = [PackedNames.of(one.ids) for one in found]
    both = PackedNames.joined(own)
    if len(own) == 1 or not len(both.repeated()):
        return both
    return PackedNames.of(
        f"{split}/{name}" for split, some in zip(("train", "test"), own, strict=True) for name in some
    )


def vector_samples(request: Request) -> tuple[Samples, tuple[str, ...]]:
    """Return all vectors of a file without labels, and notes; what they are called is in the file, or their number."""
    check_on_disk(request)
    opened = open_vectors(request.path, request.columns.get("features"))
    ids = opened.ids(request.columns.get("path"))
    samples = _samples([opened], ids, unlabelled(len(opened)), request)
    return samples, tuple(filter(None, [kind_note(opened.kept[0])]))


def _of_rows(
    opened: Sequence[VectorFile], ids: PackedNames, request: Request, rows: Rows
) -> tuple[Samples, tuple[str, ...]]:
    nameless = dict.fromkeys(np.flatnonzero(ids.lengths == 0).tolist(), "no id")
    twice = dict.fromkeys(filter(None, ids.take(ids.repeated())))
    rows.check(nameless, more=[f"the id {name} appears more than once" for name in twice])
    return _samples(opened, ids, rows.targets, request), ()


@dataclass(frozen=True, eq=False)
class _Contents:
    digests: NDArray[np.uint8]
    faults: dict[int, str]


def _samples(opened: Sequence[VectorFile], ids: Sequence[str], targets: Targets, request: Request) -> Samples:
    widths = {one.rows().width: one.file for one in opened}
    if len(widths) > 1:
        said = ", ".join(f"{file} {width:,}" for width, file in widths.items())
        raise DataError(f"vectors of several widths: {said}; expected the same in training and test")
    rows = VectorRows([part for one in opened for part in one.kept])
    contents = _contents(opened, rows, request)
    return Samples(
        dataset=opened[0].file.stem,
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


def _contents(opened: Sequence[VectorFile], rows: VectorRows, request: Request) -> _Contents:
    """Return the digest of each row, and what is wrong with rows: as remembered, else by reading them all once."""
    started, memory, facts, latest = time.time_ns(), request.memory, list[object](), 0
    for one in opened:
        info = one.file.stat()
        times = (info.st_mtime_ns, info.st_ctime_ns)
        latest = max(latest, *times)
        facts += [1, str(one.file.absolute()), info.st_size, *times, list(one.parts.values())]
    stamp = digest([*facts, len(rows), rows.width])
    known = load_memo(memory, stamp) if memory else None
    if known:
        return _Contents(known[1]["digests"], {int(row): why for row, why in known[0]["faults"].items()})
    digests, faults = rows.contents(request.progress)
    if memory and latest < started - GRAIN_NS:
        save_memo(memory, stamp, {"faults": faults}, {"digests": digests})
    return _Contents(digests, faults)


VECTORS = Source(
    "vectors:FILE",
    "embeddings made by other tools: .npz, .npy with a .csv next to it, .parquet, .h5",
    open_vector_file,
    settings=("columns", "target", "task", "separator", "group", "group_pattern", "group_file", "stratify", "test"),
    at_hand=True,
    backbone="vectors",
    samples=vector_samples,
)
