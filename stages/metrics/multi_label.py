"""Scores of many labels, each a yes or no of its own: their averages, and every label's.

A value that is unknown (-1) is left out, as if that row had no such label to be asked for. A label that no known row
has is left out of every average over labels, and so is, in each resample, one that no row drawn has. With all values
known and every label somewhere, the scores are scikit-learn's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostline.stages.metrics.area_interval import mean_area_interval
from frostline.stages.metrics.class_intervals import f1_interval
from frostline.stages.metrics.label_ranking import SCORES, Labels, Ranking, auroc, micro_ranking, ranking
from frostline.stages.metrics.score import RESAMPLED, RESAMPLES, SHARE, TOO_FEW, Interval, Score, wilson
from frostline.stages.metrics.statistic import Array, Statistic, bootstrap, ratio

RANKED = ("map", "map_11_point", "macro_auroc")  # the means of SCORES over labels
DECIDED = ("macro_f1", "micro_f1")
BY_ROW = ("lrap", "hamming_loss", "subset_accuracy")
TUNED = "_at_thresholds"
COST, FEWEST = 3 * 10**8, 100  # additions, which take some seconds; resamples


@dataclass(frozen=True)
class LabelScore:
    """One label on the test rows.

    Attributes:
        name: the label.
        rows: how many rows it is known of.
        positives: how many of these have it; ``prevalence`` is their share, None without rows.
        average_precision, auroc, f1: None where no row has it; ``auroc`` also where all have. F1 is that of a
            probability above 0.5, or a score above 0.
        threshold: that was chosen on training rows, if any; ``f1_at_threshold`` is F1 above it.
    """

    name: str
    rows: int
    positives: int
    prevalence: float | None
    average_precision: Score | None
    auroc: Score | None
    f1: Score | None
    threshold: float | None = None
    f1_at_threshold: Score | None = None


def label_scores(
    y: Labels,
    decision_values: Array,
    names: Sequence[str],
    *,
    probabilistic: bool,
    thresholds: Sequence[float] = (),
    seed: int = 0,
    groups: NDArray[np.int64] | None = None,
) -> tuple[dict[str, Score], tuple[LabelScore, ...]]:
    """Return the averages by name and every label's scores, with intervals over the same resamples of rows.

    ``y``: int8 (n, labels), 1, 0 or -1 for unknown. ``decision_values``: float64 (n, labels), probabilities or,
    where not ``probabilistic``, scores of which those above 0 mean yes. ``thresholds``: of each label, chosen on
    training rows. ``groups``: see ``frostline.stages.metrics.statistic.bootstrap``. The averages are ``map``,
    ``map_11_point``, ``macro_auroc``, ``micro_auroc``, ``macro_f1``, ``micro_f1``, the last two also with the suffix
    ``_at_thresholds``, ``lrap``, ``hamming_loss`` and ``subset_accuracy``.
    """
    usual = usual_thresholds(len(names), probabilistic=probabilistic)
    cuts = {"": usual} | ({TUNED: thresholds} if len(thresholds) else {})
    parts = [ranked(y, decision_values), micro_auroc(y, decision_values), by_row(y, decision_values, usual)]
    parts += [decided(y, decision_values, cut) for cut in cuts.values()]
    first, micro, rows, *f1 = bootstrap(parts, len(y), seed, groups=groups)
    scores = dict(zip((*RANKED, "micro_auroc", *BY_ROW), (*first[: len(RANKED)], *micro, *rows), strict=True))
    for suffix, found in zip(cuts, f1, strict=True):
        scores |= {f"{name}{suffix}": score for name, score in zip(DECIDED, found, strict=False)}
    return scores, _each(y, names, first, f1, thresholds)


def unscored(labels: Sequence[LabelScore]) -> tuple[str, ...]:
    """Return the names of the labels that no row has, which the averages over labels leave out."""
    return tuple(label.name for label in labels if not label.positives)


def statistic(name: str, y: Labels, decision_values: Array, thresholds: Sequence[float]) -> Statistic:
    """Return one of the averages by name, without its suffix, as the first score of a statistic."""
    if name == "micro_auroc":
        return micro_auroc(y, decision_values)
    if name in RANKED:
        return _first(ranked(y, decision_values), RANKED.index(name))
    if name in DECIDED:
        return _first(decided(y, decision_values, thresholds), DECIDED.index(name))
    return _first(by_row(y, decision_values, thresholds), BY_ROW.index(name))


def usual_thresholds(labels: int, *, probabilistic: bool) -> tuple[float, ...]:
    """Return what a decision value is above where a label is predicted: a probability 0.5, a score 0."""
    return (0.5 if probabilistic else 0.0,) * labels


def ranked(y: Labels, decision_values: Array) -> Statistic:
    """Return the ``RANKED`` means over labels, then each of ``SCORES`` of every label.

    A label's AUROC has the interval of ``frostline.stages.metrics.area_interval``; the others are resampled, and where
    every pair is in order Wilson's for as many trials as the rarest label has rows. One row that has a label leaves
    that label no interval.
    """
    rankings = [ranking(y[:, label], decision_values[:, label]) for label in range(y.shape[1])]

    def of(counts: Array) -> Array:
        each = np.stack([_ranked(one, counts) for one in rankings], 1)
        return np.concatenate([mean_of_defined(each), each.reshape(-1, counts.shape[1])])

    own = np.count_nonzero(y == 1, axis=0)
    trials = [int(own[own > 0].min(initial=len(y)))] * len(SCORES) + own.tolist() * len(SCORES)
    cost = sum(one.cost for one in rankings)
    few = _too_few(y)
    return Statistic(
        of, tuple(trials), _resamples(cost), closed=lambda: _rank_intervals(y, decision_values, few), too_few=few
    )


def _too_few(y: Labels) -> tuple[bool, ...]:
    """Return of which scores of ``ranked`` there is no interval."""
    having, others = np.count_nonzero(y == 1, axis=0), np.count_nonzero(y == 0, axis=0)
    alone, area = having == 1, np.minimum(having, others) == 1
    each = [area if name == "auroc" else alone for name in SCORES]
    return (False,) * len(SCORES) + tuple(np.concatenate(each).tolist())


def _rank_intervals(y: Labels, decision_values: Array, few: Sequence[bool]) -> list[Interval]:
    found: list[Interval] = [TOO_FEW if one else RESAMPLED for one in few]
    areas = [_area_interval(own, score) for own, score in zip(y.T, decision_values.T, strict=True)]
    start = len(SCORES) + list(SCORES).index("auroc") * len(areas)
    return [*found[:start], *areas, *found[start + len(areas) :]]


def _area_interval(own: Labels, score: Array) -> Interval:
    """Return the interval of one label's area; of one that none or all of the known rows have there is no area."""
    known = own >= 0
    having = own[known] == 1
    return mean_area_interval([(score[known], having)]) if having.any() and not having.all() else SHARE


