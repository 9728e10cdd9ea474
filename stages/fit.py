"""Fit: choose a head's strength on held-out training rows, then fit it on all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from stages.draws import folds, hold_out
from stages.errors import DataError, listing
from stages.heads import LinearHead, normalized
from stages.store import Features

if TYPE_CHECKING:
    from stages.heads.logistic import LogisticPath, PreparedRows


Scaling = Literal["none", "standardize", "l2"]
ClassWeight = Literal["none", "balanced"]


@dataclass(frozen=True)
class HeadSpec:
    """A logistic regression: ``C`` in ascending order, and how it is chosen.

    Chosen on a share ``hold_out`` of the training rows, or by ``folds`` of them where that is
    not 0. ``scaling``: ``standardize`` divides each feature, less its mean, by its deviation
    over the rows that are fitted on; ``l2`` divides each row by its length. ``class_weight``:
    ``balanced`` weighs each class as much as any other. ``format`` goes up when the same spec
    comes to give other numbers, so that cached heads are not taken for new ones.
    """

    C: tuple[float, ...]
    hold_out: float = 0.1
    seed: int = 0
    name: str = "logreg"
    folds: int = 0
    scaling: Scaling = "none"
    class_weight: ClassWeight = "none"
    format: int = 3


@dataclass(frozen=True)
class Selection:
    """How C was chosen, and how the last fit went.

    ``accuracy``: weighed as the fit is, on the held-out training rows, over all folds where there are any, one per C
    of ``grid``; empty where there was nothing to choose. ``converged``: of the fits on
    ``fitted_rows``, one per C; in every fold.
    """

    grid: tuple[float, ...]
    accuracy: tuple[float, ...]
    converged: tuple[bool, ...]
    C: float
    at_edge: bool
    fitted_rows: int
    held_out_rows: int
    folds: int
    final_rows: int
    final_converged: bool
    final_iterations: int
    seed: int


def fit(views: Sequence[Features], spec: HeadSpec) -> tuple[LinearHead, Selection]:
    """Return the head fitted on all training rows of all views, and how it was selected.

    The views of one sample stay on one side of the hold-out. Raises DataError if these are
    not training features, are not finite, or hold fewer than two classes.
    """
    X, y, digests = _stacked(views)
    names = views[0].classes
    rows = _Rows(X, y, len(names), spec)
    masks = _masks(y, digests, len(names), spec) if len(spec.C) > 1 else []
    accuracy, converged = _scores(rows, y, masks) if masks else ((), ())
    chosen = spec.C[int(np.argmax(accuracy))] if masks else spec.C[0]  # of equals, the smallest
    last = rows.fit((chosen,))
    selection = Selection(
        grid=spec.C,
        accuracy=accuracy,
        converged=converged,
        C=chosen,
        at_edge=len(spec.C) > 1 and chosen in (spec.C[0], spec.C[-1]),
        fitted_rows=int(sum((~held).sum() for held in masks)) // max(len(masks), 1),
        held_out_rows=int(sum(held.sum() for held in masks)),
        folds=spec.folds if masks else 0,
        final_rows=len(y),
        final_converged=bool(last.converged[0]),
        final_iterations=int(last.iterations[0]),
        seed=spec.seed,
    )
    weight, bias = last.weight[0].astype(np.float32), last.bias[0].astype(np.float32)
    return LinearHead(weight, bias, names, spec.scaling == "l2"), selection


class _Rows:
    """Training rows, fitted again and again; what comes back acts on the rows as they were given, or their l2."""

    def __init__(self, X: NDArray[Any], y: NDArray[np.int64], classes: int, spec: HeadSpec) -> None:
        self.X = normalized(X.astype(np.float32, copy=False)) if spec.scaling == "l2" else X
        self.y, self.classes, self.spec = y, classes, spec

    @cached_property
    def _shared(self) -> PreparedRows:
        from stages.heads.logistic import prepare

        return prepare(self.X, self.y, classes=self.classes)

    def fit(self, grid: tuple[float, ...], used: NDArray[np.bool_] | None = None) -> LogisticPath:
        """Return a head for each C, fitted on the rows that are used, by default all."""
        used = np.ones(len(self.y), bool) if used is None else used
        weights = self.weights(used)
        if self.spec.scaling != "standardize":
            return self._shared.fit(grid, row_weights=weights)
        return self._standardized(grid, used, weights)

    def weights(self, used: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return what each row counts among those that are used."""
        if self.spec.class_weight == "none":
            return used.astype(np.float64)
        counts = np.bincount(self.y[used], minlength=self.classes)
        each = used.sum() / (np.count_nonzero(counts) * np.maximum(counts, 1))
        weights: NDArray[np.float64] = used * each[self.y]
        return weights

    def _standardized(
        self, grid: tuple[float, ...], used: NDArray[np.bool_], weights: NDArray[np.float64]
    ) -> LogisticPath:
        """Fit standardised rows; fold mean and deviation into W and b. A constant feature counts for nothing."""
        from stages.heads.logistic import logistic_path

        rows = self.X[used].astype(np.float32, copy=False)
        mean = rows.mean(0, dtype=np.float64).astype(np.float32)
        deviation = rows.std(0, dtype=np.float64).astype(np.float32)
        deviation[deviation <= 1e-6 * np.abs(mean)] = np.inf
        scaled = (rows - mean) / deviation
        path = logistic_path(scaled, self.y[used], grid, classes=self.classes, row_weights=weights[used])
        weight = path.weight / deviation
        return replace(path, weight=weight, bias=path.bias - weight @ mean.astype(np.float64))


