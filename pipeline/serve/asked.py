"""One sample that a head is asked about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from frostline.stages.datasets import file_bytes
from frostline.stages.modalities.base import Sample


@dataclass(frozen=True, eq=False)
class Asked:
    """One sample to answer for: what it is called, and how it is had.

    ``read``: returns the sample, given what decodes the bytes of a file. That, and ``read``, raise UnreadableSample.
    """

    path: Path
    read: Callable[[Callable[[bytes], Sample]], Sample]


def asked_bytes(path: Path, content: Callable[[], bytes]) -> Asked:
    """Return the sample in some bytes."""
    return Asked(path, lambda decode: decode(content()))


def asked_file(path: Path, most: int | None) -> Asked:
    """Return the sample in a file; one of more than ``most`` bytes is not read, see ``Modality.max_bytes``."""
    return asked_bytes(path, partial(file_bytes, path, most))
