"""Shift: can a classifier tell training rows from test rows?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostline.stages.datasets.sampling import content_hash_order, folds
from frostline.stages.diagnostics.label_errors import held_out
from frostline.stages.metrics import Z
from frostline.stages.store import Features

_MIN_ROWS = 10


@dataclass(frozen=True)
class Shift:
    """The area under the ROC curve of test against train, 0.5 where they can't be told apart, with its 95 % interval.

    ``rows``: how many of each split were used.
    """

    auroc: float
    low: float
    high: float
    rows: tuple[int, int]

    @property
    def found(self) -> bool:
        """Whether the splits can be told apart beyond chance."""
        return self.low > 0.5


def shift(train: Features, test: Features, max_rows: int = 5000, seed: int = 0) -> Shift | None:
    """Return how well a head tells test rows from training rows; None with fewer than 10 of either.

    A classifier two-sample test (Lopez-Paz and Oquab, ICLR 2017, arXiv:1610.06545): a logistic
    regression fitted on half of the rows, its AUROC on the other half, the variance by DeLong et al.
    (Biometrics 44, 1988). Not cross-validated: folds share their training rows, and an interval that
    takes them for independent held one half in only 79 of 100 draws without a shift. ``max_rows``: rows of each
    split, drawn by content. Features are finite. Copies in both splits pull the value below one half.
    The head is linear: a change of the features' spread alone, with the same mean, is not seen.
    """
    from frostline.stages.heads.newton.penalised import prepare

    first, second = (_drawn(features, max_rows, seed) for features in (train, test))
    if min(len(first), len(second)) < _MIN_ROWS:
        return None
    X = np.concatenate([train.X[first], test.X[second]])
    y = np.repeat([0, 1], [len(first), len(second)])
    held = folds(y, np.concatenate([train.digests[first], test.digests[second]]), 2, 2, seed) == 1
    scores = held_out(prepare(X, y, classes=2), X, held)[:, 1]
    value, variance = auroc(scores[y[held] == 1], scores[y[held] == 0])
    margin = Z * variance**0.5
    return Shift(value, max(value - margin, 0.0), min(value + margin, 1.0), (len(first), len(second)))


def auroc(positive: NDArray[np.floating], negative: NDArray[np.floating]) -> tuple[float, float]:
    """Return the area under the ROC curve of scores (m,) over scores (n,), ties counted half, and its variance.

    DeLong et al. (1988), computed from midranks as Sun and Xu (IEEE Signal Processing Letters 21, 2014).
    """
    from scipy.stats import rankdata

    m, n = len(positive), len(negative)
    ranks = rankdata(np.concatenate([positive, negative]))
    above = (ranks[:m] - rankdata(positive)) / n
    below = 1 - (ranks[m:] - rankdata(negative)) / m
    variance = sum(float(part.var(ddof=1)) / len(part) if len(part) > 1 else 0.25 for part in (above, below))
    return float(above.mean()), variance


def _drawn(features: Features, max_rows: int, seed: int) -> NDArray[np.int64]:
    """Return up to ``max_rows`` rows, chosen by lot, ascending."""
    return np.sort(np.argsort(content_hash_order(features.digests, seed), kind="stable")[:max_rows])
