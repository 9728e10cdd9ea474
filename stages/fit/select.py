"""Choosing a head's parameter on training rows that the heads have not seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.stages.datasets.grouped import group_lots
from frostline.stages.datasets.sampling import contents
from frostline.stages.errors import ConfigError, DataError
from frostline.stages.fit.alike import UnitLosses, alike
from frostline.stages.fit.scheme import held_out, of_validation
from frostline.stages.fit.search import Search, searchable
from frostline.stages.fit.selection import Choice
from frostline.stages.fit.ties import TIES
from frostline.stages.fit.training_rows import Mask, TrainingRows
from frostline.stages.fit.unseen import Held, HeldOut, Others, Scored, Unseen
from frostline.stages.heads import head_kind
from frostline.stages.heads.kinds import Number
from frostline.stages.metrics import steady_temperature
from frostline.stages.targets.base import Judgement

Units = NDArray[np.int64]


def choose(
    rows: TrainingRows,
    digests: NDArray[np.uint8],
    views: int,
    *,
    groups: NDArray[np.int64] | None = None,
    held: Sequence[Mask] = (),
) -> Choice:
    """Return the value that rows which the heads have not seen speak for, each counting what its class weight says.

    By the rule ``stable`` many values that can be asked for one after another are searched, see ``Search``: not all are
    tried, and those away from the choice are solved roughly.

    By the rule ``stable`` that is one of the values whose losses these rows can't tell apart from the least, see
    ``alike``; single labels are judged by log-loss, or without probabilities by the share that is wrong. By the rule
    ``best``, and of scores that are no mean over rows, it is the best by the target's criterion (single labels: the
    value that is right most often), of equally good ones the one of least cost (log-loss), and of several of these the
    one in the middle. Where the spec says ``per_label`` also the best value of each label for itself. ``groups``: int64
    (n,), rows of one of which are never on both sides, nor are groups that share a content; ``held``: one
    bool (n,) or more, the rows to hold out, each in turn, where that is not left to the spec, but for those that
    ``of_validation`` has fitted. Published protocols say by ``ties`` which of equally good values is taken. Raises
    ConfigError if the target's values are not judged each for itself; DataError where rows or groups are too few to
    hold some out.
    """
    spec = rows.spec
    groups = None if groups is None else np.unique(group_lots(groups, digests, 0), return_inverse=True)[1].ravel()
    units = contents(digests) if groups is None else groups
    masks, how = _held_rows(rows, digests, groups, held)
    if masks and searchable(rows, masks) and (of_rows := rows.target.row_losses(rows.y, probabilistic=True)):
        return _searched(Search(rows, masks, units, of_rows), units, how)
    unseen = HeldOut(rows, masks) if masks else Others(rows, digests, views)
    judged, best, among = _chosen(unseen, rows, units)
    places = _best_of_each(judged, best, rows) if spec.per_label else []
    if places:
        how["values"] = tuple(spec.grid[place] for place in places)
    if isinstance(unseen, HeldOut):
        how["converged"] = unseen.converged
    learned = _learned(unseen, rows, units, best, places)
    return Choice(**how, **_recorded(judged), **_taken(unseen.grid, best, among), **learned)


def _searched(search: Search, units: Units, how: dict[str, Any]) -> Choice:
    """Return the choice among values that are solved roughly; it and the least loss it is compared with, closely."""
    rows = search.rows
    search.around_the_least()
    while True:
        best, among = alike(search.losses, head_kind(rows.spec.kind).calmer)
        if not search.refine([best, search.losses.least()]):
            break
    how |= {"converged": search.converged, "rough": search.rough(), "untried": search.untried()}
    learned = _learned(search, rows, units, best, ())
    taken = _taken(rows.spec.grid, best, among.tolist())
    return Choice(**how, **_recorded(search.judgement()), **taken, **learned)


def _chosen(unseen: Unseen, rows: TrainingRows, units: Units) -> tuple[Judgement, int, Sequence[int]]:
    """Return how values were judged, the place of the one to take, and those that can't be told from the best."""
    judged, losses = _judged(unseen, rows, units)
    if losses is not None and np.isfinite(losses.mean()).any():
        counts_errors = rows.target.exclusive and not unseen.probabilistic  # many values make as many
        best, among = alike(losses, 0 if counts_errors else head_kind(rows.spec.kind).calmer)
        return judged, best, among.tolist()
    return judged, TIES[rows.spec.ties](judged.good) if rows.spec.ties else _best(judged.good, judged.cost), []


