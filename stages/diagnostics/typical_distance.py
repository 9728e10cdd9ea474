"""How far apart neighbours are in a dataset, whatever share of it has copies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SAMPLE = 2048
_BLOCK = 64
_NEIGHBOURS = 64
_HIGHER = 20
Floats = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class _Sample:
    """Rows asked for their distances from the nearest others, ascending, (rows, k), inf beyond what there is.

    ``near``: of any class. ``mates``: of their own. ``half``: how many are half of a row's own class, at most k.
    """

    near: Floats
    mates: Floats
    half: NDArray[np.int64]


def typical_distance(directions: Floats, labels: NDArray[np.int64], threshold: float) -> float:
    """Return the median cosine distance, 1 - cos, of a row from its nearest that is no near duplicate of it.

    ``directions``: rows of length one, float (n, d), of which 2,048, evenly spread, are asked; ``labels``: their
    classes, int64 (n,).
    Near duplicates lie within ``threshold`` times what is returned: of all values of which that is true, the largest.
    So copies of every row do not set the scale that they are measured by. Half of a class within that are no copies
    but a class that the backbone draws together. Where distances grow without a gap, as in films, a twentieth of that
    from the 20th nearest of a row's class is the least: what it would be on a surface.
    """
    sample = _sampled(directions, labels)
    if not sample.near.size:
        return 0.0
    place = np.minimum(_HIGHER, sample.half) - 1
    higher = np.take_along_axis(sample.mates, np.maximum(place, 0)[:, None], axis=1)[:, 0]
    higher = higher[(place >= 0) & np.isfinite(higher)]
    smallest = float(np.median(higher)) / _HIGHER if higher.size else 0.0
    return max(_settled(sample, threshold), smallest)


def _settled(sample: _Sample, threshold: float) -> float:
    """Return the largest median distance from the nearest beyond ``threshold`` times itself."""
    farthest = np.where(np.isfinite(sample.near), sample.near, 0).max(axis=1)
    typical = float(farthest.max())
    while True:
        reach = threshold * typical
        drawn_together = (sample.mates <= reach).sum(axis=1) >= np.maximum(sample.half, 1)
        beyond = np.where(sample.near > reach, sample.near, np.inf).min(axis=1)
        found = float(np.median(np.where(drawn_together, sample.near[:, 0], np.minimum(beyond, farthest))))
        if found >= typical:
            return typical
        typical = found


def _sampled(directions: Floats, labels: NDArray[np.int64]) -> _Sample:
    n = len(directions)
    asked = np.unique(np.linspace(0, n - 1, min(n, _SAMPLE)).astype(int))
    kept = min(_NEIGHBOURS, n - 1)
    near, mates = (np.empty((len(asked), kept), directions.dtype) for _ in range(2))
    for start in range(0, len(asked), _BLOCK):
        rows = asked[start : start + _BLOCK]
        distances = np.maximum(1 - directions[rows] @ directions.T, 0)
        distances[np.arange(len(rows)), rows] = np.inf
        near[start : start + _BLOCK] = _least(distances, kept)
        distances[labels[rows][:, None] != labels] = np.inf
        mates[start : start + _BLOCK] = _least(distances, kept)
    size = np.bincount(labels)[labels[asked]] - 1
    return _Sample(near, mates, np.minimum(-(-size // 2), kept))


def _least(distances: Floats, kept: int) -> Floats:
    return np.sort(np.partition(distances, max(kept - 1, 0), axis=1)[:, :kept], axis=1)
