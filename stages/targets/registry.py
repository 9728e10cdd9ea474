"""The kinds of targets by name: those of Frostline, and those that distributions add to ``frostline.targets``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from frostline.stages.plugins import Door
from frostline.stages.targets.base import DEFAULT, Target

T = TypeVar("T")

_BUILT_IN: dict[str, Target | str] = {
    "single-label": "frostline.stages.targets.single_label:SINGLE_LABEL",
    "multi-label": "frostline.stages.targets.multi_label:MULTI_LABEL",
    "regression": "frostline.stages.targets.regression:REGRESSION",
}
TARGETS = Door("kind of target", "frostline.targets", _BUILT_IN)


def main_score(scores: Mapping[str, T], kind: str = DEFAULT) -> T:
    """Return that of an evaluation's scores by which heads are ordered."""
    return scores[TARGETS.load(kind).main]
