"""Datasets: ordered samples with labels, classes, a train and a test split.

Each comes from a source, see ``frostline.stages.datasets.sources.base``: one file with a ``Source``, and one line in
the registry or one entry point of a distribution. Where samples are files, ``walk`` finds them, ``index_files`` takes
their digests and ``file_samples`` reads them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from frostline.stages.datasets.duplicates import Duplicates, duplicates
from frostline.stages.datasets.files import decode_file, file_bytes, file_samples, files_in, remarks
from frostline.stages.datasets.groups import check_groups, group_notes
from frostline.stages.datasets.index import Progress, index_files
from frostline.stages.datasets.local_files import local_files
from frostline.stages.datasets.memo import is_sound
from frostline.stages.datasets.samples import Dataset, Samples, check_targets, split_by_content
from frostline.stages.datasets.sources.base import IN_MEMORY, Request, Source, in_memory
from frostline.stages.datasets.sources.csv_file import paths_of
from frostline.stages.datasets.sources.registry import (
    SOURCES,
    find_source,
    forms,
    forms_taking,
    forms_with_root,
    prefix_of,
)
from frostline.stages.datasets.texts import texts_of
from frostline.stages.datasets.unlabelled import ALL, open_samples
from frostline.stages.datasets.walk import endings_of, walk
from frostline.stages.targets.columns import Task

__all__ = [
    "ALL",
    "IN_MEMORY",
    "SOURCES",
    "Dataset",
    "Duplicates",
    "Progress",
    "Request",
    "Samples",
    "Source",
    "decode_file",
    "duplicates",
    "endings_of",
    "file_bytes",
    "file_samples",
    "files_in",
    "find_source",
    "forms",
    "forms_taking",
    "forms_with_root",
    "in_memory",
    "index_files",
    "is_sound",
    "local_files",
    "open_dataset",
    "open_object",
    "open_samples",
    "paths_of",
    "prefix_of",
    "split_by_content",
    "texts_of",
    "walk",
]


def open_dataset(
    dataset: str,
    *,
    root: Path | None = None,
    test_fraction: float = 0.2,
    seed: int = 0,
    downloads: Path | None = None,
    memory: Path | None = None,
    progress: Progress | None = None,
    columns: Mapping[str, str] | None = None,
    class_level: int | None = None,
    bit_depth: int | None = None,
    target: Sequence[str] = (),
    task: Task = "auto",
    separator: str | None = None,
    group: str | None = None,
    group_pattern: str | None = None,
    group_file: Path | None = None,
    stratify: Sequence[str] = (),
    input: str | None = None,
    test: str | None = None,
) -> Dataset:
    """Return a dataset by name.

    ``dataset``: ``digits``, ``folder:PATH``, ``csv:FILE``, a torchvision name such as
    ``cifar10``, or ``PREFIX:PLACE`` of a source that a distribution adds. ``root``: where a
    CSV's paths start, or where a torchvision dataset lies (by default below ``downloads``).
    ``test_fraction`` and ``seed`` split a dataset that has no test split of its own.
    ``memory``: a file that remembers digests between calls. ``columns``: what a table's columns are called, as
    ``{"path": "file"}``. ``class_level``: which folder below a split names the class, 1 to 3, where several could.
    ``bit_depth``: how many bits 16-bit images make use of. ``target``: the columns of a table to predict, by default
    ``label``; ``task``: which kind of target they are, ``separator``: what stands between labels in a cell, both found
    out by default. ``group``: the column, ``group_pattern``: the regular expression on ids, ``group_file``: the table
    with the columns path and group, that says which samples belong together and must not be split. ``stratify``: the
    columns of a table of which a split by ``test_fraction`` has about equal shares on both sides, by default the
    target; ``("none",)``: of no column. ``input``: the column of a table whose cells are the samples, as texts; of tar
    files, the component that is the sample. ``test``: the place of the test split, written as that of training.

    Raises ConfigError for an unknown name, DataError listing all that is wrong.
    """
    source, place = find_source(dataset)
    where = downloads or Path("downloads")
    with SOURCES.blamed(dataset.partition(":")[0]):
        asked = Request(
            place, root, test_fraction, seed, where, memory, progress, columns or {}, class_level, bit_depth
        )
        asked = replace(asked, target=tuple(target), task=task, separator=separator, stratify=tuple(stratify))
        asked = replace(asked, group=group, group_pattern=group_pattern, group_file=group_file, input=input, test=test)
        found = source.open(asked)
    return _checked(found)


def open_object(given: object, asked: Request, name: str = "") -> Dataset:
    """Return the dataset that an object of Python is, see ``sources.objects``; a ``Dataset`` is returned as it is.

    Raises ConfigError, DataError listing all that is wrong.
    """
    from frostline.stages.datasets.sources.objects import open_given

    return given if isinstance(given, Dataset) else _checked(open_given(given, asked, name))


def _checked(found: Dataset) -> Dataset:
    found = check_targets(found)
    check_groups(found)
    return replace(found, notes=(*found.notes, *group_notes(found), *remarks(found.splits)))
