"""Evaluate: score a fitted head on test features. The only stage that opens them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stages.errors import DataError, StoreError
from stages.heads import LinearHead
from stages.metrics import ClassScore, Score, bootstrap, by_class, confusion
from stages.store import Features


@dataclass(frozen=True)
class Evaluation:
    """What a head scores on one test split.

    ``scores``: accuracy and macro-F1 with 95 % intervals. ``confusion``: counts by true
    label and prediction. ``features``: the digests of the feature keys that were scored.
    """

    rows: int
    scores: dict[str, Score]
    classes: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...]
    features: tuple[str, ...]


def evaluate(head: LinearHead, views: Sequence[Features], *, seed: int = 0) -> Evaluation:
    """Return the head's scores on test features, probabilities averaged over the views.

    Raises DataError if these are not test features of the head's classes, width and rows.
    """
    first = views[0]
    for features in views:
        _check(head, features)
    if any(features.ids != first.ids for features in views):
        raise DataError("the views hold different test samples, one of them quarantined some; extract again")
    mean = np.mean([head.probabilities(features.X) for features in views], axis=0)
    counts = confusion(first.y, mean.argmax(1), len(head.classes))
    return Evaluation(
        len(first),
        bootstrap(counts, seed),
        by_class(counts, head.classes),
        tuple(map(tuple, counts.tolist())),
        tuple(features.key for features in views),
    )


def _check(head: LinearHead, features: Features) -> None:
    if features.split != "test":
        raise DataError(f"evaluation was handed {features.split} features; wanted the test split")
    if features.classes != head.classes:
        raise DataError(f"the head knows {len(head.classes)} classes, the features {len(features.classes)} others")
    if features.X.shape[1] != head.weight.shape[1]:
        raise StoreError(f"the head takes {head.weight.shape[1]} features, {features.X.shape[1]} were given")
    if not len(features):
        raise DataError("every test sample is quarantined; nothing to evaluate")
