"""Whether a head's confidence can be believed."""

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
    surer, less = f"is {points} surer than it is right", f"is right {points} more often than it says"
    verdict = f"On average the head {surer if gap < 0 else less}."
    return Calibration(plots.reliability_diagram(bins, found.reliability_calibrated), verdict, _mended(found))


def _mended(found: Evaluation) -> str:
    before, after = found.scores.get("ece"), found.scores.get("ece_calibrated")
    if not found.temperature or before is None or after is None:
        return ""
    if found.temperature == 1:
        return "Held-out training samples call for no temperature other than 1."
    old, new = (formatting.valued("ece", score)[0] for score in (before, after))
    effect = (
        f"takes the calibration error from {old} to {new}"
        if after.value < before.value
        else f"does not help here: calibration error {old} before, {new} after"
    )
    return f"Dividing log p by T = {found.temperature:.2f}, learned on held-out training samples, {effect}."
