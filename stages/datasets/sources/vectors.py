"""``vectors:FILE``: embeddings that other tools made, with what is to be predicted of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostline.stages.datasets.groups import grouped_by
from frostline.stages.datasets.memo import GRAIN_NS, load_memo, save_memo
from frostline.stages.datasets.samples import Dataset, Samples, split_by_content
from frostline.stages.datasets.sources.base import Request, Source
from frostline.stages.datasets.sources.csv_file import target_faults
from frostline.stages.datasets.sources.split_column import (
    held,
    numbers_fault,
    row_fault,
    split_faults,
    split_notes,
    splits_of,
    unused_note,
)
from frostline.stages.datasets.sources.stratified import stratification
from frostline.stages.datasets.sources.table_targets import FoundTargets, read_targets
from frostline.stages.datasets.sources.vector_table import Described, described
from frostline.stages.errors import DataError, listing
from frostline.stages.modalities.vector.vector_file import VectorFile, kind_note, open_vectors
from frostline.stages.records.sealed import digest
from frostline.stages.targets.values import Targets, unlabelled


def open_vector_file(request: Request) -> Dataset:
    """Return the dataset of a file of vectors, see ``docs/vectors.md`` for how it is laid out.

    A sample's content is its numbers as float32; those of a file that has not changed are not read again while
    ``memory`` remembers their digests. Raises DataError that lists all that is wrong, before a number is read.
    """
    opened = open_vectors(request.path, request.columns.get("features"))
    found = described(opened, request)
    table, request = found.table, found.request
    splits = splits_of(table)
    if numbers := numbers_fault(table, splits):
        raise DataError(f"{table.file} can't be used:\n{numbers}")
    targets = read_targets(table, request, np.ones(len(table), bool) if splits is None else splits == "train")
    by = stratification(table, request, targets) if splits is None else targets.targets
    wrong = [*_row_faults(found, splits, targets), *targets.faults, *split_faults(table, splits)]
    wrong += target_faults(targets, splits, by, request.test_fraction)
    if wrong:
        raise DataError(f"{table.file} can't be used:\n{listing(wrong)}")
    samples = _samples(opened, found.ids, targets.targets, request)
    samples = grouped_by(samples, request.group_pattern, request.group_file)
    notes = tuple(filter(None, (*table.notes, kind_note(opened.kept[0]), *targets.notes)))
    if splits is None:
        split = split_by_content(samples, request.test_fraction, request.seed, by)
        return Dataset(samples.dataset, *split, (*notes, *unused_note(table)))
    train, test = np.flatnonzero(splits == "train"), np.flatnonzero(splits == held(splits))
    both = samples.take(train, "train"), samples.take(test, "test")
    return Dataset(samples.dataset, *both, (*notes, *split_notes(table, splits)))


def vector_samples(request: Request) -> tuple[Samples, tuple[str, ...]]:
    """Return all vectors of a file without labels, and notes; what they are called is in the file, or their number."""
    opened = open_vectors(request.path, request.columns.get("features"))
    ids = opened.column(request.columns["path"]) if "path" in request.columns else opened.ids()
    samples = _samples(opened, ids, unlabelled(len(opened)), request)
    return samples, tuple(filter(None, [kind_note(opened.kept[0])]))


def _row_faults(found: Described, splits: NDArray[np.str_] | None, targets: FoundTargets) -> Iterator[str]:
    """Yield what is wrong with the rows, each with its number, and with their names."""
    for row, line in enumerate(found.table.lines):
        faults = [targets.row_faults[row]] if row in targets.row_faults else []
        if splits is not None and (fault := row_fault(str(splits[row]))):
            faults.append(fault)
        if not found.ids[row]:
            faults.append("no id")
        yield from (f"row {line}: {fault}" for fault in faults)
    twice = [name for name, count in Counter(found.ids).items() if count > 1 and name]
    yield from (f"the id {name} is there more than once" for name in twice)


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