def _taken(grid: Sequence[Number], best: int, among: Sequence[int]) -> dict[str, Any]:
    return {"value": grid[best], "alike": (grid[among[0]], grid[among[-1]]) if among else ()}


def _held_rows(
    rows: TrainingRows, digests: NDArray[np.uint8], groups: NDArray[np.int64] | None, held: Sequence[Mask]
) -> tuple[Sequence[Mask], dict[str, Any]]:
    """Return the rows to hold out, each mask in turn, and how that is recorded; none to leave out every row in turn."""
    n = len(rows.y)
    if rows.spec.folds == "loo":
        if groups is not None:
            raise DataError(
                "leave-one-out with groups would leak: other rows of the same group stay in training; use --folds N"
            )
        return [], {"by": "leave-one-out", "fitted_rows": n - 1, "held_out_rows": n}
    if held:
        masks = [of_validation(rows, mask, groups) for mask in held]
        count = sum(int(np.count_nonzero(mask)) for mask in masks)
        how: dict[str, Any] = {"by": "folds", "folds": len(masks)} if len(masks) > 1 else {"by": "hold-out"}
        return masks, {**how, "fitted_rows": n - count // len(masks), "held_out_rows": count}
    scheme, masks = held_out(rows, digests, groups)
    count = sum(int(np.count_nonzero(mask)) for mask in masks)
    how = {"by": "folds" if scheme.folds else "hold-out", "folds": scheme.folds}
    how |= {"fitted_rows": n - count // len(masks), "held_out_rows": count // scheme.repeats, "repeats": scheme.repeats}
    return masks, how


def _best_of_each(judged: Judgement, best: int, rows: TrainingRows) -> list[int]:
    """Return the place in the grid of each label's best value; the shared one where a label can't be judged."""
    if judged.good_each is None or judged.cost_each is None:
        raise ConfigError(f"a separate value for each name with {rows.target.kind} targets; they share one value")
    columns = zip(judged.good_each.T, judged.cost_each.T, strict=True)
    return [_best(good, np.nan_to_num(cost)) if np.isfinite(good).all() else best for good, cost in columns]


def _learned(unseen: Scored, rows: TrainingRows, units: Units, best: int, places: Sequence[int]) -> dict[str, Any]:
    """Return what the held-out rows teach of the chosen head: a temperature of probabilities, or thresholds."""
    if rows.target.exclusive and not unseen.probabilistic:
        return {}
    decision_values, held, weights = _held(unseen.of(best))
    y = rows.y[held]
    if rows.target.exclusive:
        return {"temperature": steady_temperature(decision_values, y, weights, units[held])}
    for place in set(places) - {best}:
        own = np.flatnonzero(np.array(places) == place)
        decision_values[:, own] = _held(unseen.of(place))[0][:, own]
    return {"thresholds": rows.target.thresholds(decision_values, y, probabilistic=unseen.probabilistic)}


def _judged(unseen: Unseen, rows: TrainingRows, units: Units) -> tuple[Judgement, UnitLosses | None]:
    """Return what the target's criterion makes of all held-out rows, and where the rule needs them their losses."""
    criterion = rows.target.criterion(len(unseen.grid), probabilistic=unseen.probabilistic)
    stable = rows.spec.rule == "stable"
    of_rows = rows.target.row_losses(rows.y, probabilistic=unseen.probabilistic) if stable else None
    losses = UnitLosses(len(unseen.grid), units)
    for values, part, weights, decision_values in unseen.blocks():
        criterion.add(values, decision_values, rows.y[part], weights)
        if of_rows is not None:
            losses.add(values, part, of_rows(decision_values, rows.y[part]), weights)
    return criterion.judgement(), None if of_rows is None else losses


def _recorded(judged: Judgement) -> dict[str, Any]:
    """Return a judgement's scores as ``Choice`` has them: those of single labels in fields of their own."""
    record: dict[str, Any] = {name: tuple(scores.tolist()) for name, scores in judged.record.items()}
    own: dict[str, Any] = {name: record.pop(name) for name in ("accuracy", "log_loss") if name in record}
    return {**own, "scores": record}


def _best(good: NDArray[np.float64], cost: NDArray[np.float64]) -> int:
    tied = np.flatnonzero(good >= good.max() - 1e-12)
    lowest = tied[cost[tied] <= cost[tied].min()]
    return int(lowest[(len(lowest) - 1) // 2])


def _held(held: Iterator[Held]) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """Return the decision values of one value for all held-out rows, which rows these are, and their weights."""
    _, parts, weights, decision_values = zip(*held, strict=True)
    return np.concatenate([c[0] for c in decision_values]), np.concatenate(parts), np.concatenate(weights)
