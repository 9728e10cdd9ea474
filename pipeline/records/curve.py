"""The record of a learning curve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from frostline.stages.metrics import Spread
from frostline.stages.metrics.learning_curve import Forecast
from frostline.stages.targets.base import DEFAULT


@dataclass(frozen=True)
class Point:
    """Heads fitted on draws of one size: test score of each, the value chosen for each, and what by.

    ``accuracy``: of each draw, or of another kind of target than single labels its main score, as is ``spread``, whose
    interval is over draws and test rows; of a single draw over test rows alone.
    ``size``: samples per class or label, or in all; ``rows``: training rows, at most; ``by``: as in a selection, or
    "default" where so few rows leave nothing to choose by; ``seconds``: of all draws. ``scores``: what a published
    protocol reports besides, of each draw, by its own names.
    """

    size: int
    rows: int
    accuracy: tuple[float, ...]
    spread: Spread
    values: tuple[int | float, ...]
    by: str
    seconds: float
    scores: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Curve:
    """The main score by the amount of training data: ``unit`` is "shots" (samples per class or label) or "samples".

    ``forecast``: for twice the largest size; ``sentence``: the same in words, or why there is none. ``kind``: of
    target. ``groups``: of test samples, over which intervals are; 0 where these stand for themselves.
    """

    unit: str
    points: tuple[Point, ...]
    forecast: Forecast | None
    sentence: str
    kind: str = DEFAULT
    groups: int = 0

    @property
    def per_class(self) -> bool:
        """Whether sizes count the samples of each class or label, and not all of them."""
        return self.unit == "shots"

    @property
    def drawn(self) -> bool:
        """Whether every interval is over draws of the training samples, and not that of a single draw."""
        return all(len(point.accuracy) > 1 for point in self.points)
