"""What the main score of a kind of target claims, and what it can be compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from frostline.pipeline.report.chance import by_chance
from frostline.pipeline.report.html import formatting
from frostline.pipeline.report.html.record import Scored
from frostline.stages.errors import counted
from frostline.stages.evaluate import Evaluation
from frostline.stages.targets.base import DEFAULT
from frostline.stages.targets.registry import TARGETS


def claim(found: Evaluation) -> str:
    """Return what follows the value of the main score: of how many samples it is what."""
    return _CLAIMS.get(found.kind, _other_claim)(found)


def references(leader: Scored) -> list[str]:
    """Return what the main score can be compared with: what is reached without looking at a sample."""
    return list(_REFERENCES.get(leader.evaluation.kind, _no_references)(leader))


def mean_errors(y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return, for each output of known values (n, k), the mean absolute error of predicting their mean, (k,)."""
    errors: NDArray[np.float64] = np.nanmean(np.abs(y - np.nanmean(y, axis=0)), axis=0)
    return errors


def _tested(found: Evaluation) -> str:
    return counted(found.rows, "test sample")


def _single_claim(found: Evaluation) -> str:
    return f"of {_tested(found)} {'is' if found.rows == 1 else 'are'} classified correctly"


def _labels_claim(found: Evaluation) -> str:
    return f"mean average precision of {counted(len(found.labels), 'label')} on {_tested(found)}"


def _numbers_claim(found: Evaluation) -> str:
    one = len(found.outputs) == 1
    what = f"R² of {found.outputs[0].name}" if one else f"mean R² of {counted(len(found.outputs), 'output')}"
    return f"{what} on {_tested(found)}"


def _other_claim(found: Evaluation) -> str:
    target = TARGETS.load(found.kind)
    return f"{target.table[target.main]} on {_tested(found)}"


def _single_references(leader: Scored) -> list[str]:
    chance = by_chance(leader.evaluation) or 0.0
    return [f"Always predicting the most common class: {100 * chance:.1f} %."]


def _label_references(leader: Scored) -> list[str]:
    """Return what random scores reach: the average precision of a label is its prevalence then."""
    chance = by_chance(leader.evaluation)
    return [] if chance is None else [f"Random scores: {100 * chance:.1f} %, the mean share of samples with a label."]


def _number_references(leader: Scored) -> list[str]:
    """Return what predicting the mean reaches: R² 0, and of one output the MAE, in units of the target."""
    answers, scores = leader.answers, leader.evaluation.scores
    if answers is None or len(leader.evaluation.outputs) > 1:
        return ["Always predicting the mean of the test values: R² of 0."]
    own, theirs = formatting.valued("mae", scores["mae"])[0], formatting.amount(float(mean_errors(answers.y)[0]))
    return [
        "Always predicting the mean of the test values: R² of 0 and a mean absolute error of "
        f"{theirs}. Here it is {own}."
    ]


def _no_references(_leader: Scored) -> list[str]:
    return []


def of_groups(found: Evaluation) -> list[str]:
    """Return the number of groups, and the interval that ignores them."""
    if not found.groups or found.of_rows is None:
        return []
    interval = formatting.valued(TARGETS.load(found.kind).main, found.of_rows)[1]
    return [
        f"The interval resamples the {counted(found.groups, 'group')} of test samples. "
        f"If all samples were independent, it would be {interval}."
    ]


_CLAIMS: Mapping[str, Callable[[Evaluation], str]] = MappingProxyType(
    {DEFAULT: _single_claim, "multi-label": _labels_claim, "regression": _numbers_claim}
)
_REFERENCES: Mapping[str, Callable[[Scored], Sequence[str]]] = MappingProxyType(
    {DEFAULT: _single_references, "multi-label": _label_references, "regression": _number_references}
)
