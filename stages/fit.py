"""Fit: choose a head's strength on held-out training rows, then fit it on all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stages.draws import hold_out
from stages.errors import DataError, listing
from stages.heads import LinearHead
from stages.store import Features

if TYPE_CHECKING:
    from stages.heads.logistic import PreparedRows


@dataclass(frozen=True)
class HeadSpec:
    """A logistic regression: ``C`` in ascending order, chosen on a share ``hold_out`` of the rows.

    ``format`` goes up when the same spec comes to give other numbers, so that cached heads
    are not taken for new ones.
    """

    C: tuple[float, ...]
    hold_out: float = 0.1
    seed: int = 0
    name: str = "logreg"
    format: int = 2


@dataclass(frozen=True)
class Selection:
    """How C was chosen, and how the last fit went.

    ``accuracy``: on the held-out training rows, one per C of ``grid``; empty where there
    was nothing to choose. ``converged``: of the fits on ``fitted_rows``, one per C.
    """

    grid: tuple[float, ...]
    accuracy: tuple[float, ...]
    converged: tuple[bool, ...]
    C: float
    at_edge: bool
    fitted_rows: int
    held_out_rows: int
    final_rows: int
    final_converged: bool
    final_iterations: int
    seed: int


def fit(views: Sequence[Features], spec: HeadSpec) -> tuple[LinearHead, Selection]:
    """Return the head fitted on all training rows of all views, and how it was selected.

    The views of one sample stay on one side of the hold-out. Raises DataError if these are
    not training features, are not finite, or hold fewer than two classes.
    """
    from stages.heads.logistic import prepare

    X, y, held = _stacked(views, spec)
    names = views[0].classes
    rows = prepare(X, y, classes=len(names))
    chosen, accuracy, converged = _choose(rows, X, y, held, spec.C)
    last = rows.fit(chosen)
    selection = Selection(
        spec.C,
        accuracy,
        converged,
        chosen,
        len(spec.C) > 1 and chosen in (spec.C[0], spec.C[-1]),
        int((~held).sum()) if accuracy else 0,
        int(held.sum()) if accuracy else 0,
        len(y),
        bool(last.converged[0]),
        int(last.iterations[0]),
        spec.seed,
    )
    return LinearHead(last.weight[0].astype(np.float32), last.bias[0].astype(np.float32), names), selection


def _stacked(views: Sequence[Features], spec: HeadSpec) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.bool_]]:
    """Return all views' rows, one array, with labels and which rows are held out."""
    for features in views:
        if features.split != "train":
            raise DataError(f"a head can't be fitted on {features.split} features; wanted the train split")
    X = views[0].X if len(views) == 1 else np.concatenate([features.X for features in views])
    y = np.concatenate([features.y for features in views])
    digests = np.concatenate([features.digests for features in views])
    _check(X, y, views)
    return X, y, hold_out(y, digests, len(views[0].classes), spec.hold_out, spec.seed)


def _check(X: NDArray[Any], y: NDArray[np.int64], views: Sequence[Features]) -> None:
    ids = [sample for features in views for sample in features.ids]
    bad = [ids[row] for row in np.flatnonzero(~np.isfinite(X).all(1))]
    if bad:
        raise DataError(f"features that are NaN or infinite, of:\n{listing(bad)}\nExtract again, or leave these out.")
    if len(np.unique(y)) < 2:
        raise DataError(f"training rows of {len(np.unique(y))} class; a classifier needs two or more")


def _choose(
    rows: PreparedRows, X: NDArray[Any], y: NDArray[np.int64], held: NDArray[np.bool_], grid: tuple[float, ...]
) -> tuple[float, tuple[float, ...], tuple[bool, ...]]:
    """Return the C with the best held-out accuracy (of equals, the smallest), all scores, and convergence."""
    if len(grid) == 1:
        return grid[0], (), ()
    if not held.any() or len(np.unique(y[~held])) < 2:
        raise DataError(f"{len(y)} training rows are too few to hold some out; give one value with --C")
    path = rows.fit(grid, row_weights=~held)
    predicted = path.decision_function(X[held]).argmax(-1)
    accuracy = tuple((predicted == y[held]).mean(1).tolist())
    return grid[int(np.argmax(accuracy))], accuracy, tuple(path.converged.tolist())
