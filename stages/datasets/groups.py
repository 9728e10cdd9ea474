"""Groups of samples: named by their paths, and kept whole when a tree is split."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from frostline.stages.datasets.grouped import named_groups
from frostline.stages.datasets.samples import Dataset, Samples
from frostline.stages.errors import ConfigError, DataError, counted, listing
from frostline.stages.targets.registry import TARGETS


def grouped_by(samples: Samples, pattern: str | None) -> Samples:
    """Return samples with the groups that a regular expression finds in their ids: its first group, or all it matches.

    Raises ConfigError for an expression that is none, DataError that lists the ids without a match.
    """
    if pattern is None:
        return samples
    try:
        found = [re.search(pattern, sample) for sample in samples.ids]
    except re.error as error:
        raise ConfigError(f"--group-pattern {pattern!r} is no regular expression: {error}") from error
    wrong = [sample for sample, match in zip(samples.ids, found, strict=True) if not match]
    if wrong:
        raise DataError(f"no group in the names of {counted(len(wrong), 'sample')} by {pattern!r}:\n{listing(wrong)}")
    names = [match[1] if match.re.groups else match[0] for match in found if match]
    groups = np.unique(np.array(names, object), return_inverse=True)[1].ravel().astype(np.int64)
    return replace(samples, targets=replace(samples.targets, groups=groups))


def check_groups(dataset: Dataset) -> None:
    """Raise DataError where groups can't serve: a single one in training, or some on both sides of the splits."""
    train, test = (samples.targets.groups for samples in dataset.splits)
    if train is None or test is None:
        return
    both = sorted(set(train.tolist()) & set(test.tolist()))
    wrong = []
    if both:
        rows = [dataset.train.ids[int(np.flatnonzero(train == one)[0])] for one in both]
        wrong.append(f"{counted(len(both), 'group')} of samples in training and in test, such as that of {rows[0]}")
    for split, groups in (("training", train), ("test", test)):
        if len(set(groups.tolist())) < 2:
            wrong.append(f"a single group in {split}; expected two or more, or intervals would say nothing of others")
    if wrong:
        raise DataError(f"{dataset.name} can't be used:\n{listing(wrong)}")


def group_notes(dataset: Dataset) -> list[str]:
    """Return how many groups there are; where none are given, whether names look as if there were."""
    groups = [samples.targets.groups for samples in dataset.splits]
    if groups[0] is not None and groups[1] is not None:
        train, test = (len(np.unique(one)) for one in groups if one is not None)
        return [f"{counted(train, 'group')} of samples in training, {test:,} in test; none is in both"]
    return _suggested(dataset)


def _suggested(dataset: Dataset) -> list[str]:
    ids = _names(dataset)
    if any(samples.encoded is None for samples in dataset.splits):
        return []
    values = np.concatenate([samples.targets.values for samples in dataset.splits])
    strata = TARGETS.load(dataset.train.targets.kind).strata(values)
    found = named_groups(ids, strata)
    if found is None:
        return []
    return [
        f"names look like {found.groups:,} groups of samples ({found.example[0]}, {found.example[1]}); if each is one "
        f"patient, video or author, keep it on one side: --group-pattern '{found.pattern}'"
    ]


def _names(dataset: Dataset) -> Sequence[str]:
    return [*dataset.train.ids, *dataset.test.ids]
