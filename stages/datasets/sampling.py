"""Seeded choices of rows that depend on what the samples are, not on their order or names."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from frostline.stages.targets.base import held_of


def content_hash_order(digests: NDArray[np.uint8], seed: int) -> NDArray[np.bytes_]:
    """Return one lot per sample, bytes (n,): SHA-256(seed, digest). Equal content, equal lot."""
    start = hashlib.sha256(b"%d|" % seed)
    drawn = bytearray()
    for content in digests:
        one = start.copy()
        one.update(content)
        drawn += one.digest()
    return np.frombuffer(bytes(drawn), "S32")


def contents(digests: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the place of each row's content among the different ones, int64 (n,); ``digests``: uint8 (n, 32)."""
    place: NDArray[np.int64] = np.unique(np.ascontiguousarray(digests).view("S32")[:, 0], return_inverse=True)[1]
    return place


def hold_out(
    labels: NDArray[np.int64],
    digests: NDArray[np.uint8],
    classes: int,
    fraction: float,
    seed: int,
    least: int = 0,
) -> NDArray[np.bool_]:
    """Return the mask, bool (n,), of the rows held out: within each class the ``held_of(n, fraction)`` lowest lots.

    ``least``: how many of every class of two rows or more, at the least. A sample added later moves few others to the
    other side. Equal content is never on both sides of a class, which can hold out a few rows more. ``digests``: uint8
    (n, 32).
    """
    drawn = content_hash_order(digests, seed)
    held = np.zeros(len(labels), bool)
    for label in range(classes):
        rows = np.flatnonzero(labels == label)
        count = max(held_of(len(rows), fraction), least if len(rows) > 1 else 0)
        if count:
            held[rows] = drawn[rows] <= np.sort(drawn[rows])[count - 1]
    return held


def folds(
    labels: NDArray[np.int64], digests: NDArray[np.uint8], classes: int, count: int, seed: int
) -> NDArray[np.int64]:
    """Return each row's fold, int64 (n,), 0 to count - 1: within each class the contents are dealt out by lot.

    Each class is dealt on where the class before it ended, so that folds of many small classes are as large as each
    other. Equal content of a class is in one fold. ``digests``: uint8 (n, 32).
    """
    ranks, sizes = _ranks(labels, digests, classes, seed)
    of_class = np.zeros(classes, np.int64)
    of_class[labels] = sizes
    before = np.cumsum(of_class) - of_class
    fold: NDArray[np.int64] = (before[labels] + ranks) % count
    return fold


def shots(
    labels: NDArray[np.int64], digests: NDArray[np.uint8], classes: int, count: int, seed: int
) -> NDArray[np.bool_]:
    """Return the mask, bool (n,), of ``count`` contents per class: those of the lowest lots, so that fewer are nested.

    All rows of a drawn content are taken: a sample's views, and its copies.
    """
    return _ranks(labels, digests, classes, seed)[0] < count


def train_size(
    labels: NDArray[np.int64], digests: NDArray[np.uint8], classes: int, count: int, seed: int
) -> NDArray[np.bool_]:
    """Return the mask, bool (n,), of ``count`` contents, stratified: smaller sizes are nested in larger ones."""
    ranks, sizes = _ranks(labels, digests, classes, seed)
    place = (ranks + 0.5) / sizes
    _, order = np.unique(np.column_stack([place, labels]), axis=0, return_inverse=True)  # equal contents, equal rows
    mask: NDArray[np.bool_] = order.ravel() < count
    return mask


def _ranks(
    labels: NDArray[np.int64], digests: NDArray[np.uint8], classes: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return each row's place, from 0, among its class's contents by lot, and how many contents the class has."""
    drawn = content_hash_order(digests, seed)
    ranks, sizes = np.zeros(len(labels), np.int64), np.zeros(len(labels), np.int64)
    for label in range(classes):
        rows = np.flatnonzero(labels == label)
        contents, rank = np.unique(drawn[rows], return_inverse=True)
        ranks[rows], sizes[rows] = rank, len(contents)
    return ranks, sizes
