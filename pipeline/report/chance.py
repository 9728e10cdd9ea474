"""What can be reached without looking at a sample."""

from __future__ import annotations

from frostline.stages.evaluate import Evaluation


def by_chance(found: Evaluation) -> float | None:
    """Return the main score that is reached without looking at a sample; None where that is not known.

    Of classes: always the most common one. Of labels: the mean of their prevalences, which random scores reach. Of
    numbers: their mean.
    """
    if found.classes:
        return max(one.support for one in found.classes) / found.rows
    if found.labels:
        shares = [one.prevalence for one in found.labels if one.positives and one.prevalence is not None]
        return sum(shares) / len(shares) if shares else None
    return 0.0 if found.outputs else None
