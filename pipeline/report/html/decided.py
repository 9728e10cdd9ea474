"""Which labels a head is taken to have predicted of each test sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostline.stages.metrics import Predictions
from frostline.stages.metrics.multi_label import LabelScore, usual_thresholds


@dataclass(frozen=True, eq=False)
class Decided:
    """``having``, ``named``: bool (n, labels), which labels a sample is known to have, and is called."""

    answers: Predictions
    having: NDArray[np.bool_]
    named: NDArray[np.bool_]

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """Which known labels (n, labels) are decided wrong."""
        wrong: NDArray[np.bool_] = (self.having != self.named) & (self.answers.y >= 0)
        return wrong

    def having_of(self, row: int) -> list[str]:
        """Return the labels of a sample."""
        return self._names(self.having[row])

    def named_of(self, row: int) -> list[str]:
        """Return what a sample is called."""
        return self._names(self.named[row])

    def _names(self, which: NDArray[np.bool_]) -> list[str]:
        return [self.answers.classes[label] for label in np.flatnonzero(which)]


def decided(answers: Predictions, labels: Sequence[LabelScore]) -> Decided:
    """Return what is above each label's own threshold, or, without, above the usual one."""
    usual = usual_thresholds(len(labels), probabilistic=answers.probabilistic)
    cuts = [cut if one.threshold is None else one.threshold for one, cut in zip(labels, usual, strict=True)]
    return Decided(answers, answers.y == 1, (answers.decision_values > np.array(cuts)) & (answers.y >= 0))
