"""``multi-label``: each sample has any number of labels, each of which it has, hasn't, or is not known to have."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.stages.errors import counted
from frostline.stages.metrics import evaluation
from frostline.stages.metrics.evaluation import Evaluation
from frostline.stages.metrics.label_ranking import weighted_average_precision
from frostline.stages.metrics.multi_label import usual_thresholds
from frostline.stages.metrics.predictions import Predictions
from frostline.stages.metrics.statistic import ratio
from frostline.stages.metrics.thresholds import best_thresholds
from frostline.stages.targets.base import Judgement, RowLosses, Scores, Target, TargetValues, held_of, no_sample
from frostline.stages.targets.iterative import iterative_parts, rarest_labels

Block = tuple[NDArray[np.float32], TargetValues, NDArray[np.float64]]


class MultiLabel(Target):
    """``values``: int8 (n, labels): 1 where a row has a label, 0 where it hasn't, -1 where that is unknown."""

    kind = "multi-label"
    table = MappingProxyType({"map": "mAP", "macro_auroc": "macro AUROC", "macro_f1": "macro-F1"})
    per_name = True
    example = np.array([[1, 0], [0, 1], [1, 1], [0, 0]], np.int8)

    def faults(self, names: Sequence[str], train: TargetValues, test: TargetValues) -> list[str]:
        wrong = self.number_faults(names)
        empty = [split for split, values in (("training", train), ("test", test)) if not len(values)]
        if len(train):
            wrong += [fault for name, own in zip(names, train.T, strict=True) for fault in _useless(name, own)]
        if len(test) and not (test == 1).any():
            wrong.append("no test sample has any of the labels, so there is nothing to rank")
        return wrong + [no_sample(split) for split in empty]

    def number_faults(self, names: Sequence[str]) -> list[str]:
        return [] if names else ["no cell contains a label; a multi-label target needs at least one"]

    def split_faults(self, names: Sequence[str], values: TargetValues, test_fraction: float) -> list[str]:
        having = (values == 1).sum(0).tolist()
        wrong = [
            f"label {name!r}: {counted(n, 'sample')} with it; add samples or leave the label out"
            for name, n in zip(names, having, strict=True)
            if n < 2
        ]
        if not 0 < held_of(len(values), test_fraction) < len(values):
            wrong.append(f"{counted(len(values), 'sample')} at the test fraction {test_fraction:g}; change it")
        return wrong

    def strata(self, values: TargetValues) -> NDArray[np.int64]:
        """Return the place of each row's rarest label among those so found; see ``iterative.rarest_labels``.

        Lots within these strata deal the rarest labels in their shares, and the others nearly so.
        """
        strata: NDArray[np.int64] = np.unique(rarest_labels(values), return_inverse=True)[1]
        return strata

    def dealt(self, values: TargetValues, lots: NDArray[np.bytes_], shares: Sequence[float], /) -> NDArray[np.int64]:
        """Return the parts of iterative stratification."""
        return iterative_parts(values, lots, shares)

    def thresholds(self, decision_values: Scores, values: TargetValues, *, probabilistic: bool) -> tuple[float, ...]:
        """Return each label's threshold, above which F1 is largest on these rows."""
        return best_thresholds(values, decision_values, *usual_thresholds(1, probabilistic=probabilistic))

    def evaluate(
        self, predicted: Predictions, seed: int, _temperature: float | None, thresholds: Sequence[float], /
    ) -> Evaluation:
        return evaluation.multi_label(predicted, seed, thresholds)

    def row_losses(self, values: TargetValues, /, *, probabilistic: bool) -> RowLosses | None:
        """Return log-losses summed over labels, each divided by the share of rows that it is known of."""
        if not probabilistic:
            return None
        known = (values >= 0).mean(0)
        share = 1 / np.where(known > 0, known, 1)

        def losses(decision_values: NDArray[Any], own: TargetValues) -> tuple[Scores, Scores]:
            other = np.where(own >= 0, decision_values < 0.5, -1)
            return _costs(decision_values, own) @ share, _costs(decision_values, other) @ share

        return losses

    def criterion(self, candidates: int, *, probabilistic: bool) -> LossThenPrecision:
        return LossThenPrecision(candidates, probabilistic=probabilistic)


class LossThenPrecision:
    """The mean over labels of the log-loss, then of average precision; average precision alone without probabilities.

    A label's log-loss is that of its known rows, and a label that no row is known of is left out; so is one that no
    row has from the mean of average precision. Decision values are kept as float32, candidates x rows x labels of them.
    """

    def __init__(self, candidates: int, *, probabilistic: bool) -> None:
        self.probabilistic = probabilistic
        self.blocks: list[list[Block]] = [[] for _ in range(candidates)]

    def add(
        self, candidates: slice, decision_values: NDArray[Any], values: TargetValues, weights: NDArray[np.float64]
    ) -> None:
        """Take a block of rows; see ``Criterion``."""
        for own, one in zip(self.blocks[candidates], decision_values, strict=True):
            own.append((one.astype(np.float32, copy=False), values, weights))

    def judgement(self) -> Judgement:
        """Return the means over labels, and what each label says by itself."""
        whole = [tuple(map(np.concatenate, zip(*own, strict=True))) for own in self.blocks]
        precision = np.stack([_precision(*own) for own in whole])
        if not self.probabilistic:
            good = _mean(precision)
            return Judgement(good, np.zeros(len(good)), {"map": good}, precision, np.zeros(precision.shape))
        loss = np.stack([_log_loss(*own) for own in whole])
        record = {"macro_log_loss": _mean(loss), "map": _mean(precision)}
        return Judgement(-record["macro_log_loss"], -record["map"], record, -loss, -precision)


def _precision(decision_values: NDArray[np.float32], values: TargetValues, weights: NDArray[np.float64]) -> Scores:
    """Return each label's average precision, NaN where no row has it."""
    columns = zip(values.T, decision_values.T, strict=True)
    return np.array([weighted_average_precision(own, score, weights) for own, score in columns])


def _log_loss(decision_values: NDArray[np.float32], values: TargetValues, weights: NDArray[np.float64]) -> Scores:
    """Return each label's log-loss, NaN where no row is known; a value held impossible costs 36 nats."""
    return ratio(weights @ _costs(decision_values, values), weights @ (values >= 0))


def _costs(decision_values: NDArray[np.float32], values: TargetValues) -> Scores:
    """Return -log p of each value, (…, labels), 0 where it is unknown."""
    right = np.where(values == 1, decision_values, 1 - decision_values).astype(np.float64)
    return np.where(values >= 0, -np.log(np.maximum(right, np.finfo(np.float64).eps)), 0)


def _mean(each: Scores) -> Scores:
    """Return the means (k,) over labels (k, labels) that are defined, 0 where none is."""
    defined = ~np.isnan(each)
    mean: Scores = np.where(defined, each, 0).sum(1) / np.maximum(defined.sum(1), 1)
    return mean


def _useless(name: str, own: NDArray[np.int8]) -> list[str]:
    """Return what makes a label's training values useless, one phrase or none."""
    known = own[own >= 0]
    if not len(known):
        return [f"label {name!r}: unknown for every training sample"]
    if not known.any():
        return [f"label {name!r}: no training sample has it"]
    return [f"label {name!r}: every training sample has it"] if known.all() else []


MULTI_LABEL = MultiLabel()
