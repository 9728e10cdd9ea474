"""One sample that a head is asked about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from frostline.stages.datasets import file_bytes


@dataclass(frozen=True, eq=False)
class Asked:
    """One sample to answer for: what it is called, and how its bytes are had. That raises UnreadableSample."""

    path: Path
    content: Callable[[], bytes]


def asked_file(path: Path, most: int | None) -> Asked:
    """Return the sample in a file; one of more than ``most`` bytes is not read, see ``Modality.max_bytes``."""
    return Asked(path, partial(file_bytes, path, most))
