"""Exact duplicates, found from the digests alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.stages.datasets.samples import Dataset


@dataclass(frozen=True)
class Duplicates:
    """Counts of samples with identical content.

    ``within_train``, ``within_test``: samples that repeat an earlier one of their split.
    ``across``: test samples that are also in train. ``conflicting``: samples, in either
    split, whose content occurs under more than one label.
    """

    within_train: int
    within_test: int
    across: int
    conflicting: int


def duplicates(dataset: Dataset) -> Duplicates:
    """Return how many exact duplicates a dataset has. Unreadable samples are left out."""
    rows = [np.delete(np.arange(len(x)), list(x.problems)) for x in dataset.splits]
    both = list(zip(dataset.splits, rows, strict=True))
    contents = _numbered(np.concatenate([x.digests[kept] for x, kept in both]))
    labels = _numbered(np.concatenate([x.targets.values[kept] for x, kept in both]))
    train, test = np.split(contents, [len(rows[0])])
    pairs = np.unique(contents * (labels.max(initial=0) + 1) + labels)  # each content under each of its labels
    conflicting = np.bincount(pairs // (labels.max(initial=0) + 1), minlength=1) > 1
    return Duplicates(
        len(train) - len(np.unique(train)),
        len(test) - len(np.unique(test)),
        int(np.isin(test, train).sum()),
        int(conflicting[contents].sum()),
    )


def _numbered(rows: NDArray[Any]) -> NDArray[np.int64]:
    """Return a number for each row of an array, int64 (n,): the same for rows of the same bytes."""
    flat = np.ascontiguousarray(rows.reshape(len(rows), -1))
    texts = flat.view(f"S{max(1, flat.itemsize * flat.shape[1])}").ravel()
    return np.unique(texts, return_inverse=True)[1].ravel().astype(np.int64)
