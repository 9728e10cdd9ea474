"""Arrays of ids, labels and the like as texts, as a table has them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.stages.errors import DataError


def cells(where: str, array: NDArray[Any]) -> list[str]:
    """Return the values of an array (n,) as texts; nothing for NaN. Raises DataError for what is no text or number.

    Whole numbers are written without a point, whatever their type.
    """
    if array.dtype.kind == "O":
        return [_text(where, value) for value in array.tolist()]
    values, place = np.unique(array, return_inverse=True)
    texts = [_text(where, value) for value in values.tolist()]
    if array.dtype.kind == "f" and np.mod(values[np.isfinite(values)], 1).any():
        texts = ["" if np.isnan(value) else repr(value) for value in values.tolist()]
    return [texts[at] for at in place.ravel().tolist()]


def _text(where: str, value: object) -> str:
    if isinstance(value, bytes):
        try:
            return value.decode().strip()
        except UnicodeDecodeError as error:
            raise DataError(f"{where} holds {value[:40]!r}, which is not UTF-8; expected texts") from error
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.0f}"
    if not isinstance(value, str | int):
        raise DataError(f"{where} holds {type(value).__name__}; expected texts or numbers")
    return str(value).strip()