def micro_auroc(y: Labels, decision_values: Array) -> Statistic:
    """Return the area under the ROC curve of all pairs of a row and a label together."""
    pairs = micro_ranking(y, decision_values)
    return Statistic(lambda counts: auroc(pairs.curve(counts))[None], (len(y) / 2,), _resamples(pairs.cost))


def decided(y: Labels, decision_values: Array, thresholds: Sequence[float]) -> Statistic:
    """Return macro-F1 and micro-F1, then every label's F1, of labels whose value is above their thresholds."""
    having, named = y == 1, (decision_values > np.asarray(thresholds)) & (y >= 0)
    sums = [part.T.astype(np.float64) for part in (having & named, having, named)]

    def of(counts: Array) -> Array:
        hits, support, said = (part @ counts for part in sums)
        f1 = np.where(support > 0, ratio(2 * hits, support + said), np.nan)
        micro = ratio(2 * hits.sum(0), (support + said).sum(0))
        return np.concatenate([mean_of_defined(f1[None]), micro[None], f1])

    rows = having.sum(0).tolist()
    counts = zip((having & named).sum(0).tolist(), rows, named.sum(0).tolist(), strict=True)
    each = [f1_interval(*one) for one in counts]
    trials = (min((n for n in rows if n), default=len(y)), len(y), *rows)
    return Statistic(of, trials, biased=True, closed=lambda: (RESAMPLED, RESAMPLED, *each))


