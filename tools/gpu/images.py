"""The images of a GPU run, made by other processes: ``python -m tools.gpu.images FOLDER SCALE``.

Photographs of 500 × 375 and thumbnails of 32 × 32, JPEG, in two classes. Up to 240 of a kind are encoded. The others
are copies that differ in eight bytes behind the end of the image: decoded as often, equal in no digest.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common.images import SIZES, made_up

_NUMBERS = {"thumbnails": 80_000, "photographs": 24_000}
_ENCODED, _AT_ONCE, _SPARED = 240, 20, 4  # _SPARED: cores left to what is measured meanwhile
_ROOM = 6 << 30


@dataclass(frozen=True)
class _Part:
    """Some encoded images of a kind, and in which places they and their copies are written."""

    folder: Path
    kind: str
    first: int
    encoded: int
    total: int


def write_images(folder: Path, scale: float) -> None:
    """Write all images below a folder, by as many processes as there are cores to spare."""
    with ProcessPoolExecutor(max(1, (os.cpu_count() or 1) - _SPARED)) as pool:
        list(pool.map(_write, _parts(folder, scale)))


def _parts(folder: Path, scale: float) -> Iterator[_Part]:
    for kind, number in _NUMBERS.items():
        total = max(24, int(number * scale))
        encoded = min(_ENCODED, total)
        for first in range(0, encoded, _AT_ONCE):
            yield _Part(folder, kind, first, min(_AT_ONCE, encoded - first), total)


def _write(part: _Part) -> None:
    for i, data in enumerate(made_up(SIZES[part.kind], part.encoded, seed=part.first), part.first):
        for copy in range(i, part.total, min(_ENCODED, part.total)):
            split = "test" if copy % 50 == 0 else "train"
            place = part.folder / part.kind / split / f"class{copy % 2}" / f"{copy:07d}.jpg"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data + copy.to_bytes(8, "big"))


class ImageMaker:
    """The processes that make the images, in memory where there is room.

    It is a context: at its end they and the images are gone.
    """

    def __init__(self, scale: float) -> None:
        shared = Path("/dev/shm")
        roomy = os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > _ROOM
        self._folder = Path(tempfile.mkdtemp(prefix="frostline-images-", dir=shared if roomy else None))
        command = [sys.executable, "-m", __spec__.name, str(self._folder), str(scale)]
        self._process = subprocess.Popen(command, start_new_session=True)

    def __enter__(self) -> ImageMaker:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)  # its own processes as well
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def folder(self, kind: str) -> Path:
        """Wait until all images are there; return the folder of one kind."""
        if self._process.wait() != 0:
            raise RuntimeError(f"the images were not made: exit code {self._process.returncode}")
        return self._folder / kind


if __name__ == "__main__":
    write_images(Path(sys.argv[1]), float(sys.argv[2]))
