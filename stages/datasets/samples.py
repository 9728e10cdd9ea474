"""The nouns: Samples (one split, in a fixed order) and Dataset (all splits of one source)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from stages.draws import hold_out
from stages.errors import DataError, counted, listing


@dataclass(frozen=True, eq=False)
class Samples:
    """One split: n samples in dataset order.

    ``labels``: int64 (n,), positions in ``classes``. ``digests``: uint8 (n, 32), the
    SHA-256 of each sample's content. ``read``: row to RGB image; it raises
    UnreadableImage where the sample can't be decoded. ``problems``: the rows known to be
    unreadable before any is decoded, each with its reason.
    """

    dataset: str
    split: str
    classes: tuple[str, ...]
    ids: Sequence[str]
    labels: NDArray[np.int64]
    digests: NDArray[np.uint8]
    read: Callable[[int], Image]
    problems: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def content(self) -> str:
        """The SHA-256 over every row's id, label name and digest, in order."""
        total = hashlib.sha256()
        names = [name.encode() for name in self.classes]
        for name in names:
            total.update(name + b"\0")
        for sample, label, sample_digest in zip(self.ids, self.labels.tolist(), self.digests, strict=True):
            total.update(sample.encode(errors="surrogateescape") + b"\0" + names[label] + b"\0")
            total.update(sample_digest.tobytes())
        return total.hexdigest()

    def take(self, rows: NDArray[np.int64], split: str) -> Samples:
        """Return the given rows, in the given order, as another split."""
        chosen = rows.tolist()
        back = {row: new for new, row in enumerate(chosen)}
        return Samples(
            self.dataset,
            split,
            self.classes,
            [self.ids[row] for row in chosen],
            self.labels[rows],
            self.digests[rows],
            lambda row: self.read(chosen[row]),
            {back[row]: reason for row, reason in self.problems.items() if row in back},
        )


@dataclass(frozen=True, eq=False)
class Dataset:
    """A named source of samples. ``notes`` say what was passed over or assumed in reading it."""

    name: str
    train: Samples
    test: Samples
    notes: tuple[str, ...] = ()

    @property
    def splits(self) -> tuple[Samples, Samples]:
        return self.train, self.test


def check_classes(dataset: Dataset) -> Dataset:
    """Return the dataset if every class has training rows and there are at least two.

    Raises DataError that lists all that is wrong.
    """
    train, test = dataset.splits
    counts = np.bincount(train.labels, minlength=len(train.classes))
    wrong = [f"class {name!r} has no training sample" for name, n in zip(train.classes, counts, strict=True) if not n]
    if len(train.classes) < 2:
        wrong.append(f"{counted(len(train.classes), 'class')} found; a classifier needs two or more")
    if not len(test):
        wrong.append("no test sample")
    if wrong:
        raise DataError(f"{dataset.name} can't be used:\n{listing(wrong)}")
    return dataset


def split_by_content(samples: Samples, test_fraction: float, seed: int) -> tuple[Samples, Samples]:
    """Return (train, test) of one tree: stratified, seeded, blind to order and file names.

    See ``stages.draws.hold_out``. Raises DataError if a class is too small to be on both sides.
    """
    is_test = hold_out(samples.labels, samples.digests, len(samples.classes), test_fraction, seed)
    small = []
    for label, name in enumerate(samples.classes):
        rows = samples.labels == label
        n, n_test = int(rows.sum()), int(is_test[rows].sum())
        if not 0 < n_test < n:
            small.append(f"class {name!r}: {counted(n, 'sample')}, {n_test} of them for testing")
    if small:
        raise DataError(
            f"test fraction {test_fraction:g} leaves these classes without a training or test sample:\n"
            f"{listing(small)}\nAdd samples or change --test-fraction."
        )
    train, test = np.flatnonzero(~is_test), np.flatnonzero(is_test)
    return samples.take(train, "train"), samples.take(test, "test")
