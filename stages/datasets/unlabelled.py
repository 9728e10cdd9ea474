"""All samples of a dataset, without their labels: what a fitted head is asked about."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from frostline.stages.datasets.samples import Dataset, Samples
from frostline.stages.datasets.sources.base import Request
from frostline.stages.datasets.sources.registry import SOURCES, find_source
from frostline.stages.errors import DataError
from frostline.stages.modalities.registry import MODALITIES
from frostline.stages.targets.values import ALL, unlabelled

__all__ = ["ALL", "open_samples"]


def open_samples(dataset: str, asked: Request) -> tuple[Samples, tuple[str, ...]]:
    """Return every sample of a dataset of ``asked.modality``, each once, in the split ``all``, and notes.

    ``dataset``: as for ``open_dataset``; the place of ``asked`` is that of its name. No labels are needed where its
    source can do without. Raises ConfigError for an unknown name, DataError for samples of another modality and
    what else is wrong.
    """
    source, place = find_source(dataset)
    with SOURCES.blamed(dataset.partition(":")[0]):
        request = replace(asked, place=place)
        found, notes = source.samples(request) if source.samples else _of_splits(source.open(request))
    if asked.modality not in (None, found.modality):
        ours, theirs = (MODALITIES.load(name).noun for name in (asked.modality or "", found.modality))
        raise DataError(f"{dataset} holds {theirs}s; the head expects {ours}s: choose a dataset of {ours}s")
    return found, notes


def _of_splits(dataset: Dataset) -> tuple[Samples, tuple[str, ...]]:
    """Return the samples of both splits as one; where a name is in both, each begins with its split's."""
    train, test = dataset.splits
    clash = bool({*train.ids} & {*test.ids})
    ids = [f"{x.split}/{name}" if clash else name for x in dataset.splits for name in x.ids]
    start = len(train)

    def read(row: int) -> object:
        return train.read(row) if row < start else test.read(row - start)

    def encoded(row: int) -> bytes:
        own, at = (train, row) if row < start else (test, row - start)
        assert own.encoded is not None
        return own.encoded(at)

    return Samples(
        train.dataset,
        ALL,
        unlabelled(len(ids)),
        ids,
        np.concatenate([train.digests, test.digests]),
        read,
        {**train.problems, **{start + row: why for row, why in test.problems.items()}},
        encoded if train.encoded and test.encoded else None,
        train.modality,
        {**train.codecs, **{start + row: codec for row, codec in test.codecs.items()}},
        train.options,
    ), dataset.notes
