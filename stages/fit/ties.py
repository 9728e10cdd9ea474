"""Which value a published protocol takes where several of its grid are equally good."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]
_ROUNDING = 1e-12


def first(good: Scores) -> int:
    """Return the place of the first of the best scores (k,)."""
    return int(np.flatnonzero(good >= good.max() - _ROUNDING)[0])


def last(good: Scores) -> int:
    """Return the place of the last of the best scores (k,)."""
    return int(np.flatnonzero(good >= good.max() - _ROUNDING)[-1])


def coarse_to_fine(good: Scores) -> int:
    """Return where CLIP_benchmark's search ends (1.6.2, ``metrics/linear_probe.py``) on scores (k,) of its grid.

    The best of every 16th value; then that and its neighbours 8, 4, 2 and 1 places away. Of equal ones the first.
    """
    peak = _peak(good, range(0, len(good), 16))
    for step in (8, 4, 2, 1):
        peak = _peak(good, (max(peak - step, 0), peak, min(peak + step, len(good) - 1)))
    return peak


def _peak(good: Scores, places: Sequence[int]) -> int:
    return places[first(good[list(places)])]


TIES: dict[str, Callable[[Scores], int]] = {"first": first, "last": last, "coarse-to-fine": coarse_to_fine}
