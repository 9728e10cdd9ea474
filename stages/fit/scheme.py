"""How rows are held out to choose by: as the spec says, or as suits how many there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostline.stages.datasets import grouped
from frostline.stages.datasets.sampling import content_hash_order, contents, folds, hold_out
from frostline.stages.errors import DataError, counted
from frostline.stages.fit.enough import identical, same_content, too_few
from frostline.stages.fit.training_rows import Mask, TrainingRows
from frostline.stages.heads import HeadSpec, head_kind

ENOUGH = 1_000  # rows held out: a share of rows may be
_FEW = 300  # rows: of fewer, folds are dealt again
_GROUPS = 20  # held out: of fewer, groups are dealt to folds
_FOLDS, _REPEATS, _SHARE = 5, 5, 0.1
_NEXT = 2**32  # the seeds of draws lie between those of repeats
_TOO_FEW = "{} are too few for a validation set; set one value with --grid"


@dataclass(frozen=True)
class Scheme:
    """``folds`` of the rows, each held out in turn, dealt ``repeats`` times; without folds a ``share`` is held out."""

    folds: int
    share: float = 0.0
    repeats: int = 1

    @property
    def shares(self) -> list[float]:
        """What part of the rows each part gets."""
        return [1 / self.folds] * self.folds if self.folds else [1 - self.share, self.share]


def scheme(spec: HeadSpec, rows: int, groups: int | None) -> Scheme:
    """Return the scheme for so many different rows, and groups where there are any.

    ``auto`` holds out a tenth where that is 1,000 rows (and 20 groups), else deals all rows to five folds, again and
    again until 300 rows have been held out, five times at most. An estimator, each of whose fits starts again, and SGD,
    whose fits take as long for few rows, are fitted to one deal.
    """
    if spec.folds != "auto":
        return Scheme(int(spec.folds), spec.hold_out)
    if _SHARE * rows >= ENOUGH and (groups is None or _SHARE * groups >= _GROUPS):
        return Scheme(0, _SHARE)
    again = 1 if head_kind(spec.kind).costly else min(_REPEATS, -(-_FEW // rows))
    return Scheme(min(_FOLDS, rows if groups is None else groups), repeats=again)


def held_out(
    rows: TrainingRows, digests: NDArray[np.uint8], groups: NDArray[np.int64] | None
) -> tuple[Scheme, list[Mask]]:
    """Return how rows are held out, and which, one mask of (n,) for each fit.

    A row of a class that would all be held out stays with those that are fitted, and with it its group. Raises
    DataError where rows or groups are too few.
    """
    count = None if groups is None else len(np.unique(groups))
    if count == 1:
        raise DataError("only one group of training samples, so no group can be held out; set one value with --grid")
    found = scheme(rows.spec, int(contents(digests).max()) + 1, count)
    masks = [mask for again in range(found.repeats) for mask in _dealt(rows, digests, groups, found, again)]
    kept = [mask for mask in (_of_fitted_classes(rows, mask, groups) for mask in masks) if mask.any()]
    if not kept or not all(_enough(rows, ~mask) for mask in kept):
        raise DataError(_cause(rows, digests, count))
    return found, kept


def _cause(rows: TrainingRows, digests: NDArray[np.uint8], groups: int | None) -> str:
    """Return why no row can be held out, and what to do."""
    if same_content(digests):
        return identical(len(rows.y), rows.spec.parameter)
    if groups is None or not rows.target.exclusive:
        return _TOO_FEW.format(counted(len(rows.y), "training row"))
    return (
        f"{counted(len(rows.y), 'training row')} in {counted(groups, 'group')}: to hold out groups would leave a class "
        "without rows to fit; expected two groups or more of a class, or one value with --grid"
    )


def of_validation(rows: TrainingRows, held: Mask, groups: NDArray[np.int64] | None) -> Mask:
    """Return which rows of a dataset's own validation split choose, (n,): by the rules of ``held_out``.

    Rows of a class that no other row has, and of a group that others are of, are fitted. Raises DataError where none
    is left. The fitted ones are of every class then.
    """
    apart = held if groups is None else held & ~np.isin(groups, groups[~held])
    kept = _of_fitted_classes(rows, apart, groups)
    if not kept.any():
        of = "classes that no other training row has" if apart.any() else "groups that other training rows belong to"
        raise DataError(
            f"{int(held.sum()):,} rows of the validation split, all of {of}; expected some that others can be fitted "
            "for"
        )
    return kept


def _dealt(
    rows: TrainingRows, digests: NDArray[np.uint8], groups: NDArray[np.int64] | None, found: Scheme, again: int
) -> Sequence[Mask]:
    target, seed = rows.target, rows.spec.seed + _NEXT * again
    if groups is None:
        part = target.dealt(rows.y, content_hash_order(digests, seed), found.shares)
    else:
        part = grouped.dealt(target, rows.y, digests, groups, found.shares, seed)
    if part is None:
        return _within_strata(target.strata(rows.y), digests, rows.spec, found, seed)
    return [part == k for k in range(found.folds)] if found.folds else [part == 1]


def _within_strata(
    strata: NDArray[np.int64], digests: NDArray[np.uint8], spec: HeadSpec, found: Scheme, seed: int
) -> list[Mask]:
    wrong = too_few(strata, digests, spec)
    if wrong:
        raise DataError(wrong)
    classes = int(strata.max()) + 1
    if not found.folds:
        return [hold_out(strata, digests, classes, found.share, seed, least=1)]
    fold = folds(strata, digests, classes, found.folds, seed)
    return [fold == k for k in range(found.folds)]


def _of_fitted_classes(rows: TrainingRows, held: Mask, groups: NDArray[np.int64] | None) -> Mask:
    """Return the mask without rows of classes that no fitted row has, nor others of their groups.

    Nothing could be learned of these classes.
    """
    if not rows.target.exclusive:
        return held
    fitted = np.bincount(rows.y[~held], minlength=rows.classes) > 0
    alone = held & ~fitted[rows.y]
    kept: Mask = held & ~(alone if groups is None else np.isin(groups, groups[alone]))
    return kept


def _enough(rows: TrainingRows, fitted: Mask) -> bool:
    """Whether a head can be fitted on some of the rows."""
    return bool(fitted.any()) and (not rows.target.exclusive or len(np.unique(rows.y[fitted])) > 1)
