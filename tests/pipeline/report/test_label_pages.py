"""The pages of multi-label runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from frostline.pipeline.report.html import page_for, write_page
from frostline.pipeline.report.html.decided import decided
from frostline.pipeline.report.html.label_samples import sample_costs, worst_labelled
from frostline.pipeline.report.html.label_table import label_table
from frostline.pipeline.report.html.labels import co_occurrence
from frostline.pipeline.report.html.predictions import read_predictions
from frostline.pipeline.report.html.thumbnails import Thumbnails
from frostline.stages.errors import DataError
from frostline.stages.metrics import Predictions, Score
from frostline.stages.metrics.multi_label import LabelScore
from support.pages import Page, made, many_targets

NAMES = ("a", "b", "c")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two heads, one with probabilities, to be looked at alone."""
    return made(many_targets(tmp_path_factory.mktemp("labels")), target=("tags",), head=("logreg", "ridge"))


def answers(decision_values: list[list[float]], y: list[list[int]], *, probabilistic: bool = True) -> Predictions:
    ids = tuple(f"{row}.png" for row in range(len(y)))
    return Predictions(ids, np.array(y, np.int8), np.array(decision_values), NAMES, probabilistic, (), "multi-label")


def label(name: str, value: float | None, positives: int = 3, threshold: float | None = None) -> LabelScore:
    score = None if value is None else Score(value, value, value, 0)
    return LabelScore(name, 9, positives, positives / 9, score, score, score, threshold)


def test_a_multi_label_run_has_a_page_with_its_own_sections(kept: Path) -> None:
    page = Page(kept / "report.html")
    assert page.sections == {"heads", "scores", "setup", "labels", "data", "provenance"}
    (first, second) = json.loads((kept / "run.json").read_text())["probes"]
    best = max((one["evaluation"]["scores"]["map"] for one in (first, second)), key=lambda score: score["value"])
    opening = page.text[page.text.index("Frostline") :][:300]
    assert f"{100 * best['value']:.1f} %" in opening and "mean average precision of 3 labels on 30" in opening
    shares = [one["prevalence"] for one in first["evaluation"]["labels"]]
    assert f"Random scores: {100 * np.mean(shares):.1f} %" in page.text
    assert 'aria-label="mAP of each head: ' in page.source
    assert "Difference in mAP, points" in page.text and "paired bootstrap" in page.text and "McNemar" not in page.text
    assert "classified correctly" not in page.text and ", validation" in page.source


def test_its_figures_speak_and_its_names_are_text(kept: Path) -> None:
    page = Page(kept / "report.html")
    assert all(one["role"] == "img" and one["aria-label"] for one in page.all("svg"))
    assert all(image["alt"] for image in page.all("img"))
    assert "<b>wind" not in page.source and "<b>wind</b>" in page.text
    assert not re.search(r"(fill|stroke): #", page.source) and "://" not in page.source
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(set(ids)) == len(ids) and {a["href"][1:] for a in page.all("a") if a["href"][0] == "#"} <= set(ids)


def test_the_page_is_the_same_when_it_is_written_again(kept: Path, tmp_path: Path) -> None:
    assert Page(write_page(kept, tmp_path / "again.html")).text == Page(kept / "report.html").text


def test_rows_of_the_table_know_their_place_in_every_order() -> None:
    table = label_table([label("b", 0.9, 1), label("a", 0.5, 5), label("none", None, 0), label("c", 0.7, 3)])
    assert [row.name for row in table.rows] == ["a", "c", "b", "none"]
    assert [row.places for row in table.rows] == [
        "--ap:0;--auroc:0;--f1:0;--count:0;--name:0",
        "--ap:1;--auroc:1;--f1:1;--count:1;--name:2",
        "--ap:2;--auroc:2;--f1:2;--count:2;--name:1",
        "--ap:3;--auroc:3;--f1:3;--count:3;--name:3",
    ]
    assert not table.tuned and table.rows[-1].precision == ("–", "")


def test_every_order_of_the_table_has_its_rule_in_the_style_sheet(kept: Path) -> None:
    page = Page(kept / "report.html")
    orders = [one["id"].removeprefix("by-") for one in page.all("input")]
    assert orders == ["ap", "auroc", "f1", "count", "name"]
    for name in orders:
        assert f".sortable:has(#by-{name}:checked) tbody tr {{ order: var(--{name}); }}" in page.style


def test_labels_of_their_own_thresholds_are_counted_by_these() -> None:
    told = answers([[0.3, 0.6, 0.1], [0.1, 0.2, 0.9]], [[1, 0, 1], [0, 1, -1]])
    own = decided(told, [label("a", 1, threshold=0.25), label("b", 1, threshold=0.7), label("c", 1, threshold=0.05)])
    assert own.named_of(0) == ["a", "c"] and own.having_of(0) == ["a", "c"]
    assert decided(told, [label(name, 1) for name in NAMES]).named.tolist() == [[False, True, False], [False] * 3]


