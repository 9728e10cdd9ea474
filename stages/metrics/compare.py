"""Compare: which of several heads or backbones is better on the same test rows, and which are tied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from frostline.stages.errors import DataError
from frostline.stages.metrics import multi_label, regression
from frostline.stages.metrics.paired import paired_each
from frostline.stages.metrics.predictions import SINGLE_LABEL, Predictions
from frostline.stages.metrics.score import RESAMPLES, wilson
from frostline.stages.metrics.statistic import Statistic, means

LEVEL = 0.05


@dataclass(frozen=True)
class HeadPair:
    """Two runs on the same rows.

    Attributes:
        first, second: their names.
        difference: main score of the first less that of the second, with its 95 % interval ``low``, ``high``.
        first_only, second_only: rows that only the one, only the other gets right; 0 where not single labels.
        mid_p: of the mid-p variant of McNemar's test, which is less conservative than the exact one; of rows in groups
            and of other kinds of targets, of the paired bootstrap.
        corrected_p: ``mid_p`` after Holm's correction for all pairs compared.
    """

    first: str
    second: str
    difference: float
    low: float
    high: float
    first_only: int
    second_only: int
    mid_p: float
    corrected_p: float

    @property
    def significant(self) -> bool:
        """Whether the two differ at the level of 0.05, all pairs considered."""
        return self.corrected_p < LEVEL


@dataclass(frozen=True)
class RankedHead:
    """A run's place: one more than the runs that are significantly better; those it is tied with by name."""

    name: str
    score: float
    rank: int
    tied: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """Every run by rank, then by accuracy, and every pair of them on ``rows`` test rows."""

    rows: int
    ranks: tuple[RankedHead, ...]
    pairs: tuple[HeadPair, ...]


def compare(runs: Sequence[Predictions], names: Sequence[str], *, seed: int = 0) -> Comparison:
    """Return how the runs differ in their main score, on rows matched by sample id, whatever their order.

    Raises DataError if these are fewer than two runs, if names or ids repeat, or if the runs hold
    other samples or other labels.
    """
    _check(runs, names)
    order = [_order(runs[0], run, f"{names[0]!r} and {name!r}") for run, name in zip(runs, names, strict=True)]
    ordered = [run.take(rows) for run, rows in zip(runs, order, strict=True)]
    plain = runs[0].kind == SINGLE_LABEL and runs[0].groups is None
    scores, pairs = _by_right(ordered, names, seed) if plain else _by_score(ordered, names, seed)
    corrected = holm([pair.mid_p for pair in pairs])
    pairs = [replace(pair, corrected_p=p) for pair, p in zip(pairs, corrected, strict=True)]
    return Comparison(len(ordered[0]), _ranks(names, scores, pairs), tuple(pairs))


def _by_right(runs: Sequence[Predictions], names: Sequence[str], seed: int) -> tuple[list[float], list[HeadPair]]:
    """Return the accuracies, and each pair by which rows each gets right."""
    right, rng = np.array([run.right for run in runs]), np.random.default_rng(seed)
    pairs = [_pair((names[i], names[j]), right[i], right[j], rng) for i, j in combinations(range(len(runs)), 2)]
    return right.mean(1).tolist(), pairs


def _by_score(runs: Sequence[Predictions], names: Sequence[str], seed: int) -> tuple[list[float], list[HeadPair]]:
    """Return the main scores, and each pair on the same resamples of rows, or of groups."""
    n, statistics = len(runs[0]), [main_statistic(run) for run in runs]
    scores = [main_value(run) for run in runs]
    pairs = [
        HeadPair(names[i], names[j], one.value, one.low, one.high, 0, 0, one.p, one.p)
        for (i, j), one in paired_each(statistics, n, seed, runs[0].groups).items()
    ]
    return scores, pairs


def main_statistic(run: Predictions) -> Statistic:
    """Return the statistic whose first score is the one by which heads of a kind of target are ordered."""
    if run.kind == SINGLE_LABEL:
        return means([run.right])
    if run.kind == "regression":
        return regression.statistic("r2", run.y, run.decision_values)
    usual = multi_label.usual_thresholds(len(run.classes), probabilistic=run.probabilistic)
    return multi_label.statistic("map", run.y, run.decision_values, usual)


def main_value(run: Predictions) -> float:
    """Return the score by which heads of a kind of target are ordered: the first of ``main_statistic``."""
    return float(main_statistic(run).of(np.ones((len(run), 1)))[0, 0])


