"""Small image files for tests, no two alike unless asked for."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

_counter = itertools.count(1 << 32)  # no test names such a seed: else its picture were one of these now and then


def picture(seed: int = 0, size: tuple[int, int] = (8, 6)) -> Image.Image:
    """Return noise as RGB, of the given (width, height)."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8))


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def put(file: Path, content: bytes | None = None) -> Path:
    """Write a file, by default a picture unlike all others, and the folders above it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(encoded(picture(next(_counter))) if content is None else content)
    return file


def plant(root: Path, counts: Mapping[str, int]) -> Path:
    """Write so many pictures into each folder below the root."""
    for folder, count in counts.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            put(root / folder / f"{i:04d}.png")
    return root


def pets(root: Path) -> Path:
    """Write an image folder: three classes, 12 training and 4 test images each, sizes differ."""
    for label, name in enumerate(("cat", "dog", "fox")):
        for i in range(12):
            paint(root / "train" / name / f"{i:02d}.png", label, 100 * label + i, (24 + i, 20))
        for i in range(4):
            paint(root / "test" / name / f"{i:02d}.png", label, 1000 + 100 * label + i)
    return root


def paint(file: Path, label: int, seed: int, size: tuple[int, int] = (24, 20)) -> None:
    """Write an image whose colour gives its label away, through noise."""
    noise = np.random.default_rng(seed).integers(0, 60, (*size, 3))
    noise[..., label % 3] += 120
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise.astype(np.uint8)).save(file)
