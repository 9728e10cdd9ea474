"""The pages of regression runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from frostline.pipeline.report.html import page_for, value_plots, write_page
from frostline.pipeline.report.html.claims import mean_errors
from frostline.pipeline.report.html.formatting import amount, to_scale
from frostline.pipeline.report.html.predictions import read_predictions
from frostline.pipeline.report.html.values import standard_errors
from frostline.stages.errors import StoreError
from frostline.stages.metrics import Predictions, predictions_csv
from support.pages import Page, made, many_targets


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two heads on one number, to be looked at alone."""
    return made(many_targets(tmp_path_factory.mktemp("values"), 150), target=("size",), head=("ridge", "knn"))


@pytest.fixture(scope="module")
def both(kept: Path) -> Path:
    """A run on two numbers, of which one is not always known."""
    return made(kept.parents[2] / "samples.csv", target=("size", "age"), head=("ridge",))


def test_a_regression_has_a_page_with_its_own_sections(kept: Path) -> None:
    page = Page(kept / "report.html")
    assert page.sections == {"heads", "scores", "setup", "values", "map", "data", "provenance"}
    probes = json.loads((kept / "run.json").read_text())["probes"]
    leader = max(probes, key=lambda one: one["evaluation"]["scores"]["r2"]["value"])["evaluation"]["scores"]
    opening = page.text[page.text.index("Frostline") :][:400]
    assert f"{leader['r2']['value']:.3f}" in opening and "R² of size on 50 test samples" in opening
    file = next(kept.glob("predictions-*.csv"))
    found = read_predictions(file, file.read_bytes(), ("size",), "regression")
    error = np.abs(found.y - found.y.mean()).mean()
    assert f"R² of 0 and a mean absolute error of {amount(error)}. Here it is" in page.text
    assert (
        "Difference in R²" in page.text and "R², validation" in page.source and "classified correctly" not in page.text
    )


def test_figures_tell_what_they_show_and_take_colours_from_the_page(kept: Path) -> None:
    page = Page(kept / "report.html")
    alts = [one["aria-label"] for one in page.all("svg")]
    assert len(alts) == 5 and all(alts)
    assert [alt for alt in alts if alt.startswith("Predicted against true size of 50 test samples")]
    assert [alt for alt in alts if alt.startswith("Residuals of size")]
    assert [alt for alt in alts if alt.startswith("Map of 25 test samples by size")]
    assert not re.search(r"(fill|stroke): #", page.source) and "://" not in page.source


def test_the_page_is_the_same_when_it_is_written_again(kept: Path, tmp_path: Path) -> None:
    assert Page(write_page(kept, tmp_path / "again.html")).text == Page(kept / "report.html").text


def test_the_worst_samples_come_first_with_their_values(kept: Path) -> None:
    page = Page(kept / "report.html")
    leader = re.search(r"Scores of (\w+) on pixels", " ".join(page.text.split()))
    assert leader
    file = kept / f"predictions-pixels-{leader[1]}.csv"
    found = read_predictions(file, file.read_bytes(), ("size",), "regression")
    order = np.argsort(-np.abs(found.y - found.decision_values)[:, 0])
    images = page.all("img")
    assert [image["title"] for image in images] == [found.ids[row] for row in order[:12]]
    assert f"size is {amount(found.y[order[0], 0])}, predicted" in images[0]["alt"]


def test_several_outputs_have_figures_and_a_row_each(both: Path) -> None:
    page = Page(both / "report.html")
    assert (
        "mean R² of 2 outputs" in page.text and "Scores of each output" in page.text and "MAE of the mean" in page.text
    )
    assert "whatever their units" in page.text
    assert len([one for one in page.all("svg") if one["aria-label"].startswith("Residuals of")]) == 2
    file = next(both.glob("predictions-*.csv"))
    found = read_predictions(file, file.read_bytes(), ("size", "age"), "regression")
    known = int((~np.isnan(found.y[:, 1])).sum())
    assert known < len(found)
    assert f"Predicted against true age of {known} test samples" in page.source


def test_runs_of_one_number_are_compared(kept: Path, tmp_path: Path) -> None:
    other = made(kept.parents[2] / "samples.csv", target=("size",), head=("ridge",), grid="alpha=1e4,1e5")
    page = Page(page_for([kept, other], tmp_path / "x.html"))
    assert "R² of size on 50 test samples, by" in " ".join(page.text.split()) and "Spearman" in page.text


def test_predictions_are_read_as_they_were_written(tmp_path: Path) -> None:
    y = np.array([[1.5, np.nan], [-2.25, 1e-7], [3.0, 123456.789]])
    told = Predictions(("=1", "b", "c"), y, y * 0 + 1.25, ("id", "=x\n"), False, (), "regression")
    data = predictions_csv(told).encode()
    found = read_predictions(tmp_path / "p.csv", data, told.classes, "regression")
    assert np.array_equal(found.y, y, equal_nan=True) and found.ids == told.ids and found.kind == "regression"
    assert found.decision_values[0, 0] == 1.25
    with pytest.raises(StoreError, match=r"its columns are others.*expected the columns id, x, x predicted"):
        read_predictions(tmp_path / "p.csv", data, ("x",), "regression")


def test_many_samples_are_drawn_as_hexagons_of_one_colour() -> None:
    true = np.random.default_rng(0).normal(size=20_000)
    drawn = value_plots.predicted_against_true("x", true, 0.8 * true)
    assert len(drawn) < 200_000 and "var(--accent)" in drawn and "opacity" in drawn
    assert not re.search(r"(fill|stroke): #", drawn)


def test_a_map_of_values_of_which_most_are_equal_has_no_empty_class() -> None:
    values = np.array([0.0] * 30 + [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])
    drawn = value_plots.value_map(np.random.default_rng(0).normal(size=(38, 2)), values, "x")
    assert "0 – " in drawn and " – 8" in drawn and " 0 – 0<" not in drawn


@pytest.mark.parametrize(
    ("value", "scale", "shown"), [(0.000462, 0.27, "0.000"), (12345.6, 900.0, "12,346"), (2.5, 0.0, "2.5")]
)
def test_a_number_is_shown_to_what_it_varies_by(value: float, scale: float, shown: str) -> None:
    assert to_scale(value, scale) == shown


def test_errors_are_measured_in_what_each_output_varies_by() -> None:
    y = np.array([[0.0, 100.0], [2.0, np.nan], [4.0, 300.0]])
    off = np.nan_to_num(y, nan=7.0) + np.array([1, 10])
    told = Predictions(("a", "b", "c"), y, off, ("u", "v"), False, (), "regression")
    errors = standard_errors(told)
    assert errors[1, 1] == 0 and errors[0] == pytest.approx([1 / np.std([0, 2, 4]), 0.1])
    assert mean_errors(y) == pytest.approx([4 / 3, 100])
