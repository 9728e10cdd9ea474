"""Features for tests, without an encoder."""

from __future__ import annotations

import numpy as np

from frostline.stages.store import Features
from frostline.stages.targets.values import Targets


def features(n: int = 400, classes: int = 4, split: str = "train", width: int = 12, seed: int = 0) -> Features:
    """Overlapping classes, of unequal sizes, whose features differ in mean and scale; one is constant."""
    rng = np.random.default_rng(seed)
    y = np.sort(rng.choice(classes, n, p=np.arange(1, classes + 1) / (classes * (classes + 1) / 2)))
    X = rng.normal(size=(classes, width))[y] + rng.normal(size=(n, width)) * 1.5
    X = (X * np.geomspace(0.1, 10, width) + np.linspace(-3, 3, width)).astype(np.float32)
    X[:, 3] = 2.5
    digests = rng.integers(0, 256, (n, 32), np.uint8)
    names = tuple("abcdefgh"[:classes])
    return Features(X, Targets(names, y), tuple(map(str, range(n))), digests, split, "key")
