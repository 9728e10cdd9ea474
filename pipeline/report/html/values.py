"""The section on predicted numbers: against the true ones, by output, and the samples that are most wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from frostline.pipeline.report.html import formatting, value_plots
from frostline.pipeline.report.html.artifacts import RunArtifacts
from frostline.pipeline.report.html.claims import mean_errors
from frostline.pipeline.report.html.formatting import amount
from frostline.pipeline.report.html.record import Scored
from frostline.pipeline.report.html.score_names import REGRESSION
from frostline.pipeline.report.html.thumbnails import Picture, Thumbnails
from frostline.stages.metrics import Predictions
from frostline.stages.metrics.regression import OutputScore

DRAWN, WORST = 4, 12
SCORES = ("r2", "mae", "rmse", "pearson", "spearman")


@dataclass(frozen=True)
class Drawn:
    """One output: its predictions against the true values, and what is left of these."""

    name: str
    against: Markup
    residuals: Markup


@dataclass(frozen=True)
class OutputRow:
    """One output's scores as text; ``mean_error``: the MAE of predicting the mean, if its values are at hand."""

    name: str
    rows: int
    cells: tuple[tuple[str, str], ...]
    mean_error: str


@dataclass(frozen=True)
class PredictedSample:
    """A test sample, the true value of ``output``, and the predicted one."""

    picture: Picture
    output: str
    truth: str
    prediction: str


@dataclass(frozen=True)
class Values:
    """``drawn``: the outputs found worst, but for ``left_out``. ``worst``: from the answers, else ``problem``."""

    drawn: tuple[Drawn, ...]
    left_out: int
    columns: tuple[str, ...]
    outputs: tuple[OutputRow, ...]
    worst: tuple[PredictedSample, ...]
    problem: str
    no_pictures: str


def values_section(leader: Scored, artifacts: RunArtifacts) -> Values:
    """Return how the numbers that a head predicts lie beside the true ones."""
    outputs, answers = leader.evaluation.outputs, leader.answers
    order = sorted(range(len(outputs)), key=lambda k: outputs[k].r2.value)
    drawn = (_drawn(answers, k) for k in order[:DRAWN]) if answers else ()
    return Values(
        drawn=tuple(one for one in drawn if one),
        left_out=len(order[DRAWN:]),
        columns=tuple(REGRESSION[name][0] for name in SCORES),
        outputs=_rows(outputs, answers),
        worst=_worst(answers, Thumbnails(artifacts.test, artifacts.page)) if answers else (),
        problem=leader.problem,
        no_pictures=artifacts.no_samples,
    )


def _drawn(answers: Predictions, output: int) -> Drawn | None:
    """Return one output's figures, of the samples whose value is known; None without any."""
    known = ~np.isnan(answers.y[:, output])
    if not known.any():
        return None
    name, true, predicted = answers.classes[output], answers.y[known, output], answers.decision_values[known, output]
    against = value_plots.predicted_against_true(name, true, predicted)
    return Drawn(name, against, value_plots.residuals(name, true, predicted))


def _rows(outputs: Sequence[OutputScore], answers: Predictions | None) -> tuple[OutputRow, ...]:
    errors = [amount(error) for error in mean_errors(answers.y)] if answers else ["–"] * len(outputs)
    return tuple(
        OutputRow(
            name=one.name,
            rows=one.rows,
            cells=tuple(formatting.valued(name, getattr(one, name)) for name in SCORES),
            mean_error=error,
        )
        for one, error in zip(outputs, errors, strict=True)
    )


def _worst(answers: Predictions, thumbnails: Thumbnails) -> tuple[PredictedSample, ...]:
    """Return the samples whose largest error is largest, in standard deviations of its output."""
    off = standard_errors(answers)
    rows = np.argsort(-off.max(1), kind="stable")[:WORST]
    return tuple(_sample(answers, thumbnails, int(row), int(off[row].argmax())) for row in rows if off[row].max() > 0)


def standard_errors(answers: Predictions) -> NDArray[np.float64]:
    """Return absolute errors in standard deviations of the known values, (n, outputs); 0 where not known."""
    deviation = np.nanstd(answers.y, axis=0)
    errors = np.abs(answers.decision_values - answers.y) / np.where(deviation > 0, deviation, 1)
    found: NDArray[np.float64] = np.nan_to_num(errors, nan=0)
    return found


def _sample(answers: Predictions, thumbnails: Thumbnails, row: int, output: int) -> PredictedSample:
    name = answers.classes[output]
    scale = float(np.nanstd(answers.y[:, output]))
    truth = amount(answers.y[row, output])
    prediction = formatting.to_scale(float(answers.decision_values[row, output]), scale)
    alt = f"A test sample: {name} is {truth}, predicted {prediction}"
    return PredictedSample(thumbnails.of(answers.ids[row], alt), name, truth, prediction)
