"""Fit: choose a head's parameter on held-out training rows, then fit it on all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.stages.errors import DataError, listing
from frostline.stages.fit.enough import too_few
from frostline.stages.fit.select import choose
from frostline.stages.fit.selection import Choice, Selection
from frostline.stages.fit.training_rows import TrainingRows
from frostline.stages.heads import Head, HeadSpec
from frostline.stages.store import Features, stacked

__all__ = ["Selection", "fit", "too_few"]

_BLOCK = 8192


def fit(views: Sequence[Features], spec: HeadSpec) -> tuple[Head, Selection]:
    """Return the head fitted on all training rows of all views, and how it was selected.

    The views of one sample stay on one side of the hold-out. Raises DataError if these are
    not training features, are not finite, hold fewer than two classes, or too few rows to
    hold some out; ConfigError: options that the head can't take.
    """
    X, y, digests = _stacked(views)
    rows = TrainingRows(X, y, len(views[0].classes), spec)
    choice = choose(rows, digests, len(views)) if len(spec.grid) > 1 else Choice(value=spec.grid[0])
    last = rows.fit((choice.value,), np.ones(len(y), bool))
    gap, slope = (getattr(last, name, None) for name in ("gap", "gradient_norm"))
    selection = Selection(
        **asdict(choice),
        parameter=spec.parameter,
        grid=spec.grid,
        at_edge=len(spec.grid) > 1 and choice.value in (spec.grid[0], spec.grid[-1]),
        final_rows=len(y),
        final_converged=bool(last.converged[0]),
        final_iterations=int(last.iterations[0]),
        final_gap=None if gap is None else float(gap[0]),
        final_gradient_norm=None if slope is None else float(slope[0]),
        seed=spec.seed,
    )
    return last.head(0, views[0].classes), selection


def _stacked(views: Sequence[Features]) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.uint8]]:
    """Return all views' rows, one array, with their labels and digests."""
    for features in views:
        if features.split != "train":
            raise DataError(f"a head can't be fitted on {features.split} features; wanted the train split")
    X = stacked(views)
    y = np.concatenate([features.y for features in views])
    _check(X, y, views)
    return X, y, np.concatenate([features.digests for features in views])


def _check(X: NDArray[Any], y: NDArray[np.int64], views: Sequence[Features]) -> None:
    starts = range(0, len(X), _BLOCK)
    bad_rows = [start + np.flatnonzero(~np.isfinite(X[start : start + _BLOCK]).all(1)) for start in starts]
    rows = np.concatenate(bad_rows).tolist()
    if rows:
        ids = [sample for features in views for sample in features.ids]
        bad = [ids[row] for row in rows]
        raise DataError(f"features that are NaN or infinite, of:\n{listing(bad)}\nExtract again, or leave these out.")
    if len(np.unique(y)) < 2:
        raise DataError(f"training rows of {len(np.unique(y))} class; a classifier needs two or more")
