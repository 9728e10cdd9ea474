"""The report in Python and in notebooks."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from markupsafe import escape

import frostline as fl
from frostline.pipeline.report.text import table, warned


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> fl.Report:
    data = tmp_path_factory.mktemp("made")
    return fl.run(dataset="digits", backbone="pixels", head=["ridge", "lda"], data_dir=data)


def test_it_speaks_of_the_head_that_the_table_speaks_of_first(report: fl.Report) -> None:
    first = next(probe for probe in report.probes if probe.name == report.first_head)
    assert first.evaluation and report.scores == first.evaluation.scores
    assert report.accuracy == report.main_score == first.evaluation.scores["accuracy"]
    assert report.first_head in str(report) and str(report) == table(report)
    assert repr(report).startswith("<Report of digits: accuracy 0.9")


def test_a_frame_has_a_row_for_each_head_and_score(report: fl.Report) -> None:
    frame = report.to_frame()
    assert {*frame["head"]} == {"ridge", "lda"}
    for probe in report.probes:
        assert probe.evaluation
        own = frame[frame["head"] == probe.head].set_index("score")
        assert {name: one.value for name, one in probe.evaluation.scores.items()} == own["value"].to_dict()
        assert own.loc["accuracy", "low"] == probe.evaluation.scores["accuracy"].low


def test_a_frame_without_pandas_says_what_to_install(report: fl.Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(fl.ConfigError, match=r"a frame needs pandas, .*pip install pandas"):
        report.to_frame()


def test_a_notebook_shows_the_table_and_the_figures_of_the_page(report: fl.Report) -> None:
    shown, page = report._repr_html_(), report.path.with_name("report.html").read_text()
    assert shown.count("<svg") == page.count("<figure><svg") > 2
    assert "digits: 10 classes, 1,438 training" in shown and "Take lda on pixels" in shown
    assert "<strong>lda on pixels</strong>, the head to use" in shown
    assert f'<a href="{report.path.with_name("report.html").absolute().as_uri()}">' in shown
    assert "<td" in shown and "lda" in shown and "91.9" not in shown.partition("<svg")[0].partition("<table")[0]


def test_nothing_of_it_reaches_beyond_its_element(report: fl.Report) -> None:
    shown = report._repr_html_()
    assert not re.search(r"<(style|script|link|html|body|head)\b", shown) and " class=" not in shown.partition(">")[2]
    ids = re.findall(r'\bid="([^"]+)"', shown)
    assert ids and all(one.startswith(report.path.parent.name) for one in ids)
    used = re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', shown)
    assert {a or b for a, b in used} <= {*ids}
    assert {*re.findall(r"var\(--([\w-]+)\)", shown)} <= {*re.findall(r"--([\w-]+):", shown)}


def test_curves_alone_have_a_frame_and_no_accuracy(work: Path) -> None:
    found = fl.run(dataset="digits", backbone="pixels", head="ridge", train_sizes=[50, 100], draws=2)
    assert found.to_frame()["training_samples"].tolist() == [50, 100] and "<svg" in found._repr_html_()
    with pytest.raises(fl.ConfigError, match="no head was fitted on all training samples; expected to_frame"):
        _ = found.accuracy


def test_numbers_have_a_main_score_and_no_accuracy(work: Path) -> None:
    X = np.random.default_rng(0).normal(size=(60, 3))
    found = fl.run(dataset=(X, X @ [1.0, 2.0, 3.0]))
    assert found.main_score.value > 0.99 and "R² " in repr(found)
    with pytest.raises(fl.ConfigError, match="accuracy of a regression target; expected main_score, which is R²"):
        _ = found.accuracy


def test_an_unwritten_report_shows_its_table(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fl.extract(dataset="digits", backbone="pixels")
    (work / "runs").write_text("no folder")
    found = fl.run(dataset="digits", backbone="pixels", head="ridge")
    assert found.unwritten and "<table" in found._repr_html_() and "<svg" not in found._repr_html_()


def test_a_score_is_a_number_in_few_words(report: fl.Report) -> None:
    found = report.accuracy
    assert float(found) == found.value and f"{found:.3f}" == f"{found.value:.3f}"
    assert repr(found) == f"<Score {found.value:.3f} [{found.low:.3f}, {found.high:.3f}]>" and f"{found}" == str(found)


def test_what_commands_return_is_shown_in_few_words(report: fl.Report) -> None:
    data: dict[str, Any] = {"dataset": "digits", "backbone": "pixels", "data_dir": report.path.parents[2]}
    how = {**data, "head": "ridge"}
    shown = [
        *fl.extract(**data),
        *fl.fit(**how),
        *fl.evaluate(**how),
        fl.load_classifier(report),
    ]
    assert all(len(repr(one)) < 140 for one in shown)
    assert [repr(one).split()[0] for one in shown] == ["<Extracted", "<Extracted", "<Fitted", "<Probe", "<Classifier"]
    assert "train: 1,438 × 192 of pixels" in repr(shown[0]) and "ridge on pixels: accuracy 0.9" in repr(shown[3])


def test_evaluated_heads_have_scores_and_are_taken_for_predictions(report: fl.Report) -> None:
    how: dict[str, Any] = {"dataset": "digits", "backbone": "pixels", "head": "lda"}
    how["data_dir"] = report.path.parents[2]
    [probe] = probes = fl.evaluate(**how)
    assert probe.accuracy == probe.scores["accuracy"] == probe.main_score
    samples = [fl.load_dataset("digits").test[0]]
    fitted = fl.fit(**how)
    said = [fl.predict(head, samples)[0].label for head in (probe, probes, fitted, fitted[0], report)]
    assert len({*said}) == 1
    with pytest.raises(fl.ConfigError, match="2 heads; expected one, such as fitted"):
        fl.predict([*fitted, *fitted], samples)
    with pytest.raises(fl.ConfigError, match=r"got KNNClassifier .*, which predicts by its own predict"):
        fl.predict(fl.KNNClassifier(), samples)  # type: ignore[arg-type]
    with pytest.raises(fl.ConfigError, match=r"got float64 array \(2, 3\); expected a report"):
        fl.predict(np.zeros((2, 3)), report)  # type: ignore[arg-type]
    with pytest.raises(fl.DataError, match=r"got Report .* expected a list of samples"):
        fl.predict(report, report)


def test_what_a_report_of_curves_does_not_have_is_no_attribute(work: Path) -> None:
    found = fl.run(dataset="digits", backbone="pixels", head="ridge", shots=[1, 2], draws=2)
    for name in ("accuracy", "main_score", "scores", "first_head"):
        assert not hasattr(found, name)
        with pytest.raises(fl.ConfigError, match="no head was fitted on all training samples"):
            getattr(found, name)
    assert dict(inspect.getmembers(found))["dataset"] == "digits" and not hasattr(found.probes[0], "accuracy")
    assert repr(found) == "<Report of digits: 1 learning curve>" and "2 sizes" in repr(found.probes[0])
    with pytest.raises(fl.ConfigError, match="no head was fitted on all training samples"):
        fl.predict(found, "digits.png")
    with pytest.raises(fl.ConfigError, match="no head of ridge on pixels was fitted on all"):
        fl.predict(found.probes[0], "digits.png")


def test_a_regression_has_a_value_for_each_sample_and_no_accuracy(work: Path) -> None:
    X = np.random.default_rng(0).normal(size=(60, 4))
    found = fl.run(dataset=(X, X @ [1.0, 2.0, 3.0, 4.0]), head="ridge")
    assert not hasattr(found, "accuracy") and found.main_score.value > 0.9 and not hasattr(found.probes[0], "accuracy")
    [answer] = fl.predict(found, X[:1])
    assert answer.label is None and answer.value == answer.outputs["label"]


def test_a_notebook_shows_what_the_run_warns_of(work: Path) -> None:
    both = np.random.default_rng(0).normal(size=(30, 4)), ["a", "b"] * 15
    found = fl.run(dataset=(both, both), head="ridge")
    said = warned(found)
    assert said and all(str(escape(line)) in found._repr_html_() for line in said)
