"""What a head scores on one split: of each kind of target, its scores with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.stages.metrics.auroc import one_versus_rest
from frostline.stages.metrics.calibration import (
    Bin,
    calibration_error,
    mean_losses,
    reliability_bins,
    tempered,
)
from frostline.stages.metrics.decisions import (
    ClassScore,
    averages,
    class_scores,
    confusion,
    in_top,
    precision_recall_f1,
)
from frostline.stages.metrics.multi_label import LabelScore, label_scores
from frostline.stages.metrics.predictions import SINGLE_LABEL, Predictions
from frostline.stages.metrics.regression import OutputScore, regression_scores
from frostline.stages.metrics.score import Score
from frostline.stages.metrics.statistic import Statistic, bootstrap, means


@dataclass(frozen=True)
class Evaluation:
    """What a head scores on one test split.

    Attributes:
        rows: how many test rows were scored.
        scores: ``accuracy``, ``balanced_accuracy``, ``macro_f1``, ``weighted_f1``; ``top5_accuracy`` of
            more than five classes; ``auroc`` where two classes or more have test rows; of a head with
            probabilities ``log_loss``, ``brier`` and ``ece``, and these again with the suffix
            ``_calibrated`` where a temperature is given. All with 95 % intervals. Of other kinds of targets, those of
            ``frostline.stages.metrics.multi_label`` and ``.regression``.
        classes: precision, recall and F1 of each class; empty for other kinds of targets.
        confusion: counts by true label and prediction; empty for other kinds of targets.
        features: the digests of the feature keys that were scored.
        temperature: what log p was divided by for the calibrated scores.
        reliability: the bins of ``ece``; empty without probabilities.
        reliability_calibrated: the bins of ``ece_calibrated``; empty without a temperature.
        kind: of target.
        labels: the scores of each label of a multi-label target.
        outputs: the scores of each output of a regression.
        groups: how many groups the rows are of; 0 where they stand for themselves. Intervals resample groups.
        of_rows: the main score with the interval that rows alone would have claimed; None without groups.
    """

    rows: int
    scores: dict[str, Score]
    classes: tuple[ClassScore, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    features: tuple[str, ...] = ()
    temperature: float | None = None
    reliability: tuple[Bin, ...] = ()
    reliability_calibrated: tuple[Bin, ...] = ()
    kind: str = SINGLE_LABEL
    labels: tuple[LabelScore, ...] = ()
    outputs: tuple[OutputScore, ...] = ()
    groups: int = 0
    of_rows: Score | None = None


def single_label(predicted: Predictions, seed: int = 0, temperature: float | None = None) -> Evaluation:
    """Return every score that predictions of single labels allow, with intervals.

    ``temperature``: learned on training rows held out; the calibrated scores are added to the others.
    """
    y, classes = predicted.y, len(predicted.classes)
    chances = _chances(predicted, temperature)
    groups = _statistics(predicted, chances)
    statistics = [precision_recall_f1(y, predicted.labels, classes), *groups.values()]
    of_classes, *others = bootstrap(statistics, len(y), seed, groups=predicted.groups)
    scores = averages(of_classes)
    for names, found in zip(groups, others, strict=True):
        scores |= dict(zip(names, found, strict=True))
    bins = {suffix: reliability_bins(p, y) for suffix, p in chances.items()}
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
        return {"": predicted.decision_values}
    return {"": predicted.decision_values, "_calibrated": tempered(predicted.decision_values, temperature)}


def _statistics(predicted: Predictions, chances: dict[str, NDArray[np.float64]]) -> dict[tuple[str, ...], Statistic]:
    """Return what can be scored, but for the averages over classes, by names."""
    y, decision_values = predicted.y, predicted.decision_values
    rows: dict[str, NDArray[Any]] = {"accuracy": predicted.right}
    if len(predicted.classes) > 5:
        rows["top5_accuracy"] = in_top(decision_values, y, 5)
    found = {tuple(rows): means(list(rows.values()))}
    found |= {(f"log_loss{suffix}", f"brier{suffix}"): mean_losses(p, y) for suffix, p in chances.items()}
    found |= {(f"ece{suffix}",): calibration_error(p, y) for suffix, p in chances.items()}
    area = one_versus_rest(decision_values, y)
    return found if area is None else {**found, ("auroc",): area}


def multi_label(predicted: Predictions, seed: int = 0, thresholds: Sequence[float] = ()) -> Evaluation:
    """Return every score that predictions of labels allow; ``thresholds``: of each label, chosen on training rows."""
    scores, labels = label_scores(
        predicted.y,
        predicted.decision_values,
        predicted.classes,
        probabilistic=predicted.probabilistic,
        thresholds=thresholds,
        seed=seed,
        groups=predicted.groups,
    )
    return Evaluation(len(predicted), scores, features=predicted.features, kind="multi-label", labels=labels)


def regression(predicted: Predictions, seed: int = 0) -> Evaluation:
    """Return every score that predicted numbers allow."""
    found = regression_scores(predicted.y, predicted.decision_values, predicted.classes, seed, predicted.groups)
    return Evaluation(len(predicted), found[0], features=predicted.features, kind="regression", outputs=found[1])
