"""Outputs of which not all values are known: those known in the same rows are fitted together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def by_known(y: NDArray[np.float64]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.bool_]]]:
    """Yield the places of outputs that are known in the same rows of y (n, k), NaN where not, and these rows (n,)."""
    masks, group = np.unique(~np.isnan(y), axis=1, return_inverse=True)
    for number, known in enumerate(masks.T):
        yield np.flatnonzero(group.ravel() == number), known


def checked_values(y: NDArray[np.float64], rows: int) -> NDArray[np.float64]:
    """Return values as float64 (n, k). Raises ValueError if they are not so many rows, or one is infinite."""
    values = np.asarray(y, np.float64)
    if values.ndim != 2 or len(values) != rows or not values.shape[1]:
        raise ValueError(f"values of shape {values.shape}; expected ({rows}, outputs)")
    if np.isinf(values).any():
        raise ValueError("a value to predict is infinite; expected finite values, or NaN for unknown ones")
    return values
