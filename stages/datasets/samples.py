"""The nouns: Samples (one split, in a fixed order) and Dataset (all splits of one source)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from frostline.stages.datasets.draws import held_out
from frostline.stages.errors import DataError, UnreadableSample, counted, listing
from frostline.stages.modalities.base import IMAGE, Modality, Sample
from frostline.stages.modalities.registry import MODALITIES
from frostline.stages.records.packed_names import encoded_names, taken
from frostline.stages.records.sealed import content_digest
from frostline.stages.targets.base import DEFAULT
from frostline.stages.targets.registry import TARGETS
from frostline.stages.targets.values import Targets


@dataclass(frozen=True, eq=False)
class Samples:
    """One split: n samples in dataset order.

    ``targets``: the target values of each sample. ``digests``: uint8 (n, 32), the SHA-256 of each
    sample's content. ``read``: a function from a row to the decoded sample, an RGB
    image for ``image``; it raises UnreadableSample if the sample can't be decoded.
    ``problems``: the rows known to be unreadable before any is decoded, each with its reason.
    ``encoded``: a function from a row to the bytes of its file, with the errors of ``read``; None without files.
    ``codecs``: the rows whose file needs a library of its own, or is worth a remark, each with what kind it is, see
    ``Modality.codec``. ``options``: what the modality's ``decode`` is told besides.
    ``modality``: a name behind the door ``frostline.modalities``.
    ``root``: the folder below which each sample is a file, at its id; None where samples are no files of their own.
    ``announce``: is told which rows will be read soon, each once, and fetches them ahead; None: that is no use.
    """

    dataset: str
    split: str
    targets: Targets
    ids: Sequence[str]
    digests: NDArray[np.uint8]
    read: Callable[[int], Sample]
    problems: Mapping[int, str] = field(default_factory=dict)
    encoded: Callable[[int], bytes] | None = None
    modality: str = IMAGE
    codecs: Mapping[int, str] = field(default_factory=dict)
    options: Mapping[str, int] = field(default_factory=dict)
    announce: Callable[[Iterable[int]], object] | None = None
    root: Path | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, row: int) -> Sample: ...
    @overload
    def __getitem__(self, row: slice) -> list[Sample]: ...
    def __getitem__(self, row: int | slice) -> Any:
        """Return what a sample decodes to, such as an RGB image, or a list for a slice. Raises UnreadableSample.

        Raises IndexError for a row that is not there.
        """
        if isinstance(row, slice):
            return [self.read(one) for one in range(len(self))[row]]
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of {len(self):,} samples; expected 0 to {len(self) - 1:,}")
        return self.read(range(len(self))[row])

    def __repr__(self) -> str:
        noun = MODALITIES.load(self.modality).noun
        return f"<{self.split}: {counted(len(self), noun)}, {self.targets.kind} of {len(self.classes)}>"

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the predicted classes, labels or outputs."""
        return self.targets.names

    @cached_property
    def content(self) -> str:
        """The SHA-256 over every row's id and digest, in order; what is to be predicted of them does not count."""
        return content_digest(self.ids, self.digests)

    @cached_property
    def labelled_content(self) -> str:
        """The SHA-256 over ids, names of single labels and digests, as keys of format 1 had it; else empty."""
        if self.targets.kind != DEFAULT:
            return ""
        total = hashlib.sha256()
        names = [name.encode(errors="surrogateescape") + b"\0" for name in self.targets.names]
        total.update(b"".join(names))
        ids = encoded_names(self.ids)
        for sample, label, content in zip(ids, self.targets.values.tolist(), self.digests, strict=True):
            total.update(sample + b"\0" + names[label] + content.tobytes())
        return total.hexdigest()

    @cached_property
    def target_digest(self) -> str:
        """The SHA-256 over what is to be predicted of every row, joined to its id; see ``Targets.digest``."""
        return self.targets.digest(self.ids)

    @property
    def _kind(self) -> Modality[Any]:
        return MODALITIES.load(self.modality)

    def scaled(self, min_side: int | None) -> Samples:
        """Return the same samples, their files decoded no larger than ``Modality.decode`` must for ``min_side``."""
        encoded = self.encoded
        decode: Any = self._kind.decode
        if min_side is None or encoded is None:
            return self
        how: dict[str, Any] = dict(self.options)
        return replace(self, read=lambda row: decode(encoded(row), min_side, **how))

    def decoder(self, min_side: int | None) -> str:
        """Return what decodes these samples, ``scaled`` to ``min_side``, as it stands in their feature key."""
        how: dict[str, Any] = {"codecs": frozenset(self.codecs.values())} if self.codecs else {}
        decoder: Any = self._kind.decoder
        described: str = decoder(min_side, **how, **self.options)
        return described

    def any_scaled(self, rows: Sequence[int], min_side: int) -> bool:
        """Return whether ``scaled`` makes a difference to one of the rows."""
        return any(self._is_scaled(row, min_side) for row in rows)

    def _is_scaled(self, row: int, min_side: int) -> bool:
        try:
            return self.encoded is not None and self._kind.is_scaled(self.encoded(row), min_side)
        except UnreadableSample:
            return False

    def take(self, rows: NDArray[np.int64], split: str) -> Samples:
        """Return the given rows, in the given order, as another split."""
        encoded, announce = self.encoded, self.announce
        return Samples(
            self.dataset,
            split,
            self.targets.take(rows),
            taken(self.ids, rows),
            self.digests[rows],
            lambda row: self.read(int(rows[row])),
            of_rows(self.problems, rows),
            encoded and (lambda row: encoded(int(rows[row]))),
            self.modality,
            of_rows(self.codecs, rows),
            self.options,
            announce and (lambda some: announce(int(rows[row]) for row in some)),
            self.root,
        )


