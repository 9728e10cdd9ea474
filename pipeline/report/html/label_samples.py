"""The test samples whose labels a head gets most wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostline.pipeline.report.html.decided import Decided
from frostline.pipeline.report.html.thumbnails import Picture, Thumbnails
from frostline.pipeline.report.wording import listed
from frostline.stages.metrics import Predictions
from frostline.stages.metrics.multi_label import lrap_of_rows

WORST, _NAMED = 12, 8
_IMPOSSIBLE = 1e-6  # of a probability; they are stored to six digits


@dataclass(frozen=True)
class LabelledSample:
    """A test sample, its labels, what it is called, and by how much that is wrong."""

    picture: Picture
    truth: str
    prediction: str
    cost: str


def worst_labelled(found: Decided, thumbnails: Thumbnails) -> tuple[LabelledSample, ...]:
    """Return the samples of the largest cost, of equals those with more wrong labels, at most ``WORST``."""
    costs, wrong = sample_costs(found.answers), found.wrong.sum(1)
    rows = np.lexsort((-wrong, -costs))[:WORST]
    return tuple(
        _sample(found, thumbnails, int(row), float(costs[row])) for row in rows if costs[row] > 0 or wrong[row]
    )


def sample_costs(answers: Predictions) -> NDArray[np.float64]:
    """Return what each row costs, float64 (n,): its mean log-loss, or of scores 1 less label ranking precision."""
    if not answers.probabilistic:
        costs: NDArray[np.float64] = 1 - lrap_of_rows(answers.y, answers.decision_values)
        return costs
    known = answers.y >= 0
    right = np.where(answers.y == 1, answers.decision_values, 1 - answers.decision_values)
    losses = np.where(known, -np.log(np.maximum(right, _IMPOSSIBLE)), 0)
    mean: NDArray[np.float64] = losses.sum(1) / np.maximum(known.sum(1), 1)
    return mean


def _sample(found: Decided, thumbnails: Thumbnails, row: int, cost: float) -> LabelledSample:
    truth, prediction = _all(found.having_of(row)), _all(found.named_of(row))
    picture = thumbnails.of(found.answers.ids[row], f"A test sample with the labels {truth}, predicted {prediction}")
    said = f"log-loss {cost:.2f}" if found.answers.probabilistic else f"LRAP {100 * (1 - cost):.0f} %"
    return LabelledSample(picture, truth, prediction, said)


def _all(names: Sequence[str]) -> str:
    return listed(names, _NAMED) if names else "none"
