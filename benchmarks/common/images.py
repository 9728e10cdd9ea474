"""Images for the benchmarks: those found below a folder, linked as a dataset, or made up.

Nothing heavy is imported until images are made up, for the sake of those that measure a process's memory.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import BytesIO
from pathlib import Path

SIZES = {"thumbnails": (32, 32), "photographs": (500, 375)}
Name = Callable[[int, str], str]  # from an image's number and ending to where in the dataset it lies


def two_classes(i: int, ending: str) -> str:
    return f"class{i % 2}/{i:06d}{ending}"


def images_below(folder: Path) -> list[Path]:
    """Return the images below a folder, sorted; end the benchmark if there are none."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if not files:
        sys.exit(f"no image below {folder}; wanted JPEG or PNG files")
    return files


def spread(files: Sequence[Path], n: int) -> list[Path]:
    """Return n of the files, or all if there are fewer, evenly spread."""
    return list(files[:: max(1, len(files) // n)][:n])


def link(files: Iterable[Path], folder: Path, name: Name = two_classes) -> None:
    for i, file in enumerate(files):
        _place(folder, name(i, file.suffix)).symlink_to(file.absolute())


def write(images: Iterable[bytes], folder: Path, name: Name = two_classes) -> None:
    """Write JPEG files."""
    for i, data in enumerate(images):
        _place(folder, name(i, ".jpg")).write_bytes(data)


def made_up(size: tuple[int, int], n: int, seed: int = 0) -> Iterator[bytes]:
    """Yield JPEG files of smooth colours with grain, which pack about as well as photographs do."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(seed)
    width, height = size
    for _ in range(n):
        coarse = rng.integers(0, 256, (max(2, height // 8), max(2, width // 8), 3), np.uint8)
        smooth = np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC), np.float32)
        pixels = smooth + 6 * rng.standard_normal(smooth.shape, np.float32)
        file = BytesIO()
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
        yield file.getvalue()


def _place(folder: Path, name: str) -> Path:
    place = folder / name
    place.parent.mkdir(parents=True, exist_ok=True)
    return place
