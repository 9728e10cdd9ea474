"""Datasets: ordered samples with labels, classes, a train and a test split."""

from __future__ import annotations

from pathlib import Path

from frostline.stages.datasets.duplicates import Duplicates, duplicates
from frostline.stages.datasets.files import decode_file, images_in
from frostline.stages.datasets.index import Progress
from frostline.stages.datasets.memo import is_sound
from frostline.stages.datasets.samples import Dataset, Samples, check_classes
from frostline.stages.datasets.sources.csv_file import open_table, paths_of
from frostline.stages.datasets.sources.digits import open_digits
from frostline.stages.datasets.sources.folder import open_folder
from frostline.stages.datasets.sources.torchvision import open_vision

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
