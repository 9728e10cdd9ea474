"""The test samples on a plane, where their targets say which plane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from frostline.pipeline.report.html import plots
from frostline.pipeline.report.html.artifacts import RunArtifacts
from frostline.pipeline.report.html.projection import plane
from frostline.pipeline.report.html.record import Run
from frostline.pipeline.report.html.value_plots import value_map
from frostline.stages.targets.base import DEFAULT
from frostline.stages.targets.registry import TARGETS

_LABELLED, _FEWER = 20, 10  # classes that are named, and of more classes than that


@dataclass(frozen=True)
class Map:
    """The test samples on a plane, or ``why`` not; ``shown`` on it, ``learned`` on others, ``others``: rare classes.

    ``output``: of which the samples' values are shown, empty for classes.
    """

    figure: Markup | None = None
    why: str = ""
    shown: int = 0
    learned: int = 0
    others: int = 0
    output: str = ""


def map_of(run: Run, artifacts: RunArtifacts) -> Map | None:
    """Return the map of a run's test samples; None if its targets define no plane, or too few samples do."""
    if run.record.kind not in (DEFAULT, "regression"):
        return None
    if artifacts.X is None or artifacts.y is None:
        return Map(why=artifacts.no_features)
    return _of_classes(run, artifacts) if run.record.kind == DEFAULT else _of_values(run, artifacts)


def _of_classes(run: Run, artifacts: RunArtifacts) -> Map | None:
    assert artifacts.X is not None and artifacts.y is not None
    found = plane(artifacts.X, artifacts.y)
    if found is None:
        return None
    points, rows = found
    y = artifacts.y[rows]
    shown = len(np.unique(y))
    named = _LABELLED if shown <= _LABELLED else _FEWER
    drawn = plots.scatter(points, y, run.record.classes, named)
    others = max(0, shown - named)
    return Map(drawn, shown=len(y), learned=len(artifacts.y) - len(y), others=others)


def _of_values(run: Run, artifacts: RunArtifacts) -> Map | None:
    """Return the plane that best tells apart the strata of one output, of several the one that is predicted best."""
    assert artifacts.X is not None and artifacts.y is not None
    if run.leader is None:
        return None
    outputs = run.leader.evaluation.outputs
    best = max(range(len(outputs)), key=lambda k: outputs[k].r2.value)
    known = ~np.isnan(artifacts.y[:, best])
    values = artifacts.y[known, best]
    strata = TARGETS.load(run.record.kind).strata(values[:, None])
    found = plane(artifacts.X[known], strata)
    if found is None:
        return None
    points, rows = found
    drawn = value_map(points, values[rows], outputs[best].name)
    return Map(drawn, shown=len(rows), learned=len(values) - len(rows), output=outputs[best].name)