def _masks(y: NDArray[np.int64], digests: NDArray[np.uint8], classes: int, spec: HeadSpec) -> list[NDArray[np.bool_]]:
    """Return the rows held out, one mask per fold; raise DataError where the rows are too few."""
    if not spec.folds:
        held = hold_out(y, digests, classes, spec.hold_out, spec.seed)
        if not held.any() or len(np.unique(y[~held])) < 2:
            raise DataError(f"{len(y)} training rows are too few to hold some out; give one value with --C")
        return [held]
    fold = folds(y, digests, classes, spec.folds, spec.seed)
    least = min(len(np.unique(fold[y == label])) for label in np.unique(y))
    if least < spec.folds:
        raise DataError(
            f"a class of {least} different training samples can't be dealt to {spec.folds} folds; "
            f"wanted --folds {least} at most" + (", or a class of more samples" if least < 2 else "")
        )
    return [fold == k for k in range(spec.folds)]


def _scores(
    rows: _Rows, y: NDArray[np.int64], masks: Sequence[NDArray[np.bool_]]
) -> tuple[tuple[float, ...], tuple[bool, ...]]:
    """Return the accuracy on all held-out rows together, and whether every fold converged, one per C."""
    right, total, converged = np.zeros(len(rows.spec.C)), 0.0, np.ones(len(rows.spec.C), bool)
    for held in masks:
        path = rows.fit(rows.spec.C, ~held)
        weights = rows.weights(held)[held]
        right += (path.decision_function(rows.X[held]).argmax(-1) == y[held]) @ weights
        total += weights.sum()
        converged &= path.converged
    return tuple((right / total).tolist()), tuple(converged.tolist())


def _stacked(views: Sequence[Features]) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.uint8]]:
    """Return all views' rows, one array, with their labels and digests."""
    for features in views:
        if features.split != "train":
            raise DataError(f"a head can't be fitted on {features.split} features; wanted the train split")
    X = views[0].X if len(views) == 1 else np.concatenate([features.X for features in views])
    y = np.concatenate([features.y for features in views])
    _check(X, y, views)
    return X, y, np.concatenate([features.digests for features in views])


def _check(X: NDArray[Any], y: NDArray[np.int64], views: Sequence[Features]) -> None:
    ids = [sample for features in views for sample in features.ids]
    bad = [ids[row] for row in np.flatnonzero(~np.isfinite(X).all(1))]
    if bad:
        raise DataError(f"features that are NaN or infinite, of:\n{listing(bad)}\nExtract again, or leave these out.")
    if len(np.unique(y)) < 2:
        raise DataError(f"training rows of {len(np.unique(y))} class; a classifier needs two or more")