def mcnemar(first_only: int, second_only: int) -> float:
    """Return the mid-p value of McNemar's test, from the rows that only one run gets right.

    Either is as likely as the other if the runs are equally good, hence a binomial with 1/2. Two-sided;
    what was observed counts half (Fagerland, Lydersen and Laake, BMC Medical Research
    Methodology 13:91, 2013). Without such rows it is 1.
    """
    from scipy.stats import binom, binomtest

    rows = first_only + second_only
    if not rows:
        return 1.0
    exact = float(binomtest(first_only, rows).pvalue)
    observed = float(binom.pmf(first_only, rows, 0.5))
    return exact - (observed / 2 if first_only == second_only else observed)


def holm(p: Sequence[float]) -> list[float]:
    """Return the p-values corrected for their number, in the same order (Holm, Scand. J. Stat. 6, 1979)."""
    values = np.asarray(p)
    order = np.argsort(values, kind="stable")
    steps = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    corrected = np.empty(len(values))
    corrected[order] = np.minimum(steps, 1)
    result: list[float] = corrected.tolist()
    return result


def _pair(
    names: tuple[str, str], first: NDArray[np.bool_], second: NDArray[np.bool_], rng: np.random.Generator
) -> HeadPair:
    """Return two runs' difference, not yet corrected for other pairs.

    The paired bootstrap draws rows, of which a difference only needs how many of each kind there are:
    these counts are multinomial. Two runs that are right on the same rows would show no spread;
    their interval is Wilson's of no such row, to both sides.
    """
    n, first_only, second_only = len(first), int((first & ~second).sum()), int((second & ~first).sum())
    drawn = rng.multinomial(n, [first_only / n, second_only / n, 1 - (first_only + second_only) / n], RESAMPLES)
    low, high = np.quantile((drawn[:, 0] - drawn[:, 1]) / n, (0.025, 0.975)).tolist()
    if not first_only + second_only:
        high = wilson(0.0, n).high
        low = -high
    mid_p = mcnemar(first_only, second_only)
    difference = (first_only - second_only) / n
    return HeadPair(*names, difference, low, high, first_only, second_only, mid_p, corrected_p=mid_p)


def _ranks(names: Sequence[str], scores: Sequence[float], pairs: Sequence[HeadPair]) -> tuple[RankedHead, ...]:
    better: dict[str, int] = dict.fromkeys(names, 0)
    tied: dict[str, list[str]] = {name: [] for name in names}
    for pair in pairs:
        if pair.significant:
            better[pair.second if pair.difference > 0 else pair.first] += 1
        else:
            tied[pair.first].append(pair.second)
            tied[pair.second].append(pair.first)
    ranked = [RankedHead(name, a, 1 + better[name], tuple(tied[name])) for name, a in zip(names, scores, strict=True)]
    return tuple(sorted(ranked, key=lambda run: (run.rank, -run.score)))


def _order(reference: Predictions, run: Predictions, names: str) -> list[int]:
    """Return the rows of a run in the order of the reference's ids; raise DataError if the samples differ."""
    place = {sample: row for row, sample in enumerate(run.ids)}
    both = sum(sample in place for sample in reference.ids)
    if not both == len(reference) == len(run):
        raise DataError(
            f"{names} were tested on other samples: {both:,} are the same, {len(reference) - both:,} only in the "
            f"first, {len(run) - both:,} only in the second; evaluate both on the same dataset"
        )
    order = [place[sample] for sample in reference.ids]
    other = _differing(reference, run.take(order))
    if other:
        raise DataError(
            f"{names} have other labels for {other:,} of {both:,} samples; evaluate both on the same dataset"
        )
    return order


def _differing(one: Predictions, other: Predictions) -> int:
    """Return for how many rows two runs have other true values."""
    if one.kind != other.kind:
        return len(one)
    if one.kind == SINGLE_LABEL:
        return sum(one.classes[a] != other.classes[b] for a, b in zip(one.y.tolist(), other.y.tolist(), strict=True))
    if one.classes != other.classes:
        return len(one)
    same = (one.y == other.y) | ((one.y != one.y) & (other.y != other.y))
    return int((~same.all(axis=1)).sum())


def _check(runs: Sequence[Predictions], names: Sequence[str]) -> None:
    if len(runs) < 2 or not len(runs[0]):
        raise DataError(f"{len(runs)} run with {len(runs[0]) if runs else 0} rows; a comparison takes two runs or more")
    if len(set(names)) != len(runs):
        raise DataError(f"{len(set(names))} names for {len(runs)} runs; wanted a name of its own for each")
    for run, name in zip(runs, names, strict=True):
        if len(set(run.ids)) != len(run):
            raise DataError(f"{name!r} holds {len(run) - len(set(run.ids)):,} sample ids twice; rows can't be matched")
