"""Images of CIFAR-10, as this machine has them."""

from __future__ import annotations

import tarfile
from pathlib import Path


def unpack_cifar(assets: Path, root: Path, train: int, test: int) -> Path:
    """Write the first images of each class, so many of each split, below a folder, and return that."""
    with tarfile.open(assets / "cifar10-jpg.tar.gz") as archive:
        for member in archive:
            number = int(Path(member.name).stem) if member.isfile() else 9999
            content = archive.extractfile(member) if number < (train if "train" in member.name else test) else None
            if content:
                (root / member.name).parent.mkdir(parents=True, exist_ok=True)
                (root / member.name).write_bytes(content.read())
    return root
