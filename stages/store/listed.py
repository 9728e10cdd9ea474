"""What lies in a folder, by one listing of it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path


def file_sizes(folder: Path) -> dict[str, int]:
    """Return the sizes of the regular files in a folder, by name; of none where it is not there."""
    try:
        with os.scandir(folder) as entries:
            return dict(_regular(entries))
    except OSError:
        return {}


def _regular(entries: Iterator[os.DirEntry[str]]) -> Iterator[tuple[str, int]]:
    for entry in entries:
        try:
            found = entry.stat(follow_symlinks=False)
        except OSError:  # removed meanwhile
            continue
        if stat.S_ISREG(found.st_mode):
            yield entry.name, found.st_size
