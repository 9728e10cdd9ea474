"""``digits``: 1,797 handwritten digits, 8 x 8 pixels, grey, included in scikit-learn."""

from __future__ import annotations

import hashlib

import numpy as np
from PIL import Image

from frostline.stages.datasets.samples import Dataset, Samples, split_by_content
from frostline.stages.datasets.sources.base import Request, Source
from frostline.stages.targets.values import Targets


def open_digits(request: Request) -> Dataset:
    """Return the digits, their values 0..16 scaled to 0..255, split by fraction and seed."""
    from sklearn.datasets import load_digits

    loaded = load_digits()
    pixels = np.round(loaded.images * (255 / 16)).astype(np.uint8)
    digests = [hashlib.sha256(b"L 8 8 " + image.tobytes()).digest() for image in pixels]
    samples = Samples(
        "digits",
        "all",
        Targets(tuple(map(str, loaded.target_names)), loaded.target.astype(np.int64)),
        [f"{i:04d}" for i in range(len(pixels))],
        np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32),
        lambda row: Image.fromarray(pixels[row]).convert("RGB"),
    )
    return Dataset("digits", *split_by_content(samples, request.test_fraction, request.seed))


DIGITS = Source(
    "digits",
    "1,797 handwritten digits, 8 x 8 pixels, grey, included in scikit-learn",
    open_digits,
    names=("digits",),
    at_hand=True,
    pixel_baseline=True,
)
