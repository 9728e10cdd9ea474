"""What the main score of a kind of target claims, and what it may be held against."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

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
    """Return what the main score may be held against: what knowing nothing of the samples would reach."""
    return [*_REFERENCES.get(leader.evaluation.kind, _no_references)(leader), *_of_rows(leader.evaluation)]


def mean_errors(y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return, for each output of known values (n, k), the mean absolute error of predicting their mean, (k,)."""
    errors: NDArray[np.float64] = np.nanmean(np.abs(y - np.nanmean(y, axis=0)), axis=0)
    return errors


def _tested(found: Evaluation) -> str:
    return counted(found.rows, "test sample")


def _single_claim(found: Evaluation) -> str:
    return f"of {_tested(found)} {'is' if found.rows == 1 else 'are'} named right"


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
    found = leader.evaluation
    commonest = formatting.share(max(one.support for one in found.classes), found.rows)
    return [f"Naming the commonest class every time would be right for {commonest}."]


def _label_references(leader: Scored) -> list[str]:
    """Return what scores by chance reach: the average precision of a label is its prevalence then."""
    shares = [one.prevalence for one in leader.evaluation.labels if one.positives and one.prevalence is not None]
    if not shares:
        return []
    return [
        f"Scores by chance would reach {100 * float(np.mean(shares)):.1f} %, the mean share of samples with a label."
    ]


def _number_references(leader: Scored) -> list[str]:
    """Return what predicting the mean reaches: R² 0, and of one output the MAE, in units of the target."""
    answers, scores = leader.answers, leader.evaluation.scores
    if answers is None or len(leader.evaluation.outputs) > 1:
        return ["Predicting the mean of the test values every time would have an R² of 0."]
    own, theirs = formatting.valued("mae", scores["mae"])[0], formatting.amount(float(mean_errors(answers.y)[0]))
    return [
        "Predicting the mean of the test values every time would have an R² of 0 "
        f"and a mean absolute error of {theirs}; here it is {own}."
    ]


def _no_references(_leader: Scored) -> list[str]:
    return []


def _of_rows(found: Evaluation) -> list[str]:
    """Return of how many groups the samples are, and what they would have claimed had each stood for itself."""
    if not found.groups or found.of_rows is None:
        return []
    interval = formatting.valued(TARGETS.load(found.kind).main, found.of_rows)[1]
    return [
        f"The test samples are of {counted(found.groups, 'group')}, and intervals are of groups; "
        f"samples that stand for themselves would have claimed {interval}."
    ]


_CLAIMS: Mapping[str, Callable[[Evaluation], str]] = MappingProxyType(
    {DEFAULT: _single_claim, "multi-label": _labels_claim, "regression": _numbers_claim}
)
_REFERENCES: Mapping[str, Callable[[Scored], Sequence[str]]] = MappingProxyType(
    {DEFAULT: _single_references, "multi-label": _label_references, "regression": _number_references}
)
