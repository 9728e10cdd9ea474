"""``single-label``: each sample is of one class."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.stages.errors import counted, unknown_name
from frostline.stages.metrics import evaluation
from frostline.stages.metrics.evaluation import Evaluation
from frostline.stages.metrics.predictions import Predictions
from frostline.stages.targets.base import Judgement, RowLosses, Scores, Target, TargetValues, held_of, no_sample


class SingleLabel(Target):
    """``values``: int64 (n,), positions in the names of the classes."""

    kind = "single-label"
    table = MappingProxyType({"accuracy": "accuracy", "macro_f1": "macro-F1"})
    exclusive = True
    example = np.array([0, 1, 0, 1])
    criteria = ("accuracy", "balanced_accuracy")

    def __init__(self, by: str = "accuracy") -> None:
        self.by = by

    def faults(self, names: Sequence[str], train: TargetValues, test: TargetValues) -> list[str]:
        wrong = self.number_faults(names)
        missing = sorted(set(range(len(names))) - set(train.tolist())) if len(train) else []
        for label in missing:
            wrong.append(
                f"class {names[label]!r}: no training sample, {counted(int((test == label).sum()), 'test sample')}"
            )
        empty = [split for split, labels in (("training", train), ("test", test)) if not len(labels)]
        return wrong + [no_sample(split) for split in empty]

    def remarks(self, names: Sequence[str], _train: TargetValues, test: TargetValues, /) -> list[str]:
        """Return which classes have no test sample."""
        untested = [names[label] for label in sorted(set(range(len(names))) - set(test.tolist()))]
        if not untested:
            return []
        more = ", …" if len(untested) > 5 else ""
        return [f"no test sample of {counted(len(untested), 'class')}: {', '.join(untested[:5])}{more}"]

    def number_faults(self, names: Sequence[str]) -> list[str]:
        if len(names) > 1:
            return []
        found = f" ({', '.join(names)})" if names else ""
        return [f"{counted(len(names), 'class')} found{found}; a classifier needs at least two"]

    def split_faults(self, names: Sequence[str], values: TargetValues, test_fraction: float) -> list[str]:
        wrong = []
        for name, n in zip(names, np.bincount(values, minlength=len(names)).tolist(), strict=True):
            n_test = held_of(n, test_fraction)
            if not 0 < n_test < n:
                wrong.append(
                    f"class {name!r}: {counted(n, 'sample')}, {n_test} of them for testing at the test fraction "
                    f"{test_fraction:g}; add samples or change --test-fraction"
                )
        return [*_amounts(names), *wrong] if wrong else []

    def strata(self, values: TargetValues) -> NDArray[np.int64]:
        return values

    def evaluate(
        self, predicted: Predictions, seed: int, temperature: float | None, _thresholds: Sequence[float], /
    ) -> Evaluation:
        return evaluation.single_label(predicted, seed, temperature)

    def chosen_by(self, name: str) -> SingleLabel:
        if name not in self.criteria:
            raise unknown_name("criterion", name, self.criteria)
        return SingleLabel(name)

    def row_losses(self, _values: TargetValues, /, *, probabilistic: bool) -> RowLosses | None:
        """Return log-losses; of heads without probabilities whether a row is wrong. None by balanced accuracy."""
        if self.by == "balanced_accuracy":
            return None
        return _log_losses if probabilistic else _wrong

    def criterion(self, candidates: int, *, probabilistic: bool) -> AccuracyThenLoss:
        if self.by == "balanced_accuracy":
            return BalancedAccuracyThenLoss(candidates, probabilistic=probabilistic)
        return AccuracyThenLoss(candidates, probabilistic=probabilistic)


class AccuracyThenLoss:
    """The weighted share of rows that are right, then their mean log-loss: 0 for heads without probabilities."""

    def __init__(self, candidates: int, *, probabilistic: bool) -> None:
        self.probabilistic = probabilistic
        self.right, self.loss, self.total = np.zeros((3, candidates))

    def add(
        self, candidates: slice, decision_values: NDArray[Any], values: TargetValues, weights: NDArray[np.float64]
    ) -> None:
        """Take a block of rows; see ``Criterion``."""
        self.right[candidates] += (decision_values.argmax(-1) == values) @ weights
        self.total[candidates] += weights.sum()
        if self.probabilistic:
            own = np.take_along_axis(decision_values, values[None, :, None], -1)[..., 0]
            self.loss[candidates] += _costs(own) @ weights

    def judgement(self) -> Judgement:
        """Return the means."""
        accuracy, loss = self.right / self.total, self.loss / self.total
        record = {"accuracy": accuracy} | ({"log_loss": loss} if self.probabilistic else {})
        return Judgement(accuracy, loss, record)


class BalancedAccuracyThenLoss(AccuracyThenLoss):
    """The mean over the classes of the weighted share of their rows that are right, then the rows' mean log-loss."""

    def __init__(self, candidates: int, *, probabilistic: bool) -> None:
        super().__init__(candidates, probabilistic=probabilistic)
        self.right_of = self.total_of = np.zeros((candidates, 0))

    def add(
        self, candidates: slice, decision_values: NDArray[Any], values: TargetValues, weights: NDArray[np.float64]
    ) -> None:
        """Take a block of rows; see ``Criterion``."""
        super().add(candidates, decision_values, values, weights)
        classes = decision_values.shape[-1]
        if not self.right_of.size:
            self.right_of, self.total_of = np.zeros((2, len(self.total), classes))
        members = (values[:, None] == np.arange(classes)) * weights[:, None]
        self.right_of[candidates] += (decision_values.argmax(-1) == values) @ members
        self.total_of[candidates] += members.sum(0)

    def judgement(self) -> Judgement:
        """Return the means, of the classes that have rows."""
        usual, have = super().judgement(), self.total_of[0] > 0
        balanced = (self.right_of[:, have] / self.total_of[:, have]).mean(1)
        return Judgement(balanced, usual.cost, {**usual.record, "balanced_accuracy": balanced})


def _log_losses(decision_values: NDArray[Any], values: TargetValues) -> tuple[Scores, Scores]:
    own, second = np.take_along_axis(decision_values, values[None, :, None], -1), np.partition(decision_values, -2, -1)
    return _costs(own[..., 0]), _costs(second[..., -2])


def _costs(p: NDArray[Any]) -> Scores:
    """Return -log p, p raised to 2.2e-16 as in the log-loss that is reported."""
    costs: Scores = -np.log(np.maximum(p.astype(np.float64), np.finfo(np.float64).eps))
    return costs


def _wrong(decision_values: NDArray[Any], values: TargetValues) -> tuple[Scores, Scores]:
    wrong = (decision_values.argmax(-1) != values).astype(np.float64)
    return wrong, np.ones_like(wrong)


SINGLE_LABEL = SingleLabel()


def _amounts(names: Sequence[str]) -> list[str]:
    """Return a hint where the names of classes are numbers, not all whole, and so likelier amounts."""
    try:
        numbers = [float(name) for name in names]
    except ValueError:
        return []
    whole = all(number.is_integer() for number in numbers)
    return [] if whole else [f"the classes are numbers such as {names[0]}; for amounts choose --task regression"]
