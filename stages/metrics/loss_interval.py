"""The interval of a mean loss, with the mass of the mistakes that were not seen.

Most of a log-loss lies in the rows that are wrong. Where few are, a bootstrap shows their number and their losses too
well known. Here the error rate has Wilson's interval, and a wrong row costs m more than a right one:

    high - mean = √( (Wilson's upper end - rate)² m² + t² high s² / n + z² (1 - rate) r² / n )

s and r being the deviations among the losses of wrong and of right rows, and the same downwards. With many wrong rows
that is the law of total variance; with none m and s are those that the head's own probabilities expect of a wrong row,
which count as one row among those seen: at most as if its label had been given an eighth (see ``most_of_wrong``), or
what those seen cost, since a row that is wrong is mostly one of the less sure, which the rows seen need not hold. t is
Student's of two degrees of freedom more than there are wrong rows, and 0 where there is none; downwards it is z. These
two numbers, an eighth and two, are those with which ``benchmarks/selection/coverage.py`` keeps its aims.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from frostline.stages.metrics.score import Bounds, Z, wilson

Array = NDArray[np.float64]
_EIGHTH = 1 / 8
_BLOCK = 2**18  # probabilities at once


def loss_interval(losses: Array, right: NDArray[np.bool_], expected: tuple[float, float], most: float) -> Bounds:
    """Return the interval of the mean of losses (n,), of rows that are right or not.

    ``expected``: mean and variance of a wrong row's loss by the head's probabilities, from ``expected_of_wrong``;
    ``most``: what of that mean counts, of ``most_of_wrong``.
    """
    from scipy.special import stdtrit

    n, wrong = len(losses), losses[~right]
    value, rate = float(losses.mean()), len(wrong) / n
    low, high = wilson(rate, n)
    of_right = losses[right] if right.any() else np.zeros(1)
    mean, variance = _with_one_more(wrong, expected, most)
    costs, steady = max(mean - float(of_right.mean()), 0.0), Z**2 * (1 - rate) * float(of_right.var()) / n
    far = float(stdtrit(len(wrong) + 2, 0.975)) if len(wrong) else 0.0
    up = (high - rate) ** 2 * costs**2 + far**2 * high * variance / n + steady
    down = (rate - low) ** 2 * costs**2 + Z**2 * rate * variance / n + steady
    return max(value - down**0.5, 0.0), value + up**0.5


def most_of_wrong(classes: int) -> dict[str, float]:
    """Return the ``log_loss`` and ``brier`` of a wrong row whose label had an eighth, and the prediction all else.

    The more classes share what is left, the less a label has of it: of 100, log-loss counts three bits and two thirds.
    """
    log_loss = 0.1 * math.log(max(classes - 1, 1)) - math.log(_EIGHTH)
    return {"log_loss": log_loss, "brier": 2 * (1 - _EIGHTH) ** 2}


def expected_of_wrong(probabilities: Array, losses: Callable[[Array], Array]) -> tuple[float, float]:
    """Return mean and variance of the loss of a row that is wrong, if the probabilities (n, classes) of the classes
    that are not predicted are as often true as they say; ``losses`` gives those of each class, (b, classes), of b rows.

    A block of rows at a time: nothing as large as the probabilities is made.
    """
    n, classes = probabilities.shape
    if classes == 1:  # nothing else can be true
        return 0.0, 0.0
    length = max(1, _BLOCK // classes)
    blocks = (probabilities[start : start + length] for start in range(0, n, length))
    weights, means, variances = np.array([_moments(block, losses(block)) for block in blocks]).T
    shares = weights / weights.sum()
    mean = float(means[0] + shares @ (means - means[0]))
    return mean, float(variances[0] + shares @ (variances - variances[0] + (means - mean) ** 2))


def _moments(probabilities: Array, losses: Array) -> tuple[float, float, float]:
    """Return the weight, mean and variance of losses (b, classes) by the probabilities of classes not predicted."""
    chances = np.maximum(probabilities, np.finfo(np.float64).tiny)
    np.put_along_axis(chances, probabilities.argmax(1)[:, None], 0.0, axis=1)
    mean = float(np.average(losses, weights=chances))
    return float(chances.sum()), mean, float(np.average((losses - mean) ** 2, weights=chances))


def _with_one_more(wrong: Array, expected: tuple[float, float], most: float) -> tuple[float, float]:
    """Return mean and variance of the losses of wrong rows and one row of what is expected."""
    most = max(most, float(wrong.mean())) if len(wrong) else most
    one = min(expected[0], most)
    mean = (float(wrong.sum()) + one) / (len(wrong) + 1)
    squares = float(((wrong - mean) ** 2).sum()) + min(expected[1], most**2 / 2) + (one - mean) ** 2
    return mean, squares / (len(wrong) + 1)
