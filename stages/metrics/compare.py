"""Compare: which of several heads or backbones is better on the same test rows, and which can't be told apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from frostline.stages.errors import DataError
from frostline.stages.metrics import multi_label, regression
from frostline.stages.metrics.multiplicity import LEVEL, detectable, detectable_from, paired_interval, widened
from frostline.stages.metrics.paired import paired_each
from frostline.stages.metrics.predictions import SINGLE_LABEL, Predictions
from frostline.stages.metrics.statistic import Statistic, means


@dataclass(frozen=True)
class HeadPair:
    """Two runs on the same rows.

    Attributes:
        first, second: their names.
        difference: main score of the first less that of the second; ``low``, ``high``: its interval, which holds with
            95 % for all comparisons at once.
        first_only, second_only: rows that only the one, only the other gets right; 0 where not single labels.
        mid_p: of the mid-p variant of McNemar's test, which is less conservative than the exact one; of rows in groups
            and of other kinds of targets, of the paired bootstrap.
        corrected_p: ``mid_p`` after Holm's correction for all comparisons.
        detectable: the difference that would have been found in 80 of 100 such samples.
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
    detectable: float

    @property
    def turned(self) -> HeadPair:
        """The same pair, the second first."""
        return replace(
            self,
            first=self.second,
            second=self.first,
            difference=-self.difference,
            low=-self.high,
            high=-self.low,
            first_only=self.second_only,
            second_only=self.first_only,
        )

    @property
    def significant(self) -> bool:
        """Whether the two differ at the level of 0.05, all comparisons considered, by p and by the interval."""
        return self.corrected_p < LEVEL and not self.low <= 0 <= self.high


@dataclass(frozen=True)
class RankedHead:
    """A run's place by its score, shared where scores are equal; by name those it can't be told from.

    Of the reference these are all that it was compared with and is not told from, of any other the reference at most.
    """

    name: str
    score: float
    rank: int
    tied: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """Every run by its score, and the reference with each other one, or every pair, on ``rows`` test rows.

    ``chosen_here``: the reference is the best on these very rows, or was picked on them. ``comparisons``: how many
    intervals and p-values are corrected for: those made, or, of a reference that was chosen here, all pairs, since any
    two could have been the best and another.
    """

    rows: int
    reference: str
    chosen_here: bool
    comparisons: int
    ranks: tuple[RankedHead, ...]
    pairs: tuple[HeadPair, ...]


@dataclass(frozen=True)
class _Plan:
    """Which places are compared, and how many comparisons that counts as."""

    pairs: tuple[tuple[int, int], ...]
    comparisons: int


def compare(
    runs: Sequence[Predictions],
    names: Sequence[str],
    *,
    reference: str | None = None,
    chosen_here: bool = False,
    all_pairs: bool = False,
    seed: int = 0,
) -> Comparison:
    """Return how the runs differ in their main score, on rows matched by sample id, whatever their order.

    ``reference``: which run the others are compared with; it was picked without these rows, unless ``chosen_here``. By
    default it is the best on them. ``all_pairs``: every two are compared.

    Raises DataError if these are fewer than two runs, if names or ids repeat, or if the runs hold
    other samples or other labels.
    """
    _check(runs, names)
    order = [_order(runs[0], run, f"{names[0]!r} and {name!r}") for run, name in zip(runs, names, strict=True)]
    ordered = [run.take(rows) for run, rows in zip(runs, order, strict=True)]
    scores = [main_value(run) for run in ordered]
    first = names[int(np.argmax(scores))] if reference is None else reference
    chosen_here = chosen_here or reference is None
    plan = _planned(names, first, every=all_pairs, chosen_here=chosen_here)
    plain = runs[0].kind == SINGLE_LABEL and runs[0].groups is None
    pairs = _by_right(ordered, names, plan) if plain else _by_score(ordered, names, plan, seed)
    corrected = holm([pair.mid_p for pair in pairs], plan.comparisons)
    pairs = [replace(pair, corrected_p=p) for pair, p in zip(pairs, corrected, strict=True)]
    ranks = _ranks(names, scores, pairs)
    return Comparison(len(ordered[0]), first, chosen_here, plan.comparisons, ranks, tuple(pairs))


def _planned(names: Sequence[str], first: str, *, every: bool, chosen_here: bool) -> _Plan:
    """Return every two places, or those of the first with each other one."""
    every_two, at = tuple(combinations(range(len(names)), 2)), names.index(first)
    pairs = every_two if every else tuple((at, i) for i in range(len(names)) if i != at)
    return _Plan(pairs, len(every_two) if every or chosen_here else len(pairs))


