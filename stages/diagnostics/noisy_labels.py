"""Probabilities calibrated on labels of which some may be wrong.

A temperature learned on such labels is too hot: the head must not be sure, since it is punished for every wrong label.
So the model of a given label is the tempered head with probability 1 - e, and with probability e any of the other
labels, each as likely (symmetric noise; Patrini et al., "Making Deep Neural Networks Robust to Label Noise", CVPR 2017,
arXiv:1609.03683, section 3):

    P(label | row) = (1 - e) p + e (1 - p) / (K - 1),   p = softmax(log q / T) at the label

T and e are those under which the given labels are likeliest; e is 0 where the head alone explains them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from frostline.stages.metrics import tempered

Array = NDArray[np.float64]

_COLDEST, _HOTTEST, _COARSE = 0.05, 20.0, 13
_MOST_WRONG = 0.5
_ROWS = 20_000  # evenly spread, are enough for two numbers
_HALVINGS = 40


def calibrated(probabilities: Array, y: NDArray[np.int64]) -> Array:
    """Return p, float64 (n, classes), of out-of-fold probabilities (n, classes) and given labels (n,)."""
    some = np.unique(np.linspace(0, len(y) - 1, min(len(y), _ROWS)).astype(int))
    return tempered(probabilities, _temperature(probabilities[some], y[some]))


def _temperature(probabilities: Array, y: NDArray[np.int64]) -> float:
    """Return the T of the largest likelihood, each with its best e: the best of a grid, then refined around it."""
    from scipy.optimize import minimize_scalar

    def loss(log_T: float) -> float:
        own = tempered(probabilities, float(np.exp(log_T)))[np.arange(len(y)), y]
        return -_log_likelihood(own, probabilities.shape[1])

    grid = np.linspace(np.log(_COLDEST), np.log(_HOTTEST), _COARSE)
    losses = [loss(one) for one in grid]
    best, step = grid[int(np.argmin(losses))], grid[1] - grid[0]
    found = minimize_scalar(loss, bounds=(best - step, best + step), method="bounded", options={"xatol": 1e-3})
    return float(np.exp(found.x if found.fun < min(losses) else best))


def _log_likelihood(own: Array, classes: int) -> float:
    """Return the mean log-likelihood of labels with probabilities ``own`` (n,), at the best e; it is concave in e."""
    other = (1 - own) / max(classes - 1, 1)
    low, high = 0.0, _MOST_WRONG
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        rising = float(np.mean((other - own) / _mixed(own, other, middle))) > 0
        low, high = (middle, high) if rising else (low, middle)
    return float(np.mean(np.log(_mixed(own, other, low))))


def _mixed(own: Array, other: Array, e: float) -> Array:
    mixed: Array = np.maximum((1 - e) * own + e * other, np.finfo(np.float64).tiny)
    return mixed
