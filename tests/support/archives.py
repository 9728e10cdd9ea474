"""Tar and zip files of a test's own making."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from support.pictures import encoded, picture

Files = Sequence[tuple[str, bytes]]


def tar_of(file: Path, members: Iterable[tuple[str, bytes] | tarfile.TarInfo]) -> Path:
    """Write a tar file of files, and of members that are not files."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, "w") as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
    return file


def zip_of(file: Path, members: Files, method: int = zipfile.ZIP_STORED) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w", method) as opened:
        for name, data in members:
            opened.writestr(name, data)
    return file


def pictures(first: int, *names: str) -> list[tuple[str, bytes]]:
    """Return an image for each name, no two alike for different first numbers and places."""
    return [(name, encoded(picture(first + i))) for i, name in enumerate(names)]


def shard(first: int, count: int, classes: int = 2) -> list[tuple[str, bytes]]:
    """Return samples as WebDataset has them: 000.png beside 000.cls and 000.json."""
    found = []
    for i in range(count):
        about = b'{"patient": "p%d", "age": %d, "where": {"x": 1}}' % (first + i, 20 + i)
        found += pictures(first + i, f"{i:03d}.png")
        found += [(f"{i:03d}.cls", b"%d" % (i % classes)), (f"{i:03d}.json", about)]
    return found


def forest(first: int = 0, each: int = 3, classes: Sequence[str] = ("cat", "dog")) -> list[tuple[str, bytes]]:
    """Return images in the folders of splits and classes."""
    names = [f"{split}/{name}/{i}.png" for split in ("train", "test") for name in classes for i in range(each)]
    return pictures(first, *names)
