"""Who makes a head again of what it was stored as: one reader for each form, which a door names."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from frostline.stages.errors import ConfigError, StoreError
from frostline.stages.heads.base import Head
from frostline.stages.heads.kinds import HEADS, head_kind, load_place
from frostline.stages.heads.stored import Stored

Reader = Callable[[Stored, tuple[str, ...], int], Head]
_BUILT_IN = {
    "linear": "frostline.stages.heads.linear:read_linear",
    "neighbours": "frostline.stages.heads.solvers.knn:read_neighbours",
    "estimator": "frostline.stages.heads.solvers.sklearn_estimator:read_estimator",
    "linear-regression": "frostline.stages.heads.linear_regression:read_linear_regression",
    "neighbours-regression": "frostline.stages.heads.solvers.knn_regression:read_neighbours_regression",
    "estimator-regression": "frostline.stages.heads.solvers.sklearn_regressor:read_regressor",
}


def has_reader(form: str) -> bool:
    """Whether a head stored in a form can be read again. Raises ConfigError if its distribution can't be loaded."""
    return bool(_place(form))


def fewest_names(form: str) -> int:
    """Return how many names a head of a form has at least: one value may be predicted, a class needs another."""
    if form in _BUILT_IN:
        return 1 if form.endswith("-regression") else 2
    with suppress(ConfigError):  # which its reader says
        return 1 if form in HEADS and head_kind(form).others else 2
    return 2


def reader(form: object) -> Reader:
    """Return what reads a form; nothing but that reader's code is loaded, whatever a file says.

    Raises StoreError: no such form here, or a reader that can't be loaded.
    """
    try:
        place = _place(form) if isinstance(form, str) else ""
        if place:
            return load_place(place)
    except ConfigError as error:
        raise StoreError(str(error)) from error
    raise StoreError(f"its form is {form!r:.200}, which nothing here reads; install the distribution that it is of")


def _place(form: str) -> str:
    return _BUILT_IN.get(form) or (head_kind(form).reader if form in HEADS else "")
