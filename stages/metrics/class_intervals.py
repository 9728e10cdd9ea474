"""Intervals of scores by class and of their averages, from how often each class is right, missed and falsely named.

Recall and precision are proportions. So is J = TP / (TP + FN + FP), the share of the rows labelled or predicted as a
class that are both (Jaccard), and F1 = 2 J / (1 + J) rises with it: Wilson's ends of J are the ends of F1.

An average over K classes is a weighted sum of such proportions. As Agresti and Coull add z²/2 successes and z²/2
failures to one proportion (The American Statistician 52, 1998), and Price and Bonett divide them among the terms of a
sum ("An improved confidence interval for a linear function of binomial proportions", Computational Statistics and Data
Analysis 45, 2004), so z²/2 right and z²/2 wrong rows are divided here among the cells of the confusion matrix: a class
whose few rows are all right adds its doubt to the average, and a hundred such classes don't add a hundredfold one. The
variance is that of the sum of what each row adds to the average (the delta method), with n - 1 in the place of n of
each class, since few rows look more alike than they are. One row of a class says nothing of its spread: ``TOO_FEW``.
So is it for macro-F1 where a class is predicted of which no row is seen: its F1 is 0 by definition, whatever the head.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostline.stages.metrics.score import TOO_FEW, Bounds, Interval, Z, wilson

Array = NDArray[np.float64]
Labels = NDArray[np.int64]


def f1_interval(hits: int, support: int, named: int) -> Bounds:
    """Return the interval of one class's F1: of rows that are right, that are labelled and that are predicted so."""
    either = support + named - hits
    low, high = wilson(hits / either if either else 0.0, either)
    return 2 * low / (1 + low), 2 * high / (1 + high)


def too_few(y: Labels, predicted: Labels) -> tuple[bool, bool, bool]:
    """Return whether there is no interval, of balanced accuracy, macro-F1 and weighted F1."""
    alone = bool((np.bincount(y) == 1).any())
    return alone, alone or not np.isin(predicted, y).all(), False


def average_intervals(y: Labels, predicted: Labels) -> tuple[Interval, Interval, Interval]:
    """Return the intervals of balanced accuracy, macro-F1 and weighted F1 of labels and predictions, (n,) each."""
    found = np.unique(np.concatenate([y, predicted]))
    own, other = np.searchsorted(found, y), np.searchsorted(found, predicted)
    support, named, hits = (np.bincount(one, minlength=len(found)) for one in (own, other, own[own == other]))
    table, value = _table(own, other, len(found)), float(support / len(y) @ (2 * hits / (support + named)))
    balanced, macro, _ = too_few(y, predicted)
    return (
        TOO_FEW if balanced else _balanced(hits, support),
        TOO_FEW if macro else _macro(table),
        _weighted(table, value),
    )


@dataclass(frozen=True)
class _Table:
    """A confusion matrix of K classes with z²/2 rows added to its diagonal, and z²/2 off the diagonal.

    ``hits``, ``support``, ``named``: (K,) with what was added. ``mistakes``: label and prediction of each wrong row,
    int64 (2, m). ``extra``: what was added to each cell off the diagonal.
    """

    hits: Array
    support: Array
    named: Array
    mistakes: Labels
    extra: float

    @property
    def either(self) -> Array:
        """Rows labelled or predicted as each class."""
        return self.support + self.named - self.hits

    @property
    def f1(self) -> Array:
        """Each class's F1."""
        return 2 * self.hits / (self.support + self.named)


def _table(own: Labels, predicted: Labels, classes: int) -> _Table:
    """Return the smoothed table; of a single class, wrong rows lie in a class that does not occur."""
    added = Z**2 / 2 / classes
    right = own == predicted
    counts = [np.bincount(one, minlength=classes).astype(np.float64) for one in (own[right], own, predicted)]
    return _Table(
        hits=counts[0] + added,
        support=counts[1] + 2 * added,
        named=counts[2] + 2 * added,
        mistakes=np.stack([own[~right], predicted[~right]]),
        extra=added / max(classes - 1, 1),
    )


def _balanced(hits: Labels, support: Labels) -> Bounds:
    """Return the interval of the mean recall over the classes that have rows."""
    hits, support = hits[support > 0], support[support > 0]
    added = Z**2 / 2 / len(support)
    rows = support + 2 * added
    recall = (hits + added) / rows
    variance = float((recall * (1 - recall) / (rows - 1)).sum()) / len(rows) ** 2
    return _around(float(recall.mean()), variance)


def _macro(table: _Table) -> Bounds:
    """Return the interval of the mean F1.

    A right row of a class adds 2 (1 - F1) / S, S = 2 TP + FN + FP, and a wrong one takes F1 / S from two classes. F1 of
    few rows is too low on average, by its curvature: that is added to the middle.
    """
    either, f1 = table.either, table.f1
    both = table.support + table.named
    more = np.sqrt(either / np.maximum(either - 1, 0.5))
    gain, loss = 2 * (1 - f1) / both * more, f1 / both * more
    variance = _variance(table, gain, loss, 0.0) / len(f1) ** 2
    return _around(float((f1 + _bias(table)).mean()), variance)


def _bias(table: _Table) -> Array:
    """Return by how much each class's F1 = 2 T / (n + T + P) is too low: T binomial of n rows, P Poisson.

    Half of the second derivatives times the variances, with the sign turned.
    """
    hits, rows, false = table.hits, table.support, table.named - table.hits
    spread = hits * (rows - hits) / np.maximum(rows - 1, 0.5)
    bias: Array = 2 * ((rows + false) * spread - hits * false) / (table.support + table.named) ** 3
    return bias


def _weighted(table: _Table, value: float) -> Bounds:
    """Return the interval of F1 weighted by the rows of each class; a row also moves the weights.

    It is much like accuracy: Wilson's for as many trials as give a proportion this variance.
    """
    f1, n = table.f1, table.support.sum()
    share, both = table.support / n, table.support + table.named
    mean = float(share @ f1)
    gain, loss = share * 2 * (1 - f1) / both, share * f1 / both
    trials = mean * (1 - mean) / _variance(table, gain, loss, (f1 - mean) / n)
    return wilson(value, trials * (1 - Z**2 / n))  # Wilson's rule adds these rows once more


def _variance(table: _Table, gain: Array, loss: Array, weight: Array | float) -> float:
    """Return the variance of a sum to which a right row of class c adds gain_c + weight_c, and a wrong one of class c,
    treated as d, weight_c - loss_c - loss_d.

    Rows added off the diagonal are summed over all cells without listing them, their weight left out.
    """
    weights = np.broadcast_to(weight, gain.shape)
    own, other = table.mistakes
    seen = table.hits @ (gain + weights) ** 2 + ((weights[own] - loss[own] - loss[other]) ** 2).sum()
    squares, total = float((loss**2).sum()), float(loss.sum())
    added = max(2 * (len(loss) - 2) * squares + 2 * total**2, 2 * squares)
    return float(seen) + table.extra * added


def _around(centre: float, variance: float) -> Bounds:
    margin = Z * variance**0.5
    return max(0.0, centre - margin), min(1.0, centre + margin)
