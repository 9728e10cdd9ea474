"""Who makes a head again of what it was stored as: one reader for each form, which a door names."""

from __future__ import annotations

from collections.abc import Callable

from frostline.stages.errors import ConfigError, StoreError
from frostline.stages.heads.base import Head
from frostline.stages.heads.kinds import HEADS, head_kind, load_place
from frostline.stages.heads.stored import Stored

Reader = Callable[[Stored, tuple[str, ...], int], Head]
_BUILT_IN = {
    "linear": "frostline.stages.heads.linear:read_linear",
    "neighbours": "frostline.stages.heads.solvers.knn:read_neighbours",
    "estimator": "frostline.stages.heads.solvers.sklearn_estimator:read_estimator",
    "linear-multi-label": "frostline.stages.heads.multi_label:read_multi_label",
    "neighbours-multi-label": "frostline.stages.heads.solvers.knn_labels:read_neighbour_labels",
    "estimator-multi-label": "frostline.stages.heads.solvers.sklearn_labels:read_estimator_labels",
    "linear-regression": "frostline.stages.heads.linear_regression:read_linear_regression",
    "neighbours-regression": "frostline.stages.heads.solvers.knn_regression:read_neighbours_regression",
    "estimator-regression": "frostline.stages.heads.solvers.sklearn_regressor:read_regressor",
}


def has_reader(form: str) -> bool:
    """Whether a head stored in a form can be read again. Raises ConfigError if its distribution can't be loaded."""
    return bool(_place(form))


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
    raise StoreError(
        f"its form is {form!r:.200}, which no installed package can read; install the package that it comes from"
    )


def _place(form: str) -> str:
    return _BUILT_IN.get(form) or (head_kind(form).reader if form in HEADS else "")
