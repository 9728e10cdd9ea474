"""The contract of a target: a kind of value to predict, with its splits, scores and selection criterion."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from frostline.stages.errors import ConfigError
from frostline.stages.metrics.predictions import SINGLE_LABEL

if TYPE_CHECKING:
    from frostline.stages.metrics.evaluation import Evaluation
    from frostline.stages.metrics.predictions import Predictions

DEFAULT = SINGLE_LABEL  # what samples, features and records are of that don't say
TargetValues = NDArray[Any]
Scores = NDArray[np.float64]
RowLosses = Callable[[NDArray[Any], TargetValues], tuple[Scores, Scores]]


@dataclass(frozen=True, eq=False)
class Judgement:
    """The results of k candidates (values of a head's hyperparameter) on validation rows.

    Attributes:
        good: float64 (k,); the largest is chosen.
        cost: float64 (k,); among equally good candidates, the smallest is chosen.
        record: the same scores (k,), under the names and in the form in which a selection records them.
        good_each, cost_each: float64 (k, names), to choose a candidate for each name separately; None if a head has
            one candidate for all names.
    """

    good: Scores
    cost: Scores
    record: Mapping[str, Scores] = field(default_factory=dict)
    good_each: Scores | None = None
    cost_each: Scores | None = None


def joined(judgements: Sequence[Judgement]) -> Judgement:
    """Return the results of all candidates, in order, without those for each name."""
    good, cost = (np.concatenate([getattr(each, name) for each in judgements]) for name in ("good", "cost"))
    record = {name: np.concatenate([each.record[name] for each in judgements]) for name in judgements[0].record}
    return Judgement(good, cost, record)


class Criterion(Protocol):
    """Scores candidates on validation rows, from their decision values, block by block."""

    def add(
        self, candidates: slice, decision_values: NDArray[Any], values: TargetValues, weights: NDArray[np.float64], /
    ) -> None:
        """Add b rows: decision values (k, b, …) of some candidates, values (b, …) and row weights (b,)."""

    def judgement(self) -> Judgement:
        """Return the result over all blocks."""


class Target(ABC):
    """One kind of target. Other code calls its methods and makes no assumption about classes.

    In the methods, ``names`` are the names of the predicted things (the classes), and ``values`` are the target values,
    one row per sample: for single labels int64 (n,), positions in ``names``.

    Attributes:
        kind: its name behind the door ``frostline.targets``, such as ``single-label``.
        table: the scores that tables show, by their names in an evaluation, with their headings. The first is the
            main score.
        exclusive: whether each row has exactly one of the names. Then probabilities sum to 1 over the names, and
            temperature scaling and class weights apply.
        countable: whether rows can be counted by name, so that N samples of each name can be drawn (not of amounts).
        usual_head: the default head.
        as_shares: whether its scores are fractions, which are shown as percentages.
        example: values of four rows with two names, to check the options of a head before any data is read; None if
            this is not possible.
        criteria: the scores by which a hyperparameter can be chosen, the default first; empty if there is only one.
        per_name: whether the hyperparameter can be chosen separately for each name.
    """

    kind: str
    table: Mapping[str, str]
    exclusive: bool = False
    as_shares: bool = True
    countable: bool = True
    usual_head: str = "logreg"
    example: TargetValues | None = None
    criteria: tuple[str, ...] = ()
    per_name: bool = False

    @property
    def main(self) -> str:
        """The score by which heads are ordered, on pages, leaderboards and rankings; larger is better."""
        return next(iter(self.table))

    @abstractmethod
    def faults(self, names: Sequence[str], train: TargetValues, test: TargetValues) -> list[str]:
        """Return why two splits are unusable, one phrase each. ``train``, ``test``: values of readable rows."""

    def remarks(self, _names: Sequence[str], _train: TargetValues, _test: TargetValues, /) -> list[str]:
        """Return notes on two splits that can be used, one phrase each."""
        return []

    @abstractmethod
    def number_faults(self, names: Sequence[str]) -> list[str]:
        """Return the problems with the number of names, one phrase each."""

    @abstractmethod
    def split_faults(self, names: Sequence[str], values: TargetValues, test_fraction: float) -> list[str]:
        """Return which names a split by fraction would leave without rows on one side, one phrase each."""

    @abstractmethod
    def strata(self, values: TargetValues) -> NDArray[np.int64]:
        """Return the stratum of each row, int64 (n,) from 0, for splits, validation sets, folds and subsets."""

    def dealt(
        self, _values: TargetValues, _lots: NDArray[np.bytes_], _shares: Sequence[float], /
    ) -> NDArray[np.int64] | None:
        """Return the part of each row, int64 (n,), for parts of these fractions; None to use ``strata`` and the lots.

        Lots are bytes (n,). Rows with equal lots, such as copies, stay in one part.
        """
        return None

    def thresholds(self, _decision_values: Scores, _values: TargetValues, *, probabilistic: bool) -> tuple[float, ...]:
        """Return the decision threshold of each name, learned on held-out rows (n, …); none by default."""
        del probabilistic
        return ()

    @abstractmethod
    def evaluate(
        self, predicted: Predictions, seed: int, temperature: float | None, thresholds: Sequence[float], /
    ) -> Evaluation:
        """Return all scores of the predictions; ``temperature`` and ``thresholds`` were learned on training rows."""

    def chosen_by(self, name: str) -> Target:
        """Return the same target with another of its ``criteria``. Raises ConfigError for unknown names."""
        raise ConfigError(f"criterion {name!r} with a {self.kind} target, which has only one criterion; leave it out")

    def row_losses(self, _values: TargetValues, /, *, probabilistic: bool) -> RowLosses | None:
        """Return a function from decision values (k, b, …) and values (b, …) to losses, float64 (k, b).

        Their spread over rows shows which candidates are not distinguishable. The function also returns the losses
        (k, b) for the answer that a candidate ranks second: the cost of an error that these rows do not show. None if
        the criterion is not a mean over rows. ``values``: of all training rows.
        """
        del probabilistic
        return None

    @abstractmethod
    def criterion(self, candidates: int, *, probabilistic: bool) -> Criterion:
        """Return the criterion for a number of candidates. ``probabilistic``: decision values are probabilities."""


def no_sample(split: str) -> str:
    """Return what is said of a split, training or test, without a sample."""
    return f"no {split} sample; expected samples of both splits, or none with a split (--test-fraction draws it then)"


def held_of(n: int, fraction: float) -> int:
    """Return the number of held-out rows of a stratum of n rows."""
    return round(fraction * n)
