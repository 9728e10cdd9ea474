"""How well a head's confidence agrees with its accuracy."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from frostline.pipeline.report.html import formatting, plots
from frostline.stages.evaluate import Evaluation


@dataclass(frozen=True)
class Calibration:
    """``verdict``: whether the head is too sure; ``mended``: what a temperature makes of it, if there is one."""

    figure: Markup
    verdict: str
    mended: str


def calibration(found: Evaluation) -> Calibration | None:
    """Return how well confidence agrees with what is right; None for a head without probabilities."""
    bins = found.reliability
    if not bins:
        return None
    gap = sum(one.rows * (one.accuracy - one.confidence) for one in bins) / found.rows
    points = f"{100 * abs(gap):.1f} points"
    verdict = (
        f"On average, the confidence of the head is {points} too {'high' if gap < 0 else 'low'}."
        if round(abs(gap), 3)
        else "On average, the confidence of the head equals its accuracy."
    )
    scaled = () if found.temperature == 1 else found.reliability_calibrated
    return Calibration(plots.reliability_diagram(bins, scaled), verdict, _mended(found))


def _mended(found: Evaluation) -> str:
    before, after = found.scores.get("ece"), found.scores.get("ece_calibrated")
    if not found.temperature or before is None or after is None:
        return ""
    if found.temperature == 1:
        return "Temperature scaling, learned on held-out training samples, changes nothing (T = 1)."
    old, new = (formatting.valued("ece", score)[0] for score in (before, after))
    effect = (
        f"reduces the calibration error from {old} to {new}"
        if after.value < before.value
        else f"does not reduce the calibration error here ({old} before, {new} after)"
    )
    return f"Temperature scaling with T = {found.temperature:.2f}, learned on held-out training samples, {effect}."
