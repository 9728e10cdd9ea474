"""Samples whose content is image files below one root."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from frostline.stages.datasets.index import Indexed
from frostline.stages.datasets.samples import Samples
from frostline.stages.datasets.walk import walk
from frostline.stages.errors import DataError, UnreadableSample, listing
from frostline.stages.modalities.image.decode import decode


def decode_file(path: Path, least: int | None = None) -> Image:
    """Return the RGB image in a file; ``least``: see ``images.decode``. Raises UnreadableSample with the reason."""
    try:
        if not path.is_file():
            raise UnreadableSample("not a regular file")
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableSample(f"can't be read ({error.strerror})") from error
    return decode(data, least)


def images_in(folder: Path) -> list[Path]:
    """Return the image files below a folder, sorted. Raises DataError for folders that can't be read."""
    tree = walk(folder, ".")
    if tree.unreadable:
        raise DataError(f"{folder} can't be used:\n{listing(tree.unreadable)}")
    return [folder / path for path in tree.images.paths]


def file_samples(
    dataset: str, split: str, classes: Sequence[str], root: Path, files: Indexed, labels: NDArray[np.int64]
) -> Samples:
    """Return samples that read ``root / path``; the path is the sample's id.

    Reading a file that is no longer what was indexed raises DataError: what is stored under
    its digest must have come from it.
    """

    def encoded(row: int) -> bytes:
        if row in files.problems:
            raise UnreadableSample(files.problems[row])
        path = root / files.paths[row]
        try:
            data = path.read_bytes()
        except OSError as error:
            raise DataError(f"{path} can't be read any more ({error.strerror}); put it back and run again") from error
        if hashlib.sha256(data).digest() != files.digests[row].tobytes():
            raise DataError(f"{path} changed while it was being used; leave the images alone and run again")
        return data

    def read(row: int) -> Image:
        return decode(encoded(row))

    return Samples(dataset, split, tuple(classes), files.paths, labels, files.digests, read, files.problems, encoded)