def of_rows(said: Mapping[int, str], rows: NDArray[np.int64]) -> dict[int, str]:
    """Return what is said of some rows, by their new numbers."""
    if not said:
        return {}
    told = np.fromiter(said, np.int64, len(said))
    return {new: said[int(rows[new])] for new in np.flatnonzero(np.isin(rows, told)).tolist()}


@dataclass(frozen=True, eq=False)
class Dataset:
    """A named dataset with a training and a test split. ``notes``: what was skipped or assumed while reading it."""

    name: str
    train: Samples
    test: Samples
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Dataset {self.name}: {self.train!r}, {self.test!r}>"

    def __iter__(self) -> Iterator[Samples]:
        """Yield the two splits: ``train, test = dataset``."""
        return iter(self.splits)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the predicted classes, labels or outputs."""
        return self.train.classes

    @property
    def splits(self) -> tuple[Samples, Samples]:
        return self.train, self.test


def check_targets(dataset: Dataset) -> Dataset:
    """Return the dataset if its target can be predicted from its readable samples.

    For single labels: two classes or more, each with a training sample, and test samples.
    Raises DataError that lists all that is wrong.
    """
    asked = dataset.train.targets
    target = TARGETS.load(asked.kind)
    train, test = (np.delete(samples.targets.values, list(samples.problems), 0) for samples in dataset.splits)
    wrong = target.faults(asked.names, train, test)
    if wrong:
        raise DataError(f"{dataset.name} can't be used{_unreadable(dataset)}:\n{listing(wrong)}")
    return replace(dataset, notes=(*dataset.notes, *target.remarks(asked.names, train, test)))


def _unreadable(dataset: Dataset) -> str:
    """Return which samples can't be read, as what makes a class empty; nothing if all can."""
    bad = [f"{x.ids[row]}: {reason}" for x in dataset.splits for row, reason in sorted(x.problems.items())]
    return f"; {counted(len(bad), 'sample')} can't be read:\n{listing(bad, 10)}\nand without them" if bad else ""


def split_by_content(
    samples: Samples, test_fraction: float, seed: int, by: Targets | None = None
) -> tuple[Samples, Samples]:
    """Return (train, test) of one tree: stratified, seeded, blind to order and file names, groups whole.

    ``by``: the targets whose strata both sides have in about equal shares; None: the samples' own.
    See ``frostline.stages.datasets.sampling.hold_out``. Raises DataError if a class is too small to be on both sides.
    """
    asked = samples.targets if by is None else replace(by, groups=samples.targets.groups)
    target = TARGETS.load(asked.kind)
    wrong = target.split_faults(asked.names, asked.values, test_fraction)
    if wrong:
        raise DataError(f"{samples.dataset} can't be split:\n{listing(wrong)}")
    try:
        is_test = held_out(asked, samples.digests, test_fraction, seed)
    except DataError as error:
        raise DataError(f"{samples.dataset} can't be split into training and test: {error}") from error
    train, test = np.flatnonzero(~is_test), np.flatnonzero(is_test)
    return samples.take(train, "train"), samples.take(test, "test")
