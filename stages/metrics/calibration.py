"""Scores of probabilities, how well these agree with what happens, and the temperature that mends it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from frostline.stages.metrics.calibration_interval import calibration_interval, noise
from frostline.stages.metrics.loss_interval import expected_of_wrong, loss_interval, most_of_wrong
from frostline.stages.metrics.score import Bounds
from frostline.stages.metrics.statistic import Array, Statistic, means, membership

BINS = 15
COLDEST, HOTTEST = 0.01, 100.0
_OPEN = 4.0  # squared standard errors


@dataclass(frozen=True)
class Bin:
    """The rows whose confidence, the probability of the predicted class, lies in (low, high].

    ``confidence``: its mean. ``accuracy``: the share of these rows that are right.
    """

    low: float
    high: float
    rows: int
    confidence: float
    accuracy: float


def log_losses(probabilities: Array, y: NDArray[np.int64]) -> Array:
    """Return -log p of each row's label, float64 (n,), in nats.

    As scikit-learn does, p is raised to 2.2e-16: a label held impossible costs 36 nats, not infinity.
    """
    return -_logarithms(np.take_along_axis(probabilities, y[:, None], 1)[:, 0])


def brier_losses(probabilities: Array, y: NDArray[np.int64]) -> Array:
    """Return each row's sum over classes of (p - t)², t being 1 for its label and else 0; float64 (n,).

    From 0 to 2 with any number of classes (Brier, Monthly Weather Review 78, 1950, eq. 2).
    """
    own = np.take_along_axis(probabilities, y[:, None], 1)[:, 0]
    losses: Array = np.einsum("ij,ij->i", probabilities, probabilities) - own**2 + (1 - own) ** 2
    return losses


def mean_losses(probabilities: Array, y: NDArray[np.int64]) -> Statistic:
    """Return the mean of ``log_losses``, then that of ``brier_losses``.

    Their intervals are those of ``frostline.stages.metrics.loss_interval``.
    """
    both = [log_losses(probabilities, y), brier_losses(probabilities, y)]
    return replace(means(both), closed=lambda: _loss_intervals(probabilities, y, both))


def _loss_intervals(probabilities: Array, y: NDArray[np.int64], losses: list[Array]) -> list[Bounds]:
    right, most_of = probabilities.argmax(1) == y, most_of_wrong(probabilities.shape[1]).values()
    return [
        loss_interval(found, right, expected_of_wrong(probabilities, each), most)
        for found, each, most in zip(losses, (_log_loss_of_each, _brier_loss_of_each), most_of, strict=True)
    ]


def _log_loss_of_each(probabilities: Array) -> Array:
    """Return what each class would cost, (b, classes), were it true."""
    return -_logarithms(probabilities)


def _brier_loss_of_each(probabilities: Array) -> Array:
    losses: Array = np.einsum("ij,ij->i", probabilities, probabilities)[:, None] - 2 * probabilities + 1
    return losses


def calibration_error(probabilities: Array, y: NDArray[np.int64]) -> Statistic:
    """Return the expected calibration error: the mean over rows of |accuracy - confidence| of their bin.

    15 bins of equal width over the probability of the predicted class (Guo et al., "On Calibration
    of Modern Neural Networks", arXiv:1706.04599, eq. 3). Its interval is that of
    ``frostline.stages.metrics.calibration_interval``: it begins at 0 where perfect calibration could have given as
    much.
    """
    confidence, right = probabilities.max(1), probabilities.argmax(1) == y
    own = _bins(confidence)
    excess = membership(own, BINS, right - confidence)
    return Statistic(
        lambda counts: np.abs(excess @ counts).sum(0, keepdims=True) / counts.sum(0),
        (None,),
        biased=True,
        noise=noise(own, confidence, BINS),
        closed=lambda: (calibration_interval(own, confidence, right, BINS),),
    )


def reliability_bins(probabilities: Array, y: NDArray[np.int64]) -> tuple[Bin, ...]:
    """Return the bins of the calibration error that hold rows, for a reliability diagram."""
    confidence, right = probabilities.max(1), probabilities.argmax(1) == y
    own = _bins(confidence)
    rows = np.bincount(own, minlength=BINS)
    sums = [np.bincount(own, values, BINS) for values in (confidence, right)]
    return tuple(
        Bin(k / BINS, (k + 1) / BINS, int(rows[k]), *(float(total[k] / rows[k]) for total in sums))
        for k in np.flatnonzero(rows).tolist()
    )


def temperature(probabilities: Array, y: NDArray[np.int64], weights: Array | None = None) -> float:
    """Return the T that minimises the mean log-loss of softmax(log p / T) (Guo et al., 2017, section 4.2).

    ``probabilities`` (n, classes), ``y`` (n,), ``weights`` (n,) by default 1. Learn it on rows that the
    head has not seen. The loss is convex in 1/T, so its derivative has one root; it is sought
    between T = 0.01 and T = 100, and where it lies beyond, the nearer of the two is returned. Where
    every row of some weight is right, no T is small enough, which says nothing of rows that are
    wrong: T is 1 then.
    """
    logs, shares = _against_own(probabilities, y, weights)
    if not (logs > 0).any():
        return 1.0

    def slope(log_T: float) -> float:
        """Return the derivative of the weighted log-loss by 1/T."""
        chances = _softmax(logs * np.exp(-log_T))
        return float(np.einsum("ij,ij,i->", chances, logs, shares))

    low, high = np.log(COLDEST), np.log(HOTTEST)
    if slope(low) <= 0:
        return COLDEST
    if slope(high) >= 0:
        return HOTTEST
    from scipy.optimize import brentq

    return float(np.exp(brentq(slope, low, high, xtol=1e-9)))


def steady_temperature(
    probabilities: Array, y: NDArray[np.int64], weights: Array | None = None, units: NDArray[np.int64] | None = None
) -> float:
    """Return the T of ``temperature``, drawn towards 1 as far as these rows leave that open; 1 where they can't tell.

    1/T becomes 1 + (b - 1) max(0, 1 - c s² / (b - 1)²) with b the 1/T that fits best, s its standard error (of the
    derivative's sum over ``units``, int64 (n,): rows of one, such as copies or one row scored again, count as one), and
    c = 4: what lies within two standard errors of 1 is 1. It is the positive-part estimate of James and Stein
    (Proc. Fourth Berkeley Symposium 1, 1961) with that threshold.
    """
    best = temperature(probabilities, y, weights)
    logs, shares = _against_own(probabilities, y, weights)
    chances = _softmax(logs / best)
    each = np.einsum("ij,ij->i", chances, logs)
    curvature = float(shares @ (np.einsum("ij,ij->i", chances, logs**2) - each**2))
    used = np.ones(len(y), bool) if weights is None else weights > 0
    sums = shares * each if units is None else np.bincount(units[used], shares * each)
    away = 1 / best - 1
    if not away or not curvature:
        return 1.0
    return 1 / (1 + away * max(0.0, 1 - _OPEN * float(sums @ sums) / (curvature * away) ** 2))


def _against_own(
    probabilities: Array, y: NDArray[np.int64], weights: Array | None
) -> tuple[Array, NDArray[np.floating]]:
    """Return log p less that of the row's label, (m, classes), and the weights, of the m rows that have some."""
    used = np.ones(len(y), bool) if weights is None else weights > 0
    logs = _logarithms(probabilities[used])
    logs -= np.take_along_axis(logs, y[used][:, None], 1)
    return logs, np.ones(len(logs)) if weights is None else weights[used]


def tempered(probabilities: Array, T: float) -> Array:
    """Return softmax(log p / T), (n, classes): T > 1 makes them less sure, T < 1 more; none changes its place."""
    logs = _logarithms(probabilities)
    logs /= T
    return _softmax(logs)


def _bins(confidence: Array) -> NDArray[np.int64]:
    """Return the bin of each confidence; a bin holds its upper edge."""
    return np.searchsorted(np.arange(1, BINS) / BINS, confidence, side="left")


def _logarithms(probabilities: Array) -> Array:
    logs: Array = np.maximum(probabilities, np.finfo(np.float64).eps)
    return np.log(logs, out=logs)


def _softmax(logs: Array) -> Array:
    """Return the softmax of each row, in the same memory."""
    logs -= logs.max(1, keepdims=True)
    np.exp(logs, out=logs)
    logs /= logs.sum(1, keepdims=True)
    return logs
