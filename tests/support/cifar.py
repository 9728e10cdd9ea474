"""Images of CIFAR-10, as this machine has them."""

from __future__ import annotations

import tarfile
from functools import cache
from pathlib import Path

MOST = 100


def unpack_cifar(assets: Path, root: Path, train: int, test: int) -> Path:
    """Write the first images of each class, so many of each split, below a folder, and return that."""
    assert max(train, test) <= MOST
    for name, content in _first_images(assets / "cifar10-jpg.tar.gz").items():
        if int(Path(name).stem) < (train if "train" in name else test):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content)
    return root


@cache
def _first_images(file: Path) -> dict[str, bytes]:
    """Return the first MOST images of each class and split, by their names; to read the archive takes seconds."""
    found = {}
    with tarfile.open(file) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() and int(Path(member.name).stem) < MOST else None
            if content:
                found[member.name] = content.read()
    return found