def test_co_occurrence_counts_what_is_true_and_what_is_said() -> None:
    y = [[1, 1, 0], [1, 0, 0], [1, 1, 0], [0, 0, 0]]
    said = [[0.9, 0.1, 0.9], [0.9, 0.9, 0.1], [0.1, 0.9, 0.1], [0.1, 0.1, 0.9]]
    found = co_occurrence(decided(answers(said, y), [label(name, 1) for name in NAMES]))
    assert found is not None and [row.name for row in found.true.rows] == ["a", "b"] and found.left_out == 0
    assert [[cell.count for cell in row.cells] for row in found.true.rows] == [[3, 2], [2, 2]]
    assert [[cell.count for cell in row.cells] for row in found.predicted.rows] == [[2, 2], [1, 1]]
    assert found.true.rows[1].cells[0].tint == 75 and found.predicted.rows[1].cells[0].tint == 38


def test_a_sample_costs_its_log_loss_of_known_labels_or_how_its_labels_rank() -> None:
    from sklearn.metrics import label_ranking_average_precision_score, log_loss

    y, p = [[1, 0, -1], [0, 1, 1]], [[0.8, 0.4, 0.1], [0.3, 0.6, 0.2]]
    costs = sample_costs(answers(p, y))
    assert costs[0] == pytest.approx(log_loss([1, 0], [0.8, 0.4]))
    assert costs[1] == pytest.approx(log_loss([0, 1, 1], [0.3, 0.6, 0.2]))
    ranked = sample_costs(answers(p, y, probabilistic=False))
    assert ranked[1] == pytest.approx(1 - label_ranking_average_precision_score([[0, 1, 1]], [[0.3, 0.6, 0.2]]))


def test_the_worst_samples_have_the_largest_cost_then_the_most_wrong_labels() -> None:
    y = [[1, 0, 0], [1, 1, 0], [1, 1, 1], [0, 0, 1]]
    scores = [[0.5, -1, -1], [-0.1, -0.2, -3.0], [-1, 1, 1], [2.0, -1.0, 0.5]]
    found = decided(answers(scores, y, probabilistic=False), [label(name, 1) for name in NAMES])
    shown = worst_labelled(found, Thumbnails(None, Path()))
    assert [one.picture.id for one in shown] == ["3.png", "1.png", "2.png"]
    assert [(one.truth, one.prediction) for one in shown[:2]] == [("c", "a and c"), ("a and b", "none")]
    assert shown[0].cost == "LRAP 50 %"


def test_values_that_are_not_known_are_left_out_of_the_page(tmp_path: Path) -> None:
    folder = made(many_targets(tmp_path), target=("sunny", "wet"), head=("ridge",))
    file = next(folder.glob("predictions-*.csv"))
    found = read_predictions(file, file.read_bytes(), ("sunny", "wet"), "multi-label")
    assert (found.y[:, 1] == -1).sum() > 2 and (found.y[:, 0] == -1).sum() == 0
    page = Page(folder / "report.html")
    assert f"of {(found.y[:, 1] >= 0).sum()}" in page.text and "LRAP" in page.text


def test_runs_of_other_targets_are_not_compared_and_those_of_one_are(kept: Path, tmp_path: Path) -> None:
    table = kept.parents[2] / "samples.csv"
    same = made(table, target=("tags",), head=("knn",))
    other = made(table, target=("size",), head=("ridge",))
    with pytest.raises(DataError, match=r"(?s)predict 2 different things.*multi-label of .*regression of size"):
        page_for([kept, other], tmp_path / "x.html")
    page = Page(page_for([kept, same], tmp_path / "x.html"))
    assert re.search(r"mean average precision of 3 labels on 30 test samples,\s+by \w+ on pixels", page.text)
    assert "knn on pixels" in page.text and "Macro AUROC" in page.text


def test_samples_in_groups_have_intervals_of_groups(tmp_path: Path) -> None:
    folder = made(many_targets(tmp_path, subjects=6), target=("tags",), head=("logreg", "ridge"), group="subject")
    page = Page(folder / "report.html")
    assert (
        "resamples the 6 groups of test samples" in page.text
        and "bootstrap over the groups of test samples" in page.text
    )
    assert "by subject; no group is in two splits" in page.text
    assert Page(write_page(folder, tmp_path / "again.html")).text == page.text
    for file in (folder.parents[1] / "targets").iterdir():
        file.unlink()
    assert "the groups of the test samples are no longer known" in Page(write_page(folder)).text


def test_predictions_that_are_gone_leave_the_scores(tmp_path: Path) -> None:
    folder = made(many_targets(tmp_path, rows=45), target=("tags",), head=("logreg",))
    next(folder.glob("*.csv")).unlink()
    page = Page(write_page(folder))
    assert "Single samples can’t be shown" in page.text and "labels" in page.sections
    assert all("training sample" in image["alt"] for image in page.all("img"))
