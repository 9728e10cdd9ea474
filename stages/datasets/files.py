"""Samples whose content is image files below one root."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from frostline.stages.datasets.index import Indexed
from frostline.stages.datasets.samples import Samples
from frostline.stages.datasets.walk import walk
from frostline.stages.errors import DataError, UnreadableSample, listing
from frostline.stages.modalities.base import Sample
from frostline.stages.modalities.registry import MODALITIES
from frostline.stages.targets.values import Targets


def decode_file(path: Path, min_side: int | None = None, modality: str = "image") -> Sample:
    """Return the sample in a file; ``min_side``: see ``Modality.decode``. Raises UnreadableSample with the reason."""
    try:
        if not path.is_file():
            raise UnreadableSample("not a regular file")
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableSample(f"can't be read ({error.strerror})") from error
    return MODALITIES.load(modality).decode(data, min_side)


def images_in(folder: Path) -> list[Path]:
    """Return the image files below a folder, sorted. Raises DataError for folders that can't be read."""
    tree = walk(folder, ".")
    if tree.unreadable:
        raise DataError(f"{folder} can't be used:\n{listing(tree.unreadable)}")
    return [folder / path for path in tree.files.paths]


def file_samples(
    dataset: str,
    split: str,
    targets: Targets,
    root: Path,
    files: Indexed,
    modality: str = "image",
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

    def read(row: int) -> Sample:
        return decode(encoded(row))

    decode = MODALITIES.load(modality).decode
    how: Any = {"problems": files.problems, "encoded": encoded, "modality": modality}
    return Samples(dataset, split, targets, files.paths, files.digests, read, **how)
