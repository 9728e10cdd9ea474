"""Groups of samples: named by their paths or by a file, and kept whole when a tree is split."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from frostline.stages.datasets.grouped import named_groups
from frostline.stages.datasets.samples import Dataset, Samples
from frostline.stages.datasets.table import read_table
from frostline.stages.errors import ConfigError, DataError, counted, listing
from frostline.stages.records.packed_names import PackedNames
from frostline.stages.targets.registry import TARGETS


def grouped_by(samples: Samples, pattern: str | None, file: Path | None) -> Samples:
    """Return samples with the groups that an expression finds in their ids, or that a file gives them.

    Raises ConfigError for an expression that is none, DataError that lists the ids without a match, and for a file
    that can't be read, or that names none of the samples.
    """
    if pattern is not None:
        return _numbered(samples, _matched(samples.ids, pattern))
    if file is not None:
        return _numbered(samples, _listed(samples, file))
    return samples


def _numbered(samples: Samples, names: Sequence[tuple[bool, str]]) -> Samples:
    number = {name: i for i, name in enumerate(sorted(set(names)))}
    groups = np.array([number[name] for name in names], np.int64)
    return replace(samples, targets=replace(samples.targets, groups=groups))


def _matched(ids: Sequence[str], pattern: str) -> list[tuple[bool, str]]:
    """Return what an expression finds in each id: its first group, or all it matches."""
    try:
        found = [re.search(pattern, sample) for sample in ids]
    except re.error as error:
        raise ConfigError(f"--group-pattern {pattern!r} is not a regular expression: {error}") from error
    wrong = [sample for sample, match in zip(ids, found, strict=True) if not match]
    if wrong:
        raise DataError(
            f"{pattern!r} finds no group in the names of {counted(len(wrong), 'sample')}:\n{listing(wrong)}"
        )
    return [(True, match[1] if match.re.groups else match[0]) for match in found if match]


def _listed(samples: Samples, file: Path) -> list[tuple[bool, str]]:
    """Return what a table says of each id; a sample that it does not name stands for itself."""
    table = read_table(file, ("path", "group"), {}, "path and group")
    group = dict(zip(table.column("path"), table.column("group"), strict=True))
    if not group.keys() & set(samples.ids):
        raise DataError(
            f"{file} contains none of the {counted(len(samples), 'sample')} of {samples.dataset}; expected paths such "
            f"as {samples.ids[0]}"
        )
    return [(sample in group, group.get(sample, sample)) for sample in samples.ids]


def check_groups(dataset: Dataset) -> None:
    """Raise DataError where groups can't serve: a single one in training, or some on both sides of the splits."""
    train, test = (samples.targets.groups for samples in dataset.splits)
    if train is None or test is None:
        return
    both = sorted(set(train.tolist()) & set(test.tolist()))
    wrong = []
    if both:
        rows = [dataset.train.ids[int(np.flatnonzero(train == one)[0])] for one in both]
        wrong.append(
            f"{counted(len(both), 'group')} with samples in both training and test, such as the group of {rows[0]}"
        )
    for split, groups in (("training", train), ("test", test)):
        if len(set(groups.tolist())) < 2:
            wrong.append(f"a single group in {split}; expected two or more, because intervals resample groups")
    if wrong:
        raise DataError(f"{dataset.name} can't be used:\n{listing(wrong)}")


def group_notes(dataset: Dataset) -> list[str]:
    """Return how many groups there are; where none are given, whether names look as if there were."""
    groups = [samples.targets.groups for samples in dataset.splits]
    if groups[0] is not None and groups[1] is not None:
        train, test = (len(np.unique(one)) for one in groups if one is not None)
        return [f"{counted(train, 'group')} in training, {test:,} in test; no group is in both"]
    return _suggested(dataset)


def _suggested(dataset: Dataset) -> list[str]:
    if any(samples.encoded is None for samples in dataset.splits):
        return []
    ids = _names(dataset)
    values = np.concatenate([samples.targets.values for samples in dataset.splits])
    strata = TARGETS.load(dataset.train.targets.kind).strata(values)
    found = named_groups(ids, strata)
    if found is None:
        return []
    return [
        f"names look like {found.groups:,} groups of samples ({found.example[0]}, {found.example[1]}); if "
        "each is a patient, video or author, keep its samples on one side with --group-pattern "
        f"'{found.pattern}'"
    ]


def _names(dataset: Dataset) -> Sequence[str]:
    return PackedNames.joined([PackedNames.of(samples.ids) for samples in dataset.splits])
