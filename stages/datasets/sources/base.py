"""What a source of datasets is, and what it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from frostline.stages.buckets.address import is_address, path_of
from frostline.stages.datasets.index import Progress
from frostline.stages.datasets.samples import Dataset, Samples
from frostline.stages.errors import DataError
from frostline.stages.targets.columns import Task

IN_MEMORY = "memory"
"""The prefix of datasets that are objects of Python: nobody can name them."""


def in_memory(dataset: str) -> bool:
    """Return whether a dataset, as settings name it, is an object of Python."""
    return dataset.partition(":")[0] == IN_MEMORY


@dataclass(frozen=True)
class Request:
    """A dataset as it is asked for.

    Attributes:
        place: what follows the source's prefix, or one of the names that it declares.
        root: what ``--root`` gives, for a source that takes it.
        test_fraction: the share to keep for testing where there is no test split.
        seed: of that split.
        downloads: the folder below which sources put what they download, each dataset in its own.
        memory: a file in which to remember digests between calls, see ``index_files``; None: nowhere.
        progress: told (done, total) of the samples that are read.
        columns: what a table's columns are called, by what they are taken for: ``{"path": "file"}``.
        class_level: which folder below a split names the class, the first to third; None: the one that it must be.
        target: the columns to predict; empty: the column ``label``.
        task: the kind of target, or ``auto``: what the cells say.
        separator: what stands between the labels in a cell; None: found out.
        group: the column that says which group a row is of; None: rows stand for themselves.
        group_pattern: a regular expression that finds the group of a sample in its id.
        group_file: a table with the columns path, a sample's id, and group.
        bit_depth: how many bits the values of 16-bit images make use of; None: 16.
        stratify: the columns of which a split by ``test_fraction`` has about equal shares on both sides; ``none``
            alone: of no column; empty: the target's own.
        test: the place of the test split, where one names it apart; the place is all training then.
        input: the column of a table whose cells are the samples; None: the column ``path`` names files, or without
            one, what is called as texts are.
        modality: what the samples are to be, where a fitted head says it; None: what they are is found out.
    """

    place: str
    root: Path | None = None
    test_fraction: float = 0.2
    seed: int = 0
    downloads: Path = Path("downloads")
    memory: Path | None = None
    progress: Progress | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    class_level: int | None = None
    bit_depth: int | None = None
    target: tuple[str, ...] = ()
    task: Task = "auto"
    separator: str | None = None
    group: str | None = None
    group_pattern: str | None = None
    group_file: Path | None = None
    stratify: tuple[str, ...] = ()
    input: str | None = None
    test: str | None = None
    modality: str | None = None

    @property
    def decode_options(self) -> dict[str, int]:
        """What its files' modality is told when it decodes them."""
        return {} if self.bit_depth is None else {"bit_depth": self.bit_depth}

    @property
    def path(self) -> Path:
        """The place as a file or folder; there is none of an address."""
        return path_of(self.place)

    @property
    def folder(self) -> Path:
        """Where a dataset that is downloaded lies: in the root, or in a folder of its name below the downloads.

        One with both splits, ``NAME-trainval``, lies where ``NAME`` does.
        """
        return self.root or self.downloads / self.place.removesuffix("-trainval")


def check_on_disk(request: Request) -> None:
    """Raise DataError for a place in a bucket, where a source reads local disks alone."""
    if is_address(request.place):
        raise DataError(
            f"{request.path} is an address, but this kind of dataset is read only from local disks; copy it first"
        )


@dataclass(frozen=True)
class Source:
    """Where datasets come from: one object behind the door ``frostline.sources``.

    Its name there is the prefix of its datasets: ``folder:PATH`` asks the source ``folder`` for the place ``PATH``.

    Attributes:
        form: how its datasets are written, such as ``folder:PATH``; for help, and for a name that is not known. Empty
            where nobody can name them: they are objects of Python.
        summary: one line on what that is, for a name that is not known.
        open: returns the dataset. It raises DataError that lists all that is wrong. What makes a dataset
            useless for a classifier, such as a class without a training sample, is found by ``open_dataset``.
        names: the places, where these are a fixed list. They are understood without the prefix, too.
        takes_root: whether ``--root`` means something to it.
        settings: which of ``columns``, ``class_level``, ``bit_depth``, ``target``, ``task``, ``separator``, ``group``,
            ``group_pattern``, ``group_file``, ``stratify``, ``input`` and ``test`` mean something to it.
        at_hand: whether its datasets lie where they are named, or are made up. What only shows samples, such as a
            page, leaves any other dataset alone unless ``Request.folder`` is there.
        pixel_baseline: whether plain pixels are worth comparing with unasked, as they are: for samples that
            are small and of one size.
        backbone: the one that its datasets are for where none is named; nothing: the one for images.
        samples: returns all samples of the request's ``modality``, each once, as one split called ``all`` that needs no
            labels (``frostline.stages.targets.values.unlabelled``), and notes: what ``predict --out`` asks about. It
            raises DataError. None: those of ``open``, which needs labels.
    """

    form: str
    summary: str
    open: Callable[[Request], Dataset]
    names: tuple[str, ...] = ()
    takes_root: bool = False
    settings: tuple[str, ...] = ()
    at_hand: bool = False
    pixel_baseline: bool = False
    backbone: str = ""
    samples: Callable[[Request], tuple[Samples, tuple[str, ...]]] | None = None
