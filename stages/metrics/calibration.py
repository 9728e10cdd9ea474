"""Scores of probabilities, how well these agree with what happens, and the temperature that mends it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostline.stages.metrics.statistic import Array, Statistic, membership

BINS = 15
COLDEST, HOTTEST = 0.01, 100.0


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
    return -np.take_along_axis(_logarithms(probabilities), y[:, None], 1)[:, 0]


def brier_losses(probabilities: Array, y: NDArray[np.int64]) -> Array:
    """Return each row's sum over classes of (p - t)², t being 1 for its label and else 0; float64 (n,).

    From 0 to 2 with any number of classes (Brier, Monthly Weather Review 78, 1950, eq. 2).
    """
    own = np.take_along_axis(probabilities, y[:, None], 1)[:, 0]
    losses: Array = np.einsum("ij,ij->i", probabilities, probabilities) - own**2 + (1 - own) ** 2
    return losses


def calibration_error(probabilities: Array, y: NDArray[np.int64]) -> Statistic:
    """Return the expected calibration error: the mean over rows of |accuracy - confidence| of their bin.

    15 bins of equal width over the probability of the predicted class (Guo et al., "On Calibration
    of Modern Neural Networks", arXiv:1706.04599, eq. 3). Its interval begins at 0 where perfect
    calibration could have given as much (Bröcker and Smith, Weather and Forecasting 22, 2007).
    """
    confidence, right = probabilities.max(1), probabilities.argmax(1) == y
    own = _bins(confidence)
    excess = membership(own, BINS, right - confidence)
    return Statistic(
        lambda counts: np.abs(excess @ counts).sum(0, keepdims=True) / counts.sum(0),
        (None,),
        biased=True,
        noise=_noise(own, confidence),
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
    used = np.ones(len(y), bool) if weights is None else weights > 0
    logs, labels = _logarithms(probabilities[used]), y[used]
    shares = np.ones(len(labels)) if weights is None else weights[used]
    logs -= np.take_along_axis(logs, labels[:, None], 1)
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


def tempered(probabilities: Array, T: float) -> Array:
    """Return softmax(log p / T), (n, classes): T > 1 makes them less sure, T < 1 more; none changes its place."""
    return _softmax(_logarithms(probabilities) / T)


def _bins(confidence: Array) -> NDArray[np.int64]:
    """Return the bin of each confidence; a bin holds its upper edge."""
    return np.searchsorted(np.arange(1, BINS) / BINS, confidence, side="left")


def _noise(own: NDArray[np.int64], confidence: Array) -> float:
    """Return what 95 % of calibration errors stay below where confidence is exactly the chance to be right.

    The rows that are right in a bin are then a sum of Bernoulli variables, here taken as normal.
    """
    deviation = np.sqrt(np.bincount(own, confidence * (1 - confidence), BINS))
    errors = np.abs(np.random.default_rng(0).standard_normal((1000, BINS)) * deviation).sum(1) / len(own)
    return float(np.quantile(errors, 0.95))


def _logarithms(probabilities: Array) -> Array:
    logs: Array = np.log(np.maximum(probabilities, np.finfo(np.float64).eps))
    return logs


def _softmax(logs: Array) -> Array:
    chances: Array = np.exp(logs - logs.max(1, keepdims=True))
    chances /= chances.sum(1, keepdims=True)
    return chances
