"""How close two of many rows come by chance, which is a matter of the dimension."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_PAIRS = 0.05
_COUNTS = 0.1
_SAMPLE = 4096
Floats = NDArray[np.floating]


def by_chance(directions: Floats, cosines: Floats, rows: int) -> float:
    """Return the share of the typical distance below which 0.05 pairs are expected where no row is a duplicate.

    ``directions``: rows of length one, float (n, d); ``cosines``: of each with its nearest, (n,); ``rows``: of all
    splits. Where rows are spread over k dimensions, the share of them with a neighbour within r is
    1 - exp(-c r^k), half at the median; a cosine distance goes with the square of r. So the share is
    (0.05 / (rows log 2))^(2 / k): 4e-12 of 2,000 rows on a circle, 0.05 on the sphere in 8 dimensions, 0.5 in 32.
    """
    if len(directions) < 2:
        return math.inf
    return float((_PAIRS / (rows * math.log(2))) ** (2 / _dimensions(directions, float(np.median(1 - cosines)))))


def _dimensions(directions: Floats, distance: float) -> int:
    """Return over how many dimensions rows are spread, as far as their nearest can tell; the radius is none.

    A dimension counts if its variance is at least a tenth of its part in the squared distance of neighbours.
    """
    some = directions[np.unique(np.linspace(0, len(directions) - 1, min(len(directions), _SAMPLE)).astype(int))]
    variances = np.linalg.eigvalsh(np.cov(some.astype(np.float64), rowvar=False).reshape(2 * some.shape[1:]))
    least = max(_COUNTS * 2 * max(distance, 0) / len(variances), float(np.finfo(np.float32).eps) * variances[-1])
    return max(int(np.count_nonzero(variances >= least)) - 1, 1)
