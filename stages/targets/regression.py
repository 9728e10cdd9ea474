"""``regression``: each sample has one number or more, some of which may not be known."""

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
from frostline.stages.metrics.regression import BOUNDS, MOMENTS, moment_scores, moment_sums, statistic
from frostline.stages.targets.base import Judgement, RowLosses, Scores, Target, TargetValues, held_of, no_sample

FEWEST = 3  # known values of an output; a line goes through two
_STRATA, _ROWS = 10, 20
_HUGE = 1e300
_LARGEST = 1e100  # whose squares, and sums of those, are numbers still
KeptBlock = tuple[NDArray[Any], TargetValues, NDArray[np.float64]]


class Regression(Target):
    """``values``: float64 (n, outputs), NaN where not known. ``names``: of the outputs.

    ``by``: the score by which heads are chosen, one of ``r2``, ``mae``, ``rmse``, ``pearson``, ``spearman`` and
    ``kendall``; its mean over outputs.
    """

    kind = "regression"
    as_shares = False
    countable = False
    usual_head = "ridge"
    table = MappingProxyType({"r2": "R²", "mae": "MAE"})
    criteria = tuple(BOUNDS)
    example = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0], [3.0, 1.0]])

    def __init__(self, by: str = "r2") -> None:
        if by not in BOUNDS:
            raise ValueError(f"criterion {by!r}; expected one of {', '.join(BOUNDS)}")
        self.by = by

    def faults(self, names: Sequence[str], train: TargetValues, test: TargetValues) -> list[str]:
        wrong = self.number_faults(names)
        for split, values in (("training", train), ("test", test)):
            if not len(values):
                wrong.append(no_sample(split))
                continue
            found = (_fault(column, split) for column in values.T)
            wrong += [f"{name!r}: {fault}" for name, fault in zip(names, found, strict=True) if fault]
        return wrong

    def number_faults(self, names: Sequence[str]) -> list[str]:
        return [] if names else ["no column of numbers to predict; give at least one with --target"]

    def split_faults(self, names: Sequence[str], values: TargetValues, test_fraction: float) -> list[str]:
        wrong = []
        for name, known in zip(names, np.count_nonzero(~np.isnan(values), axis=0).tolist(), strict=True):
            n_test = held_of(known, test_fraction)
            if min(n_test, known - n_test) < FEWEST:
                wrong.append(
                    f"{name!r}: {counted(known, 'known value')}, about {n_test} of them for testing at the test "
                    f"fraction {test_fraction:g}; expected {FEWEST} on each side: add samples or change --test-fraction"
                )
        return wrong

    def strata(self, values: TargetValues) -> NDArray[np.int64]:
        """Return the quantile of each row, up to ten of at least 20 rows each.

        Of one output by its value, where a value that is not known counts as the mean; of several by the direction in
        which they, standardised, vary most. Equal values are in one stratum.
        """
        return _quantiles(_along(values), min(_STRATA, max(1, len(values) // _ROWS)))

    def evaluate(
        self, predicted: Predictions, seed: int, _temperature: float | None, _thresholds: Sequence[float], /
    ) -> Evaluation:
        return evaluation.regression(predicted, seed)

    def chosen_by(self, name: str) -> Regression:
        if name not in self.criteria:
            raise unknown_name("criterion", name, self.criteria)
        return Regression(name)

    def row_losses(self, values: TargetValues, /, *, probabilistic: bool) -> RowLosses | None:
        """Return squared errors over each output's variance for R², squared or absolute errors; no rank's."""
        del probabilistic
        if self.by not in MOMENTS or self.by == "pearson":
            return None
        variance = np.nanvar(values, axis=0) if self.by == "r2" else np.ones(values.shape[1])
        scale, power = 1 / np.where(variance > 0, variance, np.inf), 1 if self.by == "mae" else 2

        def losses(predicted: NDArray[Any], own: TargetValues) -> tuple[Scores, Scores]:
            errors = np.abs(np.where(np.isnan(own), 0, predicted - own)).astype(np.float64)
            costs: Scores = np.minimum(errors, _LARGEST) ** power @ scale
            return costs, np.zeros_like(costs)

        return losses

    def criterion(self, candidates: int, *, probabilistic: bool) -> Moments | Kept:  # noqa: ARG002 (never so here)
        return Moments(self.by, candidates) if self.by in MOMENTS else Kept(self.by, candidates)


def _fault(values: NDArray[np.float64], split: str) -> str:
    known = values[~np.isnan(values)]
    if np.isinf(known).any():
        return f"{counted(int(np.isinf(known).sum()), f'infinite {split} value')}; expected finite numbers"
    if np.abs(known).max(initial=0) > _LARGEST:
        largest = np.abs(known).max()
        return f"{split} values up to {largest:.3g}; expected numbers below {_LARGEST:g}, for example their logarithms"
    if len(known) < FEWEST:
        return f"{counted(len(known), f'known {split} value')}; expected {FEWEST} or more"
    if (known == known[0]).all():
        return f"all {len(known)} known {split} values are {known[0]:g}; there is nothing to predict"
    return ""


def _along(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each row's place, (n,), along the first principal direction of the standardised outputs."""
    known = ~np.isnan(values)
    rows = np.maximum(known.sum(0), 1)
    centred = np.where(known, values - np.where(known, values, 0).sum(0) / rows, 0)
    deviation = np.sqrt((centred**2).sum(0) / rows)
    standard: NDArray[np.float64] = centred / np.where(deviation > 0, deviation, 1)
    if values.shape[1] == 1:
        return standard[:, 0]
    direction = np.linalg.eigh(standard.T @ standard)[1][:, -1]
    direction *= np.sign(direction[np.abs(direction).argmax()])
    along: NDArray[np.float64] = np.round(standard @ direction, 9)
    return along


def _quantiles(values: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Return the stratum of each row: as many of the least values as reach n / count, then of the rest, and so on.

    A remainder of less than half of that joins the last.
    """
    _, place, sizes = np.unique(values, return_inverse=True, return_counts=True)
    ends, size = np.cumsum(sizes), len(values) / count
    cuts, taken = [], 0
    while taken < len(values) - size / 2:
        cuts.append(min(int(np.searchsorted(ends, taken + size - 1e-9)), len(ends) - 1))
        taken = int(ends[cuts[-1]])
    return np.searchsorted(cuts[:-1], place.ravel(), side="left").astype(np.int64)


class Moments:
    """A score that follows from sums over rows, the mean over outputs; see ``Criterion``."""

    def __init__(self, by: str, candidates: int) -> None:
        self.by, self.candidates = by, candidates
        self._sums: NDArray[np.float64] | None = None
        self._centre = np.zeros(0)

    def add(
        self, candidates: slice, decision_values: NDArray[Any], values: TargetValues, weights: NDArray[np.float64]
    ) -> None:
        """Take a block of rows."""
        if self._sums is None:
            known = np.maximum(np.count_nonzero(~np.isnan(values), axis=0), 1)
            self._centre = np.nansum(values, axis=0) / known
            self._sums = np.zeros((8, self.candidates, values.shape[1]))
        with np.errstate(over="ignore", invalid="ignore"):
            for place, predicted in zip(range(self.candidates)[candidates], decision_values, strict=True):
                sums = moment_sums(values - self._centre, predicted - self._centre)
                self._sums[:, place] += np.einsum("skn,n->sk", sums, weights)

    def judgement(self) -> Judgement:
        """Return the score of all rows together, larger being better."""
        assert self._sums is not None
        with np.errstate(over="ignore", invalid="ignore"):
            return _judged(self.by, moment_scores(*self._sums)[MOMENTS.index(self.by)])


class Kept:
    """A correlation of ranks, for which all predictions are kept; see ``Criterion``."""

    def __init__(self, by: str, candidates: int) -> None:
        self.by = by
        self._blocks: list[list[KeptBlock]] = [[] for _ in range(candidates)]

    def add(
        self, candidates: slice, decision_values: NDArray[Any], values: TargetValues, weights: NDArray[np.float64]
    ) -> None:
        """Take a block of rows."""
        for blocks, predicted in zip(self._blocks[candidates], decision_values, strict=True):
            blocks.append((predicted, values, weights))

    def judgement(self) -> Judgement:
        """Return the score of all rows together, larger being better."""
        return _judged(self.by, np.array([self._of(blocks) for blocks in self._blocks]))

    def _of(self, blocks: list[KeptBlock]) -> NDArray[np.float64]:
        """(outputs,)."""
        predicted, values, weights = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
        scores: NDArray[np.float64] = statistic(self.by, values, np.nan_to_num(predicted)).of(weights[:, None])[1:, 0]
        return scores


def _judged(by: str, scores: NDArray[np.float64]) -> Judgement:
    """Return the judgement of scores (candidates, outputs).

    An output without a score for any candidate, as where its values are all equal, counts for nothing; a candidate that
    has none where others do, as where it predicts one number, has no correlation, and one that overflowed is the worst.
    """
    smaller_is_better = by in ("mae", "rmse")
    worst = 0.0 if by in ("pearson", "spearman", "kendall") else (np.inf if smaller_is_better else -np.inf)
    there = ~np.isnan(scores).all(0)
    mean = np.where(np.isnan(scores), worst, scores)[:, there].mean(1) if there.any() else np.zeros(len(scores))
    mean = np.clip(mean, -_HUGE, _HUGE)  # what is recorded is finite
    return Judgement(-mean if smaller_is_better else mean, np.zeros(len(mean)), {by: mean})


REGRESSION = Regression()
