"""What is odd about the numbers themselves: not finite, dead, constant, of an outlying length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BLOCK = 4096
_FAR = 8.0
_MIN_SPREAD = 0.01


@dataclass(frozen=True)
class Values:
    """Rows and dimensions of features that are odd.

    ``not_finite``: rows with NaN or infinity; the rest is said of the other rows.
    ``dead``: dimensions that are zero in every row; ``constant``: of one other value.
    ``outliers``: rows of an outlying length, the farthest first, ``distances`` away.
    """

    not_finite: tuple[int, ...]
    dead: tuple[int, ...]
    constant: tuple[int, ...]
    outliers: tuple[int, ...]
    distances: tuple[float, ...]


def values(X: NDArray[Any]) -> Values:
    """Return what is odd about features, float (n, d), read in blocks.

    A length is outlying where the modified z-score of its logarithm, |log l - median| / (1.4826 MAD),
    is above 8: Iglewicz and Hoaglin ("How to detect and handle outliers", 1993) say 3.5 for normal
    samples; lengths of features have heavier tails. Lengths within 8 % of the median are never outlying.
    """
    lengths = np.full(len(X), np.nan)
    low, high = np.full(X.shape[1], np.inf), np.full(X.shape[1], -np.inf)
    for rows, block in _blocks(X):
        finite = np.isfinite(block).all(1)
        good = block[finite]
        lengths[rows] = np.where(finite, np.sqrt(np.einsum("ij,ij->i", block, block)), np.nan)
        low = np.minimum(low, good.min(0, initial=np.inf))
        high = np.maximum(high, good.max(0, initial=-np.inf))
    same = low == high
    far = _distances(lengths)
    order = np.argsort(-far, kind="stable")[: int((far > _FAR).sum())]
    return Values(
        _indices(np.isnan(lengths)),
        _indices(same & (low == 0)),
        _indices(same & (low != 0)),
        tuple(order.tolist()),
        tuple(far[order].tolist()),
    )


def _blocks(X: NDArray[Any]) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    for start in range(0, len(X), _BLOCK):
        yield slice(start, start + _BLOCK), X[start : start + _BLOCK].astype(np.float64)


def _distances(lengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the modified z-scores, (n,), of the logarithms of lengths; 0 where one is NaN."""
    if np.isnan(lengths).all():
        return np.zeros(len(lengths))
    logs = np.log(np.maximum(lengths, np.finfo(np.float64).tiny))
    away = np.abs(logs - np.nanmedian(logs))
    far: NDArray[np.float64] = np.nan_to_num(away / max(1.4826 * float(np.nanmedian(away)), _MIN_SPREAD))
    return far


def _indices(mask: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(np.flatnonzero(mask).tolist())
