"""Choosing a head's parameter on training rows that the heads have not seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from frostline.stages.datasets import grouped
from frostline.stages.datasets.sampling import content_hash_order, folds, hold_out
from frostline.stages.errors import ConfigError, DataError, counted
from frostline.stages.fit.enough import too_few
from frostline.stages.fit.selection import Choice
from frostline.stages.fit.training_rows import Mask, TrainingRows
from frostline.stages.heads import HeadPath, HeadSpec
from frostline.stages.metrics import temperature
from frostline.stages.targets.base import Judgement, TargetValues

Held = tuple[slice, NDArray[np.int64], NDArray[np.float64], NDArray[Any]]
_VALUES = 2**25  # decision values held at once
_EVERY = slice(None)
_TOO_FEW = "{} training rows are too few to hold some out; give one value with --grid"


class _Unseen(Protocol):
    """Rows scored by heads that have not seen them.

    Blocks of them: which values of the grid, the rows' positions, weights, and decision values (k, b, classes).
    """

    probabilistic: bool

    def blocks(self) -> Iterator[Held]:
        """Yield all held-out rows, with the decision values of every value."""

    def of(self, index: int) -> Iterator[Held]:
        """Yield the same of one value, k = 1."""


def choose(
    rows: TrainingRows, digests: NDArray[np.uint8], views: int, *, groups: NDArray[np.int64] | None = None
) -> Choice:
    """Return the value that the target's criterion says is best, each row counting what its class weight says.

    For single labels that is the value that is right most often. Of values that are equally good, the one that costs
    least (log-loss), and of several of these the one in the middle. Where the spec says ``per_label`` also the best
    value of each label for itself. ``groups``: int64 (n,), rows of one of which are never on both sides. Raises
    ConfigError if the target's values are not judged each for itself; DataError where rows or groups are too few to
    hold some out.
    """
    spec, n = rows.spec, len(rows.y)
    if spec.folds == "loo":
        if groups is not None:
            raise DataError("leave-one-out with groups: other rows of a group would vouch for it; use --folds N")
        unseen: _Unseen = _Others(rows, digests, views)
        how: dict[str, Any] = {"by": "leave-one-out", "fitted_rows": n - 1, "held_out_rows": n}
    else:
        masks = _masks(rows, digests, groups)
        unseen = folded = _Folds(rows, masks)
        held = int(sum(map(np.count_nonzero, masks)))
        how = {"by": "folds" if spec.folds else "hold-out", "folds": spec.folds, "converged": folded.converged}
        how |= {"fitted_rows": n - held // len(masks), "held_out_rows": held}
    judged = _judged(unseen, rows)
    best = _best(judged.good, judged.cost)
    places = _best_of_each(judged, best, rows) if spec.per_label else []
    if places:
        how["values"] = tuple(spec.grid[place] for place in places)
    return Choice(value=spec.grid[best], **how, **_recorded(judged), **_learned(unseen, rows, best, places))


def _best_of_each(judged: Judgement, best: int, rows: TrainingRows) -> list[int]:
    """Return the place in the grid of each label's best value; the shared one where a label can't be judged."""
    if judged.good_each is None or judged.cost_each is None:
        raise ConfigError(f"a value for each name with {rows.target.kind} targets; they share one value")
    columns = zip(judged.good_each.T, judged.cost_each.T, strict=True)
    return [_best(good, np.nan_to_num(cost)) if np.isfinite(good).all() else best for good, cost in columns]


def _learned(unseen: _Unseen, rows: TrainingRows, best: int, places: Sequence[int]) -> dict[str, Any]:
    """Return what the held-out rows teach of the chosen head: a temperature of probabilities, or thresholds."""
    if rows.target.exclusive and not unseen.probabilistic:
        return {}
    decision_values, y, weights = _held(unseen.of(best), rows.y)
    if rows.target.exclusive:
        return {"temperature": temperature(decision_values, y, weights)}
    for place in set(places) - {best}:
        own = np.flatnonzero(np.array(places) == place)
        decision_values[:, own] = _held(unseen.of(place), rows.y)[0][:, own]
    return {"thresholds": rows.target.thresholds(decision_values, y, probabilistic=unseen.probabilistic)}


class _Folds:
    """One head per value and fold."""

    def __init__(self, rows: TrainingRows, masks: Sequence[Mask]) -> None:
        self.rows, self.masks = rows, masks
        self.paths: list[HeadPath] = rows.fit_each(rows.spec.grid, [~held for held in masks])
        self.probabilistic = self.paths[0].probabilistic

    @property
    def converged(self) -> tuple[bool, ...]:
        """Whether the head of each value converged, in every fold."""
        return tuple(np.all([path.converged for path in self.paths], axis=0).tolist())

    def blocks(self) -> Iterator[Held]:
        for path, held in zip(self.paths, self.masks, strict=True):
            for part in _parts(np.flatnonzero(held), len(self.rows.spec.grid) * self.rows.classes):
                yield _EVERY, part, self.rows.weights(held)[part], path.decision_values(self.rows.X[part])

    def of(self, index: int) -> Iterator[Held]:
        names = ("",) * self.rows.classes
        for path, held in zip(self.paths, self.masks, strict=True):
            head = path.head(index, names)
            for part in _parts(np.flatnonzero(held), self.rows.classes):
                yield _EVERY, part, self.rows.weights(held)[part], head.decision_values(self.rows.X[part])[None]


class _Others:
    """Every row by the heads of all others."""

    def __init__(self, rows: TrainingRows, digests: NDArray[np.uint8], views: int) -> None:
        if views > 1:
            raise DataError("leave-one-out with several views: a sample's other view would vouch for it; use --folds N")
        if rows.spec.scaling == "standardize":
            raise DataError("leave-one-out with --scaling standardize, whose scale knows every row; use --folds N")
        copies = len(digests) - len(np.unique(digests, axis=0))
        if copies:
            raise DataError(
                f"leave-one-out with {counted(copies, 'training sample')} that others are copies of, which would vouch "
                "for them; use --folds N, where copies stay together"
            )
        self.rows = rows
        self.probabilistic = rows.fit(rows.spec.grid[:1], np.ones(len(rows.y), bool)).probabilistic

    def blocks(self) -> Iterator[Held]:
        """All rows at once, so the values in stretches of what fits in memory."""
        grid, length = self.rows.spec.grid, max(1, 4 * _VALUES // (len(self.rows.y) * self.rows.classes))
        return (self._of(slice(start, start + length)) for start in range(0, len(grid), length))

    def of(self, index: int) -> Iterator[Held]:
        yield self._of(slice(index, index + 1))

    def _of(self, values: slice) -> Held:
        everything = np.arange(len(self.rows.y))
        weights = self.rows.weights(np.ones(len(everything), bool))
        return values, everything, weights, self.rows.leave_one_out(self.rows.spec.grid[values])


def _parts(rows: NDArray[np.int64], values: int) -> Iterator[NDArray[np.int64]]:
    """Yield the rows in blocks whose decision values, ``values`` a row, fit in memory."""
    length = max(1, _VALUES // values)
    return (rows[start : start + length] for start in range(0, len(rows), length))


def _masks(rows: TrainingRows, digests: NDArray[np.uint8], groups: NDArray[np.int64] | None) -> list[Mask]:
    """Return the rows held out, one mask per fold; raise DataError where the rows are too few."""
    spec, target, count = rows.spec, rows.target, int(rows.spec.folds)
    shares = [1 / count] * count if count else [1 - spec.hold_out, spec.hold_out]
    if groups is None:
        part = target.dealt(rows.y, content_hash_order(digests, spec.seed), shares)
    else:
        part = grouped.dealt(target, rows.y, digests, groups, shares, spec.seed)
    if part is None:
        return _within_strata(target.strata(rows.y), digests, spec)
    masks = [part == k for k in range(count)] if count else [part == 1]
    if not all(mask.any() and _enough(rows, ~mask) for mask in masks):
        raise DataError(_TOO_FEW.format(len(part)))
    return masks


def _enough(rows: TrainingRows, fitted: Mask) -> bool:
    """Whether a head can be fitted on some of the rows."""
    return bool(fitted.any()) and (not rows.target.exclusive or len(np.unique(rows.y[fitted])) > 1)


def _within_strata(strata: NDArray[np.int64], digests: NDArray[np.uint8], spec: HeadSpec) -> list[Mask]:
    wrong = too_few(strata, digests, spec)
    if wrong:
        raise DataError(wrong)
    classes, count = int(strata.max()) + 1, int(spec.folds)
    if not count:
        return [hold_out(strata, digests, classes, spec.hold_out, spec.seed)]
    fold = folds(strata, digests, classes, count, spec.seed)
    return [fold == k for k in range(count)]


def _judged(unseen: _Unseen, rows: TrainingRows) -> Judgement:
    """Return what the target's criterion makes of all held-out rows."""
    criterion = rows.target.criterion(len(rows.spec.grid), probabilistic=unseen.probabilistic)
    for values, part, weights, decision_values in unseen.blocks():
        criterion.add(values, decision_values, rows.y[part], weights)
    return criterion.judgement()


def _recorded(judged: Judgement) -> dict[str, Any]:
    """Return a judgement's scores as ``Choice`` has them: those of single labels in fields of their own."""
    record: dict[str, Any] = {name: tuple(scores.tolist()) for name, scores in judged.record.items()}
    own: dict[str, Any] = {name: record.pop(name) for name in ("accuracy", "log_loss") if name in record}
    return {**own, "scores": record}


def _best(good: NDArray[np.float64], cost: NDArray[np.float64]) -> int:
    tied = np.flatnonzero(good >= good.max() - 1e-12)
    lowest = tied[cost[tied] <= cost[tied].min()]
    return int(lowest[(len(lowest) - 1) // 2])


def _held(held: Iterator[Held], y: TargetValues) -> tuple[NDArray[np.float64], TargetValues, NDArray[np.float64]]:
    """Return the decision values of one value for all held-out rows, what these are, and their weights."""
    _, parts, weights, decision_values = zip(*held, strict=True)
    return np.concatenate([c[0] for c in decision_values]), y[np.concatenate(parts)], np.concatenate(weights)
