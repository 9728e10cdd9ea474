"""The contract of a source of datasets, and the request that it gets."""

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
    """A request for a dataset.

    Attributes:
        place: the text after the source's prefix, or one of the names that it declares.
        root: the folder given with ``--root``, for a source that takes it.
        test_fraction: the fraction to keep for testing if there is no test split.
        seed: the random seed of that split.
        downloads: the folder for downloads; each dataset has its own folder in it.
        memory: a file that keeps digests between calls, see ``index_files``; None: they are not kept.
        progress: called with (done, total) as samples are read.
        columns: the names of a table's columns, by role: ``{"path": "file"}``.
        class_level: the level of the folder that names the class, 1 to 3 below a split; None: found automatically.
        target: the columns to predict; empty: the column ``label``.
        task: the kind of target, or ``auto``: inferred from the cells.
        separator: the text between the labels in a cell; None: found automatically.
        group: the column with each row's group; None: each row is independent.
        group_pattern: a regular expression that finds the group of a sample in its id.
        group_file: a table with the columns path, a sample's id, and group.
        bit_depth: the number of bits used by the values of 16-bit images; None: 16.
        stratify: the columns by which a split by ``test_fraction`` is stratified; only ``none``: not stratified;
            empty: by the target.
        test: the place of the test split, if it is given separately; ``place`` is then training data only.
        input: the column of a table whose cells are the samples; None: the column ``path`` with files, or if there is
            none, a column with a usual name for texts.
        modality: the expected modality of the samples, from a fitted head; None: found automatically.
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
        """The options with which the modality decodes the files."""
        return {} if self.bit_depth is None else {"bit_depth": self.bit_depth}

    @property
    def path(self) -> Path:
        """The place as a path. An address has none on disk."""
        return path_of(self.place)

    @property
    def folder(self) -> Path:
        """The folder of a downloaded dataset: the root, or a folder with its name below the downloads.

        ``NAME-trainval``, with both splits, shares the folder of ``NAME``.
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
    """A source of datasets: one object behind the door ``frostline.sources``.

    Its name there is the prefix of its datasets: ``folder:PATH`` requests the place ``PATH`` from ``folder``.

    Attributes:
        form: how its datasets are written, such as ``folder:PATH``; shown in help and in errors. Empty if they have
            no names, because they are Python objects.
        summary: one line on these datasets; shown in help and in errors.
        open: returns the dataset, or raises a DataError that lists every problem. Problems of the target, such as a
            class without a training sample, are found by ``open_dataset``.
        names: the places, if they are a fixed list. They are accepted without the prefix too.
        takes_root: whether it accepts ``--root``.
        settings: which of ``columns``, ``class_level``, ``bit_depth``, ``target``, ``task``, ``separator``, ``group``,
            ``group_pattern``, ``group_file``, ``stratify``, ``input`` and ``test`` it accepts.
        at_hand: whether its datasets are local or generated. A page that shows samples opens other datasets only if
            ``Request.folder`` exists.
        pixel_baseline: whether a run compares with plain pixels by default: for small samples of one size.
        backbone: the default backbone for its datasets; empty: the one for images.
        samples: returns all samples of the request's ``modality``, each once, as one split called ``all`` that needs no
            labels (``frostline.stages.targets.values.unlabelled``), and notes: used by ``predict --out``. It
            raises DataError. None: the samples of ``open``, which needs labels.
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
