"""What a target is: a kind of thing to predict, and all that follows from it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

DEFAULT = "single-label"  # what samples, features and records are of that don't say
TargetValues = NDArray[Any]
RowScores = NDArray[np.float64] | NDArray[np.bool_]


class Target(ABC):
    """One kind of target; its rooms ask it instead of knowing classes.

    ``names`` below are of what is predicted (the classes), ``values`` what each row has of them, one row each: int64
    (n,), positions in ``names``, for a single label.

    Attributes:
        kind: its name behind the door ``frostline.targets``, such as ``single-label``.
        table: the scores that tables show, by their names in an evaluation, with their headings. The first is the
            main score.
    """

    kind: str
    table: Mapping[str, str]

    @property
    def main(self) -> str:
        """The score by which heads are ordered, on pages, leaderboards and rankings; larger is better."""
        return next(iter(self.table))

    @abstractmethod
    def faults(self, names: Sequence[str], train: TargetValues, test: TargetValues) -> list[str]:
        """Return what makes two splits useless, one phrase each. ``train``, ``test``: the values of readable rows."""

    @abstractmethod
    def number_faults(self, names: Sequence[str]) -> list[str]:
        """Return what is wrong with how many there are to predict, as far as the names tell."""

    @abstractmethod
    def split_faults(self, names: Sequence[str], values: TargetValues, test_fraction: float) -> list[str]:
        """Return what a stratified split by fraction would leave without rows on one side, one phrase each."""

    @abstractmethod
    def strata(self, values: TargetValues) -> NDArray[np.int64]:
        """Return each row's stratum, int64 (n,) from 0, within which splits, hold-outs, folds and draws are made."""

    @abstractmethod
    def judged(
        self, confidence: NDArray[Any], values: TargetValues, *, probabilistic: bool
    ) -> tuple[RowScores, RowScores]:
        """Return how good and how costly each row's prediction is, (k, n) each, by which a parameter is chosen.

        ``confidence``: (k, n, …) of k candidates. The candidate of the largest mean of the first is chosen, among
        equals that of the smallest mean of the second.
        """


def held_of(n: int, fraction: float) -> int:
    """Return how many of a stratum's n rows are held out by a share of them."""
    return round(fraction * n)
