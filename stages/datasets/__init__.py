"""Datasets: ordered samples with labels, classes, a train and a test split."""

from __future__ import annotations

from pathlib import Path

from stages.datasets.digits import open_digits
from stages.datasets.duplicates import Duplicates, duplicates
from stages.datasets.files import decode_file, images_in
from stages.datasets.folder import open_folder
from stages.datasets.index import Progress
from stages.datasets.memory import is_sound
from stages.datasets.samples import Dataset, Samples, check_classes
from stages.datasets.table import open_table, paths_of
from stages.datasets.vision import open_vision

__all__ = [
    "Dataset",
    "Duplicates",
    "Progress",
    "Samples",
    "decode_file",
    "duplicates",
    "images_in",
    "is_sound",
    "open_dataset",
    "paths_of",
]


def open_dataset(
    source: str,
    *,
    root: Path | None = None,
    test_fraction: float = 0.2,
    seed: int = 0,
    downloads: Path | None = None,
    memory: Path | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Return the dataset that ``source`` names.

    ``source``: ``digits``, ``folder:PATH``, ``csv:FILE`` or a torchvision name such as
    ``cifar10``. ``root``: where a CSV's paths start, or where a torchvision dataset lies
    (by default below ``downloads``). ``test_fraction`` and ``seed`` split a source that
    has no test split of its own. ``memory``: a file that remembers digests between calls.

    Raises ConfigError for an unknown name, DataError listing all that is wrong.
    """
    prefix, _, rest = source.partition(":")
    if prefix == "folder" and rest:
        dataset = open_folder(Path(rest).expanduser(), test_fraction, seed, memory, progress)
    elif prefix == "csv" and rest:
        dataset = open_table(Path(rest).expanduser(), root, test_fraction, seed, memory, progress)
    elif source == "digits":
        dataset = open_digits(test_fraction, seed)
    else:
        place = root or (downloads or Path("downloads")) / source
        dataset = open_vision(source, place, test_fraction, seed, memory, progress)
    return check_classes(dataset)
