"""What quick heads say of a dataset: labels and numbers to look at again, and what test samples in train are worth."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from frostline.pipeline.records.findings import Issue, Leak, OddValue
from frostline.stages.diagnostics import (
    Copies,
    NearDuplicates,
    doubtful_labels,
    label_issues,
    limit,
    out_of_fold,
    out_of_fold_of,
    strength,
    unlikely_values,
)
from frostline.stages.evaluate import predictions
from frostline.stages.fit import fit
from frostline.stages.heads import Head, HeadSpec, head_kind, head_spec
from frostline.stages.metrics import Predictions, Score, bootstrap
from frostline.stages.metrics.compare import main_statistic
from frostline.stages.store import Features
from frostline.stages.targets.base import DEFAULT
from frostline.stages.targets.registry import TARGETS

_FEW = 10  # different samples, of fewer no value is chosen


def quick_head(train: Features, seed: int) -> tuple[Head, HeadSpec]:
    """Return a head on all training rows, and its spec with the one value that it has.

    A logistic regression whose C follows from the features; for numbers a ridge whose alpha is chosen by five folds.
    """
    kind = train.targets.kind
    name = TARGETS.load(kind).usual_head
    if name == "logreg":
        spec = head_spec(name, (strength(train.X),), target=kind, seed=seed)
        return fit([train], spec)[0], spec
    grid, folds = (None, 5) if _units(train) >= _FEW else ((head_kind(name).default,), 0)
    head, selection = fit([train], head_spec(name, grid, folds=folds, target=kind, seed=seed))
    return head, head_spec(name, (selection.value,), target=kind, seed=seed)


def _units(train: Features) -> int:
    """Return how many different samples, or groups, there are."""
    groups = train.targets.groups
    return len(np.unique(train.digests if groups is None else groups[:, None], axis=0))


class Doubts(NamedTuple):
    """Labels worth a second look; how many there would be if all were right, and how often the judge agrees."""

    issues: tuple[Issue, ...] = ()
    expected: float | None = None
    agreement: float | None = None


def doubts_of(train: Features, spec: HeadSpec, seed: int) -> Doubts:
    """Return the training labels that are worth a second look, the most evidence first; none of numbers."""
    if train.targets.kind == DEFAULT:
        return _single(train, spec, seed)
    if train.targets.kind != "multi-label" or _units(train) < 2:
        return Doubts()
    judged = doubtful_labels(out_of_fold_of(train, spec, _units(train), seed), train.y)
    words = {True: "yes", False: "no"}
    issues = tuple(
        Issue(
            id=train.ids[one.row],
            given=f"{train.classes[one.label]}: {words[one.given]}",
            suggested=f"{train.classes[one.label]}: {words[not one.given]}",
            chance=one.chance,
        )
        for one in judged.found
    )
    return Doubts(issues, judged.expected, judged.agreement)


def _can_be_doubted(train: Features) -> bool:
    """Whether two classes have several different samples: else a fold may leave no other class, or none to compare."""
    different = np.unique(np.column_stack([train.digests, train.y]), axis=0)
    return int((np.bincount(different[:, -1].astype(np.int64)) > 1).sum()) > 1


def _single(train: Features, spec: HeadSpec, seed: int) -> Doubts:
    if not _can_be_doubted(train):
        return Doubts()
    if train.targets.groups is None:
        probabilities = out_of_fold(train.X, train.y, train.digests, len(train.classes), seed=seed)
    else:
        probabilities = out_of_fold_of(train, spec, _units(train), seed)
    found, names = label_issues(probabilities, train.y), train.classes
    columns = zip(found.rows, found.given, found.suggested, found.chance, strict=True)
    issues = tuple(
        Issue(id=train.ids[row], given=names[given], suggested=names[other], chance=chance)
        for row, given, other, chance in columns
    )
    return Doubts(issues, found.expected, found.agreement)


def odd_values_of(train: Features, spec: HeadSpec, seed: int) -> tuple[tuple[OddValue, ...], float | None]:
    """Return the training numbers that are worth a second look, and beyond how many deviations; none of labels."""
    if train.targets.kind != "regression" or _units(train) < 2:
        return (), None
    found = unlikely_values(out_of_fold_of(train, spec, _units(train), seed), train.y)
    values = (OddValue(train.ids[one.row], train.classes[one.output], one.given, one.expected, one.z) for one in found)
    return tuple(values), limit(int(np.count_nonzero(~np.isnan(train.y))))


def leak_of(test: Features, head: Head, same: Iterable[Copies], near: NearDuplicates, seed: int) -> Leak:
    """Return which test samples are in train, and the head's main score with and without them."""
    names = {name for group in same if group.leaks for name in group.test} | {pair.id for pair in near.across}
    answers, leaked = predictions(head, [test]), np.array([name in names for name in test.ids], bool)
    whole = _score(answers, seed)
    assert whole is not None
    rows = np.flatnonzero(leaked).tolist()
    return Leak(tuple(test.ids[row] for row in rows), whole, _score(answers.masked(~leaked), seed))


def _score(answers: Predictions, seed: int) -> Score | None:
    """Return the main score; None without a row."""
    if not len(answers):
        return None
    groups = answers.groups if answers.groups is not None and len(np.unique(answers.groups)) > 1 else None
    return bootstrap([main_statistic(answers)], len(answers), seed, groups=groups)[0][0]
