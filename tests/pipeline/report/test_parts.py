"""What a page is made of, each part without a run: answers, commands, warnings, maps, figures."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest

from frostline.pipeline.records.curve import Curve, Point
from frostline.pipeline.report.html.curves import curve_row, figure_of
from frostline.pipeline.report.html.formatting import command
from frostline.pipeline.report.html.predictions import read_predictions
from frostline.pipeline.report.html.projection import plane
from frostline.pipeline.settings import Settings
from frostline.stages.errors import StoreError
from frostline.stages.metrics import Predictions, Spread, predictions_csv


def test_answers_are_read_as_they_were_written(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    classes = ("=a", "b", "-c", "d\n", "é")
    ids = ("+1", "@x", "plain", "with,comma", "\udce9")
    decision_values = rng.dirichlet(np.ones(5), 5)
    told = Predictions(ids, np.arange(5), decision_values, classes, True, ())
    data = predictions_csv(told).encode("utf-8", "surrogateescape")
    found = read_predictions(tmp_path / "p.csv", data, classes)
    assert found.ids == ids and found.probabilistic
    assert np.array_equal(found.y, told.y) and np.array_equal(found.labels, told.labels)
    assert np.allclose(found.decision_values[:, 0], decision_values.max(1), rtol=1e-5)
    with pytest.raises(StoreError, match="missing or unknown"):
        read_predictions(tmp_path / "p.csv", data, classes[1:])


def test_answers_in_another_order_are_the_same_answers(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    told = Predictions(tuple("abcdef"), rng.integers(0, 3, 6), rng.dirichlet(np.ones(3), 6), ("x", "y", "z"), True, ())
    found = read_predictions(tmp_path / "p.csv", predictions_csv(told).encode(), told.classes)
    turned = found.take([5, 3, 0])
    assert turned.ids == ("f", "d", "a") and turned.right.tolist() == told.right[[5, 3, 0]].tolist()
    assert turned.labels.tolist() == told.labels[[5, 3, 0]].tolist()


def test_the_command_to_repeat_a_run_has_its_settings() -> None:
    from frostline.pipeline.cli.flags import add_settings, given
    from frostline.pipeline.cli.parser import Parser

    settings = Settings(
        dataset="folder:my pets; rm -rf",
        resize=(8, 16),
        crop=7,
        mean=(0.5, 0.5, 0.5),
        head=("logreg",),
        grid="C=0.1,1e-7,30000000",
        head_params="max_iter=7",
        views=("plain", "hflip"),
        shots=(1, 2),
    )
    words = shlex.split(command(settings.model_dump(mode="json")))
    parser = Parser()
    add_settings(parser, Settings)
    assert Settings(**given(parser.parse_args(words[2:]))) == settings


def test_the_map_shows_rows_that_it_was_not_learned_on() -> None:
    rng = np.random.default_rng(1)
    y = rng.integers(0, 3, 600)
    centres = rng.normal(0, 6, (3, 20))
    told = plane(centres[y] + rng.normal(0, 1, (600, 20)), y)
    assert told is not None
    points, rows = told
    labels = y[rows]
    means = np.array([points[labels == label].mean(0) for label in range(3)])
    nearest = ((points[:, None] - means) ** 2).sum(2).argmin(1)
    assert points.shape == (300, 2) and (nearest == labels).mean() > 0.99
    noise = plane(rng.normal(0, 1, (600, 400)), y)
    assert noise is not None
    points, rows = noise
    labels = y[rows]
    means = np.array([points[labels == label].mean(0) for label in range(3)])
    assert (((points[:, None] - means) ** 2).sum(2).argmin(1) == labels).mean() < 0.5


def test_one_class_or_constant_features_make_no_map_or_a_dull_one() -> None:
    assert plane(np.random.default_rng(0).normal(size=(100, 5)), np.zeros(100, int)) is None
    told = plane(np.ones((100, 5)), np.arange(100) % 2)
    assert told is not None and np.isfinite(told[0]).all()


def test_a_figure_takes_its_colours_from_the_page() -> None:
    from frostline.pipeline.report.html.svg import INK, figure

    drawn = figure("x", 'a "figure"', (3, 2), lambda axes: axes.plot([0, 1], [0, 1], color=INK, label="#010101"))
    assert "var(--ink)" in drawn and "#0101" not in drawn and 'aria-label="a &#34;figure&#34;"' in drawn


def test_learning_curves_are_in_the_main_score_of_the_kind() -> None:
    points = tuple(
        Point(n, n, (0.2, score), Spread(score, 0.1, None, None, 2), (1.0, 1.0), "folds", 1.0)
        for n, score in ((5, -0.1), (10, 0.4))
    )
    curve = Curve("samples", points, None, "")
    row = curve_row("ridge", curve, points[0], "regression")
    assert (row.mean, row.std, row.range) == ("−0.100", "0.100", "−0.100 to 0.200")
    shares = curve_row("ridge", curve, points[1], "multi-label")
    assert (shares.mean, shares.std, shares.range) == ("40.0 %", "10.0", "20.0 – 40.0 %")
    drawn = figure_of([("ridge", curve)], "regression")
    assert "at their largest size: ridge 0.400" in drawn and ">R²<" in drawn
    assert "ridge 40.0 %" in figure_of([("ridge", curve)], "multi-label")
    assert ">correct in %<" in figure_of([("ridge", curve)], "single-label")
