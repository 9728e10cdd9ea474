"""A table of photos, with several labels and numbers each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

LABELS, OUTPUTS = ("bright", "red", "wide"), ("age", "height")


def photo_table(root: Path, n: int = 60, missing: tuple[int, ...] = (3,)) -> Path:
    """Write n photos and a table of them, and return the table.

    ``tags``: a cell of labels; ``age`` and ``height``: numbers, that of some rows not known; ``label``: a class.
    """
    root.mkdir(parents=True, exist_ok=True)
    lines = ["path,label,tags,age,height"]
    for i in range(n):
        rng = np.random.default_rng(i)
        bright, red = rng.random(2)
        width = 24 + 8 * int(rng.random() > 0.6)
        pixels = np.clip(60 + 120 * bright + rng.normal(0, 20, (20, width, 3)) + [60 * red, 0, 0], 0, 255)
        Image.fromarray(pixels.astype(np.uint8)).save(root / f"{i:03d}.png")
        tags = [name for name, has in zip(LABELS, (bright > 0.5, red > 0.4, width > 24), strict=True) if has]
        age = "" if i in missing else f"{2 + 5 * bright:.3f}"
        lines.append(f"{i:03d}.png,{'day' if bright > 0.5 else 'night'},{';'.join(tags)},{age},{1 + red:.3f}")
    (root / "photos.csv").write_text("\n".join(lines) + "\n")
    return root / "photos.csv"
