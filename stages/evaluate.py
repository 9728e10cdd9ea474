"""Evaluate: score a fitted head on test features. The only stage that opens them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.stages.errors import DataError, StoreError
from frostline.stages.heads import Head
from frostline.stages.metrics import (
    Bin,
    ClassScore,
    Predictions,
    Score,
    Statistic,
    averages,
    bootstrap,
    brier_losses,
    by_class,
    calibration_error,
    class_scores,
    confusion,
    in_top,
    log_losses,
    means,
    one_versus_rest,
    reliability,
    tempered,
)
from frostline.stages.store import Features


@dataclass(frozen=True)
class Evaluation:
    """What a head scores on one test split.

    Attributes:
        rows: how many test rows were scored.
        scores: ``accuracy``, ``balanced_accuracy``, ``macro_f1``, ``weighted_f1``; ``top5_accuracy`` of
            more than five classes; ``auroc`` where two classes or more have test rows; of a head with
            probabilities ``log_loss``, ``brier`` and ``ece``, and these again with the suffix
            ``_calibrated`` where a temperature is given. All with 95 % intervals.
        classes: precision, recall and F1 of each class.
        confusion: counts by true label and prediction.
        features: the digests of the feature keys that were scored.
        temperature: what log p was divided by for the calibrated scores.
        reliability: the bins of ``ece``; empty without probabilities.
        reliability_calibrated: the bins of ``ece_calibrated``; empty without a temperature.
    """

    rows: int
    scores: dict[str, Score]
    classes: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...]
    features: tuple[str, ...] = ()
    temperature: float | None = None
    reliability: tuple[Bin, ...] = ()
    reliability_calibrated: tuple[Bin, ...] = ()


def predictions(head: Head, views: Sequence[Features]) -> Predictions:
    """Return what the head says of test features, confidences averaged over the views.

    Raises DataError or StoreError if these are not test features of the head's classes, width and rows.
    """
    first = views[0]
    for features in views:
        _check(head, features)
    if any(features.ids != first.ids for features in views):
        raise DataError("the views hold different test samples, one of them quarantined some; extract again")
    mean = np.mean([head.confidence(features.X) for features in views], axis=0)
    keys = tuple(features.key for features in views)
    return Predictions(first.ids, first.y, mean, head.classes, head.probabilistic, keys)


def score(predicted: Predictions, *, seed: int = 0, temperature: float | None = None) -> Evaluation:
    """Return every score that the predictions allow, with intervals over the same resamples of rows.

    ``temperature``: learned on training rows held out; the calibrated scores stand beside the others.
    """
    y, classes = predicted.y, len(predicted.classes)
    chances = _chances(predicted, temperature)
    groups = _statistics(predicted, chances)
    of_classes, *others = bootstrap([by_class(y, predicted.labels, classes), *groups.values()], len(y), seed)
    scores = averages(of_classes)
    for names, found in zip(groups, others, strict=True):
        scores |= dict(zip(names, found, strict=True))
    bins = {suffix: reliability(p, y) for suffix, p in chances.items()}
    return Evaluation(
        rows=len(y),
        scores=scores,
        classes=class_scores(of_classes, predicted.classes, y),
        confusion=tuple(map(tuple, confusion(y, predicted.labels, classes).tolist())),
        features=predicted.features,
        temperature=temperature if "_calibrated" in chances else None,
        reliability=bins.get("", ()),
        reliability_calibrated=bins.get("_calibrated", ()),
    )


def _chances(predicted: Predictions, temperature: float | None) -> dict[str, NDArray[np.float64]]:
    """Return the probabilities by the suffix of their scores' names: as they are, and calibrated."""
    if not predicted.probabilistic:
        return {}
    if temperature is None:
        return {"": predicted.confidence}
    return {"": predicted.confidence, "_calibrated": tempered(predicted.confidence, temperature)}


def _statistics(predicted: Predictions, chances: dict[str, NDArray[np.float64]]) -> dict[tuple[str, ...], Statistic]:
    """Return what can be scored, but for the averages over classes, by names."""
    y, confidence = predicted.y, predicted.confidence
    rows: dict[str, NDArray[Any]] = {"accuracy": predicted.right}
    if len(predicted.classes) > 5:
        rows["top5_accuracy"] = in_top(confidence, y, 5)
    for suffix, p in chances.items():
        rows |= {f"log_loss{suffix}": log_losses(p, y), f"brier{suffix}": brier_losses(p, y)}
    found = {tuple(rows): means(list(rows.values()))}
    found |= {(f"ece{suffix}",): calibration_error(p, y) for suffix, p in chances.items()}
    area = one_versus_rest(confidence, y)
    return found if area is None else {**found, ("auroc",): area}


def _check(head: Head, features: Features) -> None:
    if features.split != "test":
        raise DataError(f"evaluation was handed {features.split} features; wanted the test split")
    if features.classes != head.classes:
        raise DataError(f"the head knows {len(head.classes)} classes, the features {len(features.classes)} others")
    if features.X.shape[1] != head.width:
        raise StoreError(f"the head takes {head.width} features, {features.X.shape[1]} were given")
    if not len(features):
        raise DataError("every test sample is quarantined; nothing to evaluate")