def _by_right(runs: Sequence[Predictions], names: Sequence[str], plan: _Plan) -> list[HeadPair]:
    """Return each pair by which rows each gets right."""
    right = np.array([run.right for run in runs])
    return [_pair((names[i], names[j]), right[i], right[j], plan.comparisons) for i, j in plan.pairs]


def _by_score(runs: Sequence[Predictions], names: Sequence[str], plan: _Plan, seed: int) -> list[HeadPair]:
    """Return each pair on the same resamples of rows, or of groups."""
    n, statistics, groups = len(runs[0]), [main_statistic(run) for run in runs], runs[0].groups
    found = paired_each(statistics, n, seed, groups)
    freedom = None if groups is None else len(np.unique(groups)) - 1
    pairs = []
    for i, j in plan.pairs:
        one = found[i, j] if i < j else found[j, i].turned
        seen = detectable_from((one.low, one.high), plan.comparisons, freedom)
        low, high = widened(one.value, (one.low, one.high), plan.comparisons, freedom)
        pairs.append(HeadPair(names[i], names[j], one.value, low, high, 0, 0, one.p, one.p, seen))
    return pairs


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


def holm(p: Sequence[float], among: int = 0) -> list[float]:
    """Return the p-values corrected for their number, in the same order (Holm, Scand. J. Stat. 6, 1979).

    ``among``: how many there are, if these are not all; those not given count as if none was smaller, which can only
    make the others larger.
    """
    values = np.asarray(p)
    order = np.argsort(values, kind="stable")
    steps = np.maximum.accumulate(values[order] * (max(among, len(values)) - np.arange(len(values))))
    corrected = np.empty(len(values))
    corrected[order] = np.minimum(steps, 1)
    result: list[float] = corrected.tolist()
    return result


def _pair(names: tuple[str, str], first: NDArray[np.bool_], second: NDArray[np.bool_], comparisons: int) -> HeadPair:
    """Return two runs' difference, its p not yet corrected for other pairs."""
    n, first_only, second_only = len(first), int((first & ~second).sum()), int((second & ~first).sum())
    low, high = paired_interval(first_only, second_only, n, comparisons)
    mid_p, difference = mcnemar(first_only, second_only), (first_only - second_only) / n
    seen = detectable((first_only + second_only) / n, n, comparisons)
    return HeadPair(*names, difference, low, high, first_only, second_only, mid_p, mid_p, seen)


def _ranks(names: Sequence[str], scores: Sequence[float], pairs: Sequence[HeadPair]) -> tuple[RankedHead, ...]:
    tied: dict[str, list[str]] = {name: [] for name in names}
    for pair in pairs:
        if not pair.significant:
            tied[pair.first].append(pair.second)
            tied[pair.second].append(pair.first)
    rank = [1 + sum(other > score for other in scores) for score in scores]
    ranked = [RankedHead(name, a, r, tuple(tied[name])) for name, a, r in zip(names, scores, rank, strict=True)]
    return tuple(sorted(ranked, key=lambda run: run.rank))


def _order(reference: Predictions, run: Predictions, names: str) -> list[int]:
    """Return the rows of a run in the order of the reference's ids; raise DataError if the samples differ."""
    place = {sample: row for row, sample in enumerate(run.ids)}
    both = sum(sample in place for sample in reference.ids)
    if not both == len(reference) == len(run):
        raise DataError(
            f"{names} were tested on different samples: {both:,} are the same, {len(reference) - both:,} only in the "
            f"first, {len(run) - both:,} only in the second; evaluate both on the same dataset"
        )
    order = [place[sample] for sample in reference.ids]
    other = _differing(reference, run.take(order))
    if other:
        raise DataError(
            f"{names} have different labels for {other:,} of {both:,} samples; evaluate both on the same dataset"
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
        raise DataError(
            f"{len(runs)} run with {len(runs[0]) if runs else 0} rows; a comparison needs at least two runs"
        )
    if len(set(names)) != len(runs):
        raise DataError(f"{len(set(names))} names for {len(runs)} runs; expected a different name for each")
    for run, name in zip(runs, names, strict=True):
        if len(set(run.ids)) != len(run):
            raise DataError(
                f"{name!r} holds {len(run) - len(set(run.ids)):,} duplicate sample ids; rows can't be matched"
            )
