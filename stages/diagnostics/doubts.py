"""What heads that have not seen a row say against its labels or numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostline.stages.datasets.draws import folds
from frostline.stages.diagnostics.label_errors import LabelIssues, label_issues
from frostline.stages.heads import HeadSpec, solver
from frostline.stages.heads.base import explained
from frostline.stages.store import Features

FEWEST = 10  # known rows of a label or an output, of fewer nothing is said
_FOLDS = 5
_LEAST = 3.5
_EXACT = 1e-9  # of a value's own deviation: smaller residuals are rounding


@dataclass(frozen=True)
class DoubtfulLabel:
    """One label of a row that is worth a second look. ``given``: whether the row is said to have it.

    ``chance``: the calibrated probability of what is given.
    """

    row: int
    label: int
    given: bool
    chance: float


@dataclass(frozen=True)
class DoubtfulLabels:
    """The labels worth a second look, the one with the most evidence against it first.

    ``expected``: how many there would be if every label were right; ``agreement``: of all known labels, the share that
    the heads which judge would have given, too. Both are None where no label could be judged.
    """

    found: tuple[DoubtfulLabel, ...]
    expected: float | None
    agreement: float | None


@dataclass(frozen=True)
class UnlikelyValue:
    """One number of a row that is far from what the other rows speak for: ``z`` robust deviations."""

    row: int
    output: int
    given: float
    expected: float
    z: float


def out_of_fold_of(train: Features, spec: HeadSpec, units: int, seed: int = 0) -> NDArray[np.float64]:
    """Return each row's decision values by the head of the spec's one value, fitted without the row's fold, (n, names).

    Copies, and rows of one group, are in one fold. ``units``: how many different samples, or groups, there are; there
    are five folds, or as many as units.
    """
    fold = folds(train.targets, train.digests, min(_FOLDS, units), seed)
    made = solver(spec, train.X, train.y, len(train.classes), train.targets.kind)
    result = np.zeros((len(train), len(train.classes)))
    for held in (fold == k for k in np.unique(fold)):
        with explained(spec):
            path = made.fit(spec.grid, (~held).astype(np.float64))
        result[held] = path.decision_values(train.X[held])[0]
    return result


def doubtful_labels(probabilities: NDArray[np.float64], y: NDArray[np.int8]) -> DoubtfulLabels:
    """Return the known labels of ``y``, int8 (n, labels), that probabilities, float64 (n, labels), speak against.

    Each label by itself: see ``frostline.stages.diagnostics.label_issues``.
    """
    judged = tuple(_judged(probabilities, y))
    if not judged:
        return DoubtfulLabels((), None, None)
    found = (
        DoubtfulLabel(int(known[place]), label, bool(given), chance)
        for label, known, issues in judged
        for place, given, chance in zip(issues.rows, issues.given, issues.chance, strict=True)
    )
    agreed = sum(len(known) * issues.agreement for _, known, issues in judged)
    return DoubtfulLabels(
        found=tuple(sorted(found, key=lambda one: one.chance)),
        expected=sum(issues.expected for _, _, issues in judged),
        agreement=agreed / sum(len(known) for _, known, _ in judged),
    )


def _judged(
    probabilities: NDArray[np.float64], y: NDArray[np.int8]
) -> Iterator[tuple[int, NDArray[np.int64], LabelIssues]]:
    """Yield each label that can be judged, the rows where it is known, and what is said of these."""
    for label in range(y.shape[1]):
        known = np.flatnonzero(y[:, label] >= 0)
        own, p = y[known, label].astype(np.int64), probabilities[known, label]
        if len(known) >= FEWEST and 0 < own.sum() < len(own):
            yield label, known, label_issues(np.stack([1 - p, p], 1), own)


def limit(n: int) -> float:
    """Return beyond how many deviations fewer than one in two sets of n normal values has one, 3.5 at least.

    Chauvenet's criterion; 3.5 is that of Iglewicz and Hoaglin ("How to detect and handle outliers", 1993).
    """
    from scipy.special import ndtri

    return max(_LEAST, float(-ndtri(0.25 / max(n, 1))))


def unlikely_values(predicted: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[UnlikelyValue, ...]:
    """Return the values of ``y``, float64 (n, outputs), NaN not known, that out-of-fold predictions are far from.

    Far: the residual less their median is beyond ``limit`` of all known values times 1.4826 median absolute
    deviations of its output. Outputs of fewer than 10 known values are skipped. The farthest first.
    """
    far = limit(int(np.count_nonzero(~np.isnan(y))))
    found = (one for output in range(y.shape[1]) for one in _of_output(predicted[:, output], y[:, output], output, far))
    return tuple(sorted(found, key=lambda one: -one.z))


def _of_output(
    predicted: NDArray[np.float64], y: NDArray[np.float64], output: int, far: float
) -> Iterator[UnlikelyValue]:
    known = np.flatnonzero(~np.isnan(y))
    if len(known) < FEWEST:
        return
    residuals = y[known] - predicted[known]
    away = np.abs(residuals - np.median(residuals))
    scale = max(1.4826 * float(np.median(away)), _EXACT * float(y[known].std()), float(np.finfo(np.float64).tiny))
    for place in np.flatnonzero(away / scale > far).tolist():
        row = int(known[place])
        yield UnlikelyValue(row, output, float(y[row]), float(predicted[row]), float(away[place] / scale))
