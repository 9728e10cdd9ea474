"""Evaluate: score a fitted head on test features. The only stage that opens them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from frostline.stages.errors import DataError, StoreError
from frostline.stages.heads import Head
from frostline.stages.metrics import Predictions
from frostline.stages.metrics.evaluation import Evaluation
from frostline.stages.store import Features
from frostline.stages.targets.registry import TARGETS

__all__ = ["Evaluation", "predictions", "score"]


def predictions(head: Head, views: Sequence[Features]) -> Predictions:
    """Return the predictions of the head on test features: decision values, float64 (n, classes), averaged over views.

    Raises DataError or StoreError if the features are not test features with the head's classes and width.
    """
    first = views[0]
    for features in views:
        _check(head, features)
    if any(features.ids != first.ids for features in views):
        raise DataError("the views hold different test samples, because one of them quarantined some; extract again")
    mean = np.mean([head.decision_values(features.X) for features in views], axis=0)
    keys = tuple(features.key for features in views)
    about = first.targets.kind, first.targets.groups
    return Predictions(first.ids, first.y, mean, head.classes, head.probabilistic, keys, *about)


def score(
    predicted: Predictions, *, seed: int = 0, temperature: float | None = None, thresholds: Sequence[float] = ()
) -> Evaluation:
    """Return all scores of the predictions, with intervals from the same resamples of rows, or of groups.

    ``temperature`` and ``thresholds``: learned on held-out training rows, if the kind of target uses them; the scores
    with them are added to the others.
    """
    target = TARGETS.load(predicted.kind)
    found = target.evaluate(predicted, seed, temperature, thresholds)
    if predicted.groups is None:
        return found
    alone = target.evaluate(replace(predicted, groups=None), seed, temperature, thresholds)
    groups = len(np.unique(predicted.groups))
    return replace(found, groups=groups, of_rows=alone.scores[target.main])


def _check(head: Head, features: Features) -> None:
    if features.split != "test":
        raise DataError(f"evaluation got {features.split} features; expected the test split")
    if features.classes != head.classes:
        raise DataError(
            f"the head has {len(head.classes)} names, which differ from the {len(features.classes)} of the features"
        )
    if features.X.shape[1] != head.width:
        raise StoreError(f"got {features.X.shape[1]} features; the head expects {head.width}")
    if not len(features):
        raise DataError("every test sample is quarantined; there is nothing to evaluate")