def by_row(y: Labels, decision_values: Array, thresholds: Sequence[float]) -> Statistic:
    """Return ``lrap``, ``hamming_loss`` and ``subset_accuracy``; rows of which nothing is known are left out.

    Label ranking average precision is the mean over a row's labels of the share of its labels among those that score
    as high or higher; it is 1 for a row that has all known labels, or none. Hamming loss is the share of known values
    that are predicted wrong, subset accuracy that of rows without any.
    """
    known = y >= 0
    wrong = known & ((decision_values > np.asarray(thresholds)) != (y == 1))
    asked = known.any(1)
    above = np.stack([lrap_of_rows(y, decision_values) * asked, wrong.sum(1), asked & ~wrong.any(1)]).astype(np.float64)
    below = np.stack([asked, known.sum(1), asked]).astype(np.float64)
    rows = int(asked.sum())
    exact = wilson(float(above[2].sum()) / max(rows, 1), rows)
    return Statistic(
        lambda counts: ratio(above @ counts, below @ counts),
        (None, len(y), len(y)),
        closed=lambda: (RESAMPLED, RESAMPLED, exact),
    )


def lrap_of_rows(y: Labels, decision_values: Array) -> Array:
    """Return the label ranking average precision of each row, float64 (n,)."""
    having, known = y == 1, y >= 0
    total = np.zeros(len(y))
    for label in range(y.shape[1]):
        as_high = known & (decision_values >= decision_values[:, [label]])
        share = np.count_nonzero(as_high & having, axis=1) / np.maximum(np.count_nonzero(as_high, axis=1), 1)
        total += np.where(having[:, label], share, 0)
    own = np.count_nonzero(having, axis=1)
    mean = total / np.maximum(own, 1)
    return np.where((own == 0) | (own == np.count_nonzero(known, axis=1)), 1.0, mean)


def mean_of_defined(values: Array) -> Array:
    """Return the means over labels of scores (s, labels, b), float64 (s, b); NaN where none is defined."""
    defined = ~np.isnan(values)
    return ratio(np.where(defined, values, 0).sum(1), defined.sum(1).astype(np.float64))


def _ranked(one: Ranking, counts: Array) -> Array:
    curve = one.curve(counts)
    return np.stack([score(curve) for score in SCORES.values()])


def _resamples(cost: int) -> int:
    return min(RESAMPLES, max(FEWEST, COST // max(cost, 1)))


def _first(whole: Statistic, place: int) -> Statistic:
    """Return one score of a statistic."""
    closed = whole.closed
    return Statistic(
        lambda counts: whole.of(counts)[[place]],
        (whole.trials[place],),
        whole.resamples,
        biased=whole.biased,
        closed=(lambda: closed()[place : place + 1]) if closed else None,
        too_few=whole.too_few[place : place + 1],
    )


def _each(
    y: Labels, names: Sequence[str], first: Sequence[Score], f1: Sequence[Sequence[Score]], thresholds: Sequence[float]
) -> tuple[LabelScore, ...]:
    known, positives = np.count_nonzero(y >= 0, axis=0).tolist(), np.count_nonzero(y == 1, axis=0).tolist()
    labels, places = len(names), list(SCORES)
    found = []
    for k, name in enumerate(names):
        own = {score: first[len(RANKED) + places.index(score) * labels + k] for score in places}
        found.append(
            LabelScore(
                name=name,
                rows=known[k],
                positives=positives[k],
                prevalence=positives[k] / known[k] if known[k] else None,
                average_precision=own["average_precision"] if positives[k] else None,
                auroc=own["auroc"] if 0 < positives[k] < known[k] else None,
                f1=f1[0][len(DECIDED) + k] if positives[k] else None,
                threshold=float(thresholds[k]) if len(thresholds) else None,
                f1_at_threshold=f1[1][len(DECIDED) + k] if positives[k] and len(thresholds) else None,
            )
        )
    return tuple(found)
