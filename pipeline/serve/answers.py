"""The prediction of a head for one sample, for each kind of target."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostline.stages.errors import ConfigError
from frostline.stages.heads import Head
from frostline.stages.heads.scaling import target_of
from frostline.stages.metrics.multi_label import usual_thresholds

SINGLE_LABEL, MULTI_LABEL, REGRESSION = "single-label", "multi-label", "regression"


@dataclass(frozen=True)
class Prediction:
    """The prediction for one sample; or the ``problem`` because of which it was left out.

    Attributes:
        path: the path of the sample's file; of a sample that is no file, its number as a ``Path``.
        classes: pairs of a class (or label) and its probability, the most likely first. For regression, pairs of an
            output and its value, in the order of the head. Heads without probabilities give decision values of any
            scale instead.
        problem: why the sample was left out.
        probabilistic: whether the head has probabilities.
        kind: the kind of target: ``single-label``, ``multi-label`` or ``regression``.
        labels: for a multi-label head, the predicted labels, the most likely first: those whose probability is above
            the threshold stored with the head, or else above 0.5 (decision values: above 0).
    """

    path: Path
    classes: tuple[tuple[str, float], ...]
    problem: str | None = None
    probabilistic: bool = True
    kind: str = SINGLE_LABEL
    labels: tuple[str, ...] = ()

    @property
    def label(self) -> str | None:
        """The most likely class, for a single-label head."""
        return self.classes[0][0] if self.classes and self.kind == SINGLE_LABEL else None

    @property
    def value(self) -> float | None:
        """The predicted number, for a regression head with one output; see ``outputs`` for several."""
        return self.classes[0][1] if self.kind == REGRESSION and len(self.classes) == 1 else None

    @property
    def outputs(self) -> dict[str, float]:
        """The predicted values by output name, for a regression head."""
        return dict(self.classes) if self.kind == REGRESSION else {}


def answer(head: Head, path: Path, decision_values: NDArray[np.float64] | None, problem: str | None) -> Prediction:
    """Return what a head's decision values (classes,) say of a sample; None where a problem left it out."""
    kind, probabilistic = target_of(head), head.probabilistic
    if decision_values is None:
        return Prediction(path, (), problem, probabilistic, kind)
    ranked = range(len(decision_values)) if kind == REGRESSION else np.argsort(-decision_values, kind="stable").tolist()
    named = tuple((head.classes[place], float(decision_values[place])) for place in ranked)
    if kind != MULTI_LABEL:
        return Prediction(path, named, problem, probabilistic, kind)
    above = decision_values > np.array(thresholds(head))
    labels = tuple(head.classes[place] for place in ranked if above[place])
    return Prediction(path, named, problem, probabilistic, kind, labels)


def thresholds(head: Head) -> tuple[float, ...]:
    """Return the threshold above which each label is predicted: as stored with a multi-label head, or the usual one."""
    stored: tuple[float, ...] = getattr(head, "thresholds", ())
    return stored or usual_thresholds(len(head.classes), probabilistic=head.probabilistic)


def check_kind(folder: str | Path, head: Head) -> None:
    """Raise ConfigError for a head of a kind of target of another distribution."""
    kind = target_of(head)
    if kind not in (SINGLE_LABEL, MULTI_LABEL, REGRESSION):
        raise ConfigError(
            f"the head in {folder} is for {kind} targets; expected a head for {SINGLE_LABEL}, {MULTI_LABEL} or "
            f"{REGRESSION} targets, whose predictions can be shown and exported"
        )
