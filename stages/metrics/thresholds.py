"""Decision thresholds of labels: above them a label is predicted, so that F1 is largest."""

from __future__ import annotations

import numpy as np

from frostline.stages.metrics.label_ranking import Labels
from frostline.stages.metrics.statistic import Array


def best_thresholds(y: Labels, decision_values: Array, usual: float) -> tuple[float, ...]:
    """Return each label's threshold: F1 of decision values above it is largest on these rows.

    ``y``: int8 (n, labels), 1, 0 or -1 for unknown; ``decision_values``: float (n, labels). Take them of rows that the
    head has not seen (Lipton, Elkan and Naryanaswamy, "Optimal thresholding of classifiers to maximize F1 measure",
    2014).
    A threshold lies midway between two decision values of known rows; of several the highest is taken, which predicts
    least. A label that no known row has keeps the ``usual`` one.
    """
    columns = zip(y.T, decision_values.T.astype(np.float64), strict=True)
    return tuple(_best(score[own >= 0], own[own >= 0] == 1, usual) for own, score in columns)


def _best(score: Array, own: Array, usual: float) -> float:
    if not own.any():
        return usual
    order = np.argsort(-score, kind="stable")
    score, hits = score[order], np.cumsum(own[order])
    last = np.flatnonzero(np.append(score[1:] < score[:-1], True))  # of each different score
    f1 = 2 * hits[last] / (hits[-1] + last + 1)
    place = last[int(f1.argmax())]
    below = score[place + 1] if place + 1 < len(score) else min(usual, np.nextafter(score[place], -np.inf))
    middle = (score[place] + below) / 2
    return float(middle if below <= middle < score[place] else below)
