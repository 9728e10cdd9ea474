"""Fit: choose a head's hyperparameter on held-out training rows, then fit the head on all training rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from frostline.stages.errors import ConfigError, DataError, listing
from frostline.stages.fit.enough import too_few
from frostline.stages.fit.select import choose
from frostline.stages.fit.selection import Choice, Selection
from frostline.stages.fit.training_rows import TrainingRows
from frostline.stages.heads import Head, HeadPath, HeadSpec, head_kind
from frostline.stages.heads.kinds import Number
from frostline.stages.store import Features, stacked
from frostline.stages.targets.base import DEFAULT

__all__ = ["Selection", "fit", "fit_rows", "too_few"]

_BLOCK = 8192


def fit(views: Sequence[Features], spec: HeadSpec) -> tuple[Head, Selection]:
    """Return the head fitted on all training rows of all views, and how it was selected.

    The views of one sample stay on one side of the hold-out. Raises DataError if the features are not training
    features, are not finite, have fewer than two classes, or have too few rows for a validation set; ConfigError for
    options that the head does not accept.
    """
    X, y, digests = _stacked(views)
    about = views[0].targets
    groups = None if about.groups is None else np.concatenate([about.groups] * len(views))
    rows = TrainingRows(X, y, len(about.names), spec, about.kind)
    held = [_validation(views, spec.validation)] if spec.validation else []
    return fit_rows(rows, digests, about.names, len(views), groups=groups, held=held)


def fit_rows(
    rows: TrainingRows,
    digests: NDArray[np.uint8],
    names: tuple[str, ...],
    views: int = 1,
    *,
    groups: NDArray[np.int64] | None = None,
    held: Sequence[NDArray[np.bool_]] = (),
) -> tuple[Head, Selection]:
    """Return the head fitted on rows (n, d) of any kind of target, and how it was selected.

    ``digests``: uint8 (n, 32), of the content of each row; ``views``: the number of views per sample among the rows;
    ``groups``: int64 (n,); rows of one group are never on both sides of a hold-out or fold; ``held``: one or more bool
    (n,) masks of validation rows, used in turn instead of the scheme of the spec. Raises the errors of ``fit``.
    """
    spec = rows.spec
    choice = (
        choose(rows, digests, views, groups=groups, held=held) if len(spec.grid) > 1 else Choice(value=spec.grid[0])
    )
    wanted = tuple(sorted(set(choice.values))) or (choice.value,)
    last = rows.fit(wanted, np.ones(len(rows.y), bool))
    gap, slope = (getattr(last, name, None) for name in ("gap", "gradient_norm"))
    head = _head(last, wanted, choice, names)
    choice = replace(choice, thresholds=getattr(head, "thresholds", ()))  # those of a head that takes none are not used
    selection = Selection(
        **{each.name: getattr(choice, each.name) for each in fields(Choice)},
        parameter=spec.parameter,
        grid=tuple(value for value in spec.grid if value not in choice.untried),
        at_edge=_at_edge(spec, choice.value),
        final_rows=len(rows.y),
        final_converged=bool(last.converged.all()),
        final_iterations=int(last.iterations.max()),
        final_gap=None if gap is None else float(gap.max()),
        final_gradient_norm=None if slope is None else float(slope.max()),
        seed=spec.seed,
    )
    return head, selection


def _validation(views: Sequence[Features], start: str) -> NDArray[np.bool_]:
    """Return which rows of all views are of a validation split: their ids begin so. Raises DataError without any."""
    held = np.array([name.startswith(start) for view in views for name in view.ids])
    if not held.any() or held.all():
        raise DataError(
            f"{int(held.sum())} of {len(held)} training rows belong to the validation split; expected at least "
            "one on each side"
        )
    return held


def _at_edge(spec: HeadSpec, value: Number) -> bool:
    """Whether a wider grid could have given another value: not beyond what the parameter can be."""
    kind = head_kind(spec.kind)
    return len(spec.grid) > 1 and value in (spec.grid[0], spec.grid[-1]) and value not in (kind.low, kind.high)


def _head(path: HeadPath, fitted: Sequence[Number], choice: Choice, names: tuple[str, ...]) -> Head:
    """Return the head of the chosen value, or of each label's, with the thresholds that were learned."""
    places = [fitted.index(value) for value in choice.values]
    if places and not hasattr(path, "head_of_each"):
        raise ConfigError("this head can't have a separate hyperparameter for each label; leave --per-label out")
    head: Any = cast(Any, path).head_of_each(places, names) if places else path.head(0, names)
    takes_them = choice.thresholds and hasattr(head, "with_thresholds")
    return cast(Head, head.with_thresholds(choice.thresholds) if takes_them else head)


def _stacked(views: Sequence[Features]) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.uint8]]:
    """Return all views' rows, one array, with their labels and digests."""
    for features in views:
        if features.split != "train":
            raise DataError(f"a head can't be fitted on {features.split} features; expected the train split")
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
        raise DataError(
            f"features that are NaN or infinite, in:\n{listing(bad)}\nExtract again, or remove these samples."
        )
    if views[0].targets.kind == DEFAULT and len(np.unique(y)) < 2:
        raise DataError(f"training rows of {len(np.unique(y))} class; a classifier needs at least two")
