"""Exact duplicates, found from the digests alone."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

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
    labels: dict[bytes, list[bytes]] = defaultdict(list)
    contents: list[list[bytes]] = []
    for samples in dataset.splits:
        rows = [row for row in range(len(samples)) if row not in samples.problems]
        contents.append([samples.digests[row].tobytes() for row in rows])
        for content, row in zip(contents[-1], rows, strict=True):
            labels[content].append(samples.targets.values[row].tobytes())
    train, test = contents
    known = set(train)
    return Duplicates(
        len(train) - len(known),
        len(test) - len(set(test)),
        sum(content in known for content in test),
        sum(len(given) for given in labels.values() if len(set(given)) > 1),
    )
