"""Seeded choices of rows that depend on what the samples are, not on their order or names."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray


def lots(digests: NDArray[np.uint8], seed: int) -> NDArray[np.bytes_]:
    """Return one lot per sample, bytes (n,): SHA-256(seed, digest). Equal content, equal lot."""
    drawn = [hashlib.sha256(b"%d|" % seed + d.tobytes()).digest() for d in digests]
    return np.array(drawn, dtype="S32")


def hold_out(
    labels: NDArray[np.int64], digests: NDArray[np.uint8], classes: int, fraction: float, seed: int
) -> NDArray[np.bool_]:
    """Return the mask, bool (n,), of the rows held out: within each class the ``round(fraction * n)`` lowest lots.

    A sample added later moves few others to the other side.
    """
    order = lots(digests, seed)
    held = np.zeros(len(labels), bool)
    for label in range(classes):
        rows = np.flatnonzero(labels == label)
        held[rows[np.argsort(order[rows], kind="stable")[: round(fraction * len(rows))]]] = True
    return held
