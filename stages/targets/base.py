"""What a target is: a kind of thing to predict, and all that follows from it."""

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
    """How candidates, the values of a head's parameter, did on rows that they have not seen.

    Attributes:
        good: (k,) float64; the largest is chosen.
        cost: (k,) float64; among equally good candidates the smallest is chosen.
        record: the same scores (k,) by the names under which a selection records them, as it shows them.
        good_each, cost_each: (k, names) float64 by which each name's candidate can be chosen for itself; None where a
            head has one candidate for all names.
    """

    good: Scores
    cost: Scores
    record: Mapping[str, Scores] = field(default_factory=dict)
    good_each: Scores | None = None
    cost_each: Scores | None = None


class Criterion(Protocol):
    """What judges candidates, given their decision values of unseen rows a block at a time."""

    def add(
        self, candidates: slice, decision_values: NDArray[Any], values: TargetValues, weights: NDArray[np.float64], /
    ) -> None:
        """Take a block of b rows: decision values (k, b, …) of some candidates, values (b, …) and weights (b,)."""

    def judgement(self) -> Judgement:
        """Return what follows from all blocks."""


class Target(ABC):
    """One kind of target; its rooms ask it instead of knowing classes.

    ``names`` below are of what is predicted (the classes), ``values`` what each row has of them, one row each: int64
    (n,), positions in ``names``, for a single label.

    Attributes:
        kind: its name behind the door ``frostline.targets``, such as ``single-label``.
        table: the scores that tables show, by their names in an evaluation, with their headings. The first is the
            main score.
        exclusive: whether each row has exactly one of the names, so that probabilities sum to one over them, and a
            temperature and class weights mean something.
        countable: whether its names can be counted, so that samples of each are drawn; amounts can't.
        usual_head: the head to fit where none is named.
        as_shares: whether its scores are shares of one, which people read as percentages.
        example: values of four rows with two names, on which a head's options are tried before there are any rows;
            None where they can't be.
        criteria: the scores by which a head's value can be chosen, the usual one first; empty where there is but one
            way.
        per_name: whether each name can have a value of the parameter chosen for itself.
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
        """Return what makes two splits useless, one phrase each. ``train``, ``test``: the values of readable rows."""

    def remarks(self, _names: Sequence[str], _train: TargetValues, _test: TargetValues, /) -> list[str]:
        """Return what is worth a note of two splits that can be used."""
        return []

    @abstractmethod
    def number_faults(self, names: Sequence[str]) -> list[str]:
        """Return what is wrong with how many there are to predict, as far as the names tell."""

    @abstractmethod
    def split_faults(self, names: Sequence[str], values: TargetValues, test_fraction: float) -> list[str]:
        """Return what a stratified split by fraction would leave without rows on one side, one phrase each."""

    @abstractmethod
    def strata(self, values: TargetValues) -> NDArray[np.int64]:
        """Return each row's stratum, int64 (n,) from 0, within which splits, hold-outs, folds and draws are made."""

    def dealt(
        self, _values: TargetValues, _lots: NDArray[np.bytes_], _shares: Sequence[float], /
    ) -> NDArray[np.int64] | None:
        """Return each row's part, int64 (n,), dealt to parts of these shares; None where lots within strata do it.

        Lots are bytes (n,); rows of equal lots, such as copies, stay together.
        """
        return None

    def thresholds(self, _decision_values: Scores, _values: TargetValues, *, probabilistic: bool) -> tuple[float, ...]:
        """Return each name's decision threshold, learned on rows (n, …) not seen; none by default."""
        del probabilistic
        return ()

    @abstractmethod
    def evaluate(
        self, predicted: Predictions, seed: int, temperature: float | None, thresholds: Sequence[float], /
    ) -> Evaluation:
        """Return every score that predictions allow; ``temperature`` and ``thresholds`` are from training rows."""

    def chosen_by(self, name: str) -> Target:
        """Return the same kind, whose heads are chosen by one of its ``criteria``. Raises ConfigError for others."""
        raise ConfigError(f"criterion {name!r} with a {self.kind} target, which has only one criterion; leave it out")

    def row_losses(self, _values: TargetValues, /, *, probabilistic: bool) -> RowLosses | None:
        """Return what gives losses, float64 (k, b), of k candidates' decision values (k, b, …) of rows, values (b, …).

        By their spread over rows it is known which candidates these can't tell apart. Beside them come the losses
        (k, b) that the rows would have if they were what a candidate holds second likeliest: what an error costs that
        the rows don't show. None where the criterion is no mean over rows. ``values``: of all training rows.
        """
        del probabilistic
        return None

    @abstractmethod
    def criterion(self, candidates: int, *, probabilistic: bool) -> Criterion:
        """Return what judges so many candidates, whose decision values are probabilities or else scores."""


def held_of(n: int, fraction: float) -> int:
    """Return how many of a stratum's n rows are held out by a share of them."""
    return round(fraction * n)
