"""Heads of many labels and of numbers on images of one's own: what is said in each form, and in an exported file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from frostline.pipeline.cli.main import main
from frostline.pipeline.serve.answers import Prediction, answer, check_kind
from frostline.pipeline.serve.forms import predictions_as_csv, predictions_as_json, predictions_table
from frostline.pipeline.serve.predict import load_classifier, predict
from frostline.pipeline.settings import PredictSettings
from frostline.stages.errors import ConfigError
from frostline.stages.heads import LinearHead, head_files, read_head
from frostline.stages.heads.linear_regression import LinearRegressionHead
from frostline.stages.heads.multi_label import MultiLabelHead
from frostline.stages.records.sealed import unsealed
from frostline.stages.store import load, open_set
from support.tables import LABELS, OUTPUTS, photo_table

PIXELS = ["--backbone", "pixels", "--resize", "6x6", "--precision", "fp32", "--workers", "1"]
IMAGE = Path("cat.png")


@dataclass(frozen=True)
class Made:
    """The folders of a head of labels, a head of numbers, and the photos."""

    labels: Path
    numbers: Path
    photos: Path

    def image(self, number: int) -> str:
        return str(self.photos / f"{number:03d}.png")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    place = tmp_path_factory.mktemp("photos")
    table = photo_table(place / "photos")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        given = ["run", "--dataset", f"csv:{table}", *PIXELS, "--target"]
        assert main([*given, "tags", "--task", "multi-label", "--head", "logreg", "--per-label"]) == 0
        assert main([*given, ",".join(OUTPUTS), "--head", "ridge", "--criterion", "kendall"]) == 0
        [labels], [numbers] = ([*(place / "data" / "heads").glob(f"*-{head}-*")] for head in ("logreg", "ridge"))
        yield Made(labels, numbers, table.parent)


def said(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> str:
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == code
    found = capsys.readouterr()
    return found.err if code == 2 else found.out


@pytest.mark.parametrize("kind", ["labels", "numbers"])
def test_predictions_are_those_of_the_evaluated_features(made: Made, kind: str) -> None:
    folder = getattr(made, kind)
    head, record = read_head(folder)
    assert record["target"] == {"labels": "multi-label", "numbers": "regression"}[kind]
    [features] = [load(open_set(path)) for path in made.labels.parents[1].glob("features/*test*")][:1]
    answers = load_classifier(folder).predict([made.photos / name for name in features.ids])
    found = np.array([[dict(one.classes)[name] for name in head.classes] for one in answers])
    np.testing.assert_allclose(found, head.decision_values(features.X), atol=1e-5)


def test_how_it_was_chosen_is_in_the_heads_record(made: Made) -> None:
    labels, numbers = (read_head(folder)[1] for folder in (made.labels, made.numbers))
    assert labels["spec"]["per_label"] is True and len(labels["selection"]["values"]) == len(LABELS)
    assert numbers["spec"]["criterion"] == "kendall" and list(numbers["selection"]["scores"]) == ["kendall"]
    assert "criterion" not in labels["spec"] and "per_label" not in numbers["spec"]


def test_table_csv_and_json_say_the_same_of_labels(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["predict", made.labels, made.image(1)]
    [document] = json.loads(said(capsys, *asked, "--json"))
    thresholds = dict(zip(read_head(made.labels)[0].classes, load_classifier(made.labels).head.thresholds, strict=True))
    found = dict(document["classes"])
    assert [*found.values()] == sorted(found.values(), reverse=True)
    assert document["labels"] == [name for name, p in found.items() if p > thresholds[name]]
    assert set(document) == {"path", "labels", "classes", "values", "fault"} and document["values"] == "probability"
    cells = [f"{name} {100 * found[name]:.1f} %" for name in document["labels"]]
    assert said(capsys, *asked).strip() == f"{made.image(1)}  {'   '.join(cells)}"
    [row] = csv.DictReader(io.StringIO(said(capsys, *asked, "--csv")))
    assert row == {
        "path": made.image(1),
        "labels": ";".join(document["labels"]),
        **{name: f"{found[name]:.6f}" for name in sorted(LABELS)},
        "fault": "",
    }


def test_top_shows_the_likeliest_labels_those_not_predicted_in_brackets(
    made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["predict", made.labels, made.image(2), "--top", "3"]
    [document] = json.loads(said(capsys, *asked, "--json"))
    cells = [f"{name} {100 * p:.1f} %" for name, p in document["classes"]]
    marked = [c if c.split()[0] in document["labels"] else f"({c})" for c in cells]
    assert said(capsys, *asked).strip() == f"{made.image(2)}  {'   '.join(marked)}"
    [row] = csv.DictReader(io.StringIO(said(capsys, *asked, "--csv")))
    assert [row["label"], row["label_2"], row["label_3"]] == [name for name, _ in document["classes"]]
    assert row["labels"] == ";".join(document["labels"])


def test_table_csv_and_json_say_the_same_of_numbers(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["predict", made.numbers, made.image(0)]
    [document] = json.loads(said(capsys, *asked, "--json"))
    assert document == {"path": made.image(0), "outputs": document["outputs"], "fault": None}
    age, height = (document["outputs"][name] for name in OUTPUTS)
    assert said(capsys, *asked).strip() == f"{made.image(0)}  age {age:.6g}   height {height:.6g}"
    [row] = csv.DictReader(io.StringIO(said(capsys, *asked, "--csv")))
    assert row == {"path": made.image(0), "age": f"{age:.9g}", "height": f"{height:.9g}", "fault": ""}
    assert "which predicts numbers" in said(capsys, *asked, "--top", "2", code=2)


def test_the_function_returns_labels_and_values(made: Made) -> None:
    [one] = predict(made.labels, [made.image(1)], PredictSettings())
    assert one.label is None and one.outputs == {} and set(one.labels) <= set(LABELS)
    [one] = predict(made.numbers, [made.image(1)], PredictSettings())
    assert one.label is None and one.labels == () and list(one.outputs) == list(OUTPUTS)


def test_an_unreadable_image_has_a_fault_and_empty_cells(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    bad = made.photos / "bad.png"
    bad.write_bytes(b"")
    for head, names in ((made.labels, sorted(LABELS)), (made.numbers, OUTPUTS)):
        text = said(capsys, "predict", head, bad, made.image(0), "--csv", "--max-bad", "1", code=5)
        first, second = csv.DictReader(io.StringIO(text))
        assert first["fault"] and all(first[name] == "" for name in names)
        assert not second["fault"] and all(second[name] for name in names)


@pytest.mark.parametrize("kind", ["labels", "numbers"])
def test_an_exported_file_says_what_its_answers_are(made: Made, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder, file = getattr(made, kind), made.photos / f"{kind}.pt2"
    text = said(capsys, "export", folder, file)
    extra = {"frostline": ""}
    torch.export.load(file, extra_files=extra)
    record, head = json.loads(extra["frostline"]), read_head(folder)[0]
    if kind == "labels":
        assert text.strip().endswith("to a probability per label (batch, 3)")
        assert record["classes"] == list(head.classes) and record["thresholds"] == list(head.thresholds)
        assert (record["target"], record["values"]) == ("multi-label", "probability")
    else:
        assert text.strip().endswith("to a number per output (batch, 2)")
        assert record["outputs"] == list(head.classes) and "classes" not in record and "thresholds" not in record
        assert (record["target"], record["units"]) == ("regression", "those of the training targets")


HEAD = MultiLabelHead(np.zeros((3, 2), np.float32), np.zeros(3, np.float32), ("b", "=a", "c"))
CONFIDENCE = np.array([0.4, 0.9, 0.5])


def test_without_thresholds_a_probability_above_half_or_a_score_above_zero_is_predicted() -> None:
    assert answer(HEAD, IMAGE, CONFIDENCE, None).labels == ("=a",)
    assert answer(replace(HEAD, thresholds=(0.3, 0.95, 0.5)), IMAGE, CONFIDENCE, None).labels == ("b",)
    scores = np.array([-np.inf, 0.0, 0.1])
    assert answer(replace(HEAD, probabilistic=False), IMAGE, scores, None).labels == ("c",)


def test_no_label_is_said_and_formulas_are_made_harmless() -> None:
    none = answer(HEAD, IMAGE, np.zeros(3), None)
    assert predictions_table([none], None).split("  ")[-1] == "no label"
    assert predictions_as_json([none], None)[0]["labels"] == []
    lines = predictions_as_csv([answer(HEAD, IMAGE, CONFIDENCE, None)], None).splitlines()
    assert lines == ["path,labels,'=a,b,c,fault", "cat.png,'=a,0.900000,0.400000,0.500000,"]


def test_only_faults_have_no_columns_of_their_own() -> None:
    for head in (HEAD, LinearRegressionHead(np.zeros((1, 2)), np.zeros(1), ("age",))):
        fault = answer(head, IMAGE, None, "empty")
        assert predictions_as_csv([fault], None).splitlines()[-1].endswith(",empty")
        assert predictions_table([fault], None) == "cat.png  left out: empty"


def test_answers_of_single_labels_have_the_names_that_they_had() -> None:
    head = LinearHead(np.zeros((2, 2), np.float32), np.zeros(2, np.float32), ("cat", "dog"))
    one = answer(head, IMAGE, np.array([0.3, 0.7]), None)
    assert one == Prediction(IMAGE, (("dog", 0.7), ("cat", 0.3)))
    classes = [["dog", 0.7]]
    expected = {"path": "cat.png", "label": "dog", "classes": classes, "values": "probability", "fault": None}
    assert predictions_as_json([one], None) == [expected]


def test_a_head_without_a_recorded_kind_is_of_single_labels() -> None:
    head = LinearHead(np.zeros((2, 2), np.float32), np.zeros(2, np.float32), ("a", "b"))
    assert "target" not in unsealed(head_files(head, {})["head.json"])
    assert answer(head, IMAGE, np.array([0.2, 0.8]), None).kind == "single-label"


class Ordered(LinearHead):
    """A head of another distribution, for a kind of target of its own."""

    target = "ordered"


def test_a_head_for_another_kind_of_target_is_refused_by_name() -> None:
    head = Ordered(np.zeros((2, 2), np.float32), np.zeros(2, np.float32), ("a", "b"))
    with pytest.raises(ConfigError, match="mine is for ordered targets; expected a head for single-label, multi-label"):
        check_kind("mine", head)


class Theirs:
    """A head of another distribution: many labels, and no thresholds."""

    classes, width, probabilistic, target = ("a", "b"), 2, True, "multi-label"


def test_a_head_of_another_distribution_needs_no_thresholds() -> None:
    one = answer(Theirs(), IMAGE, np.array([0.2, 0.8]), None)  # type: ignore[arg-type]
    assert one.labels == ("b",) and predictions_table([one], 2) == "cat.png  b 80.0 %   (a 20.0 %)"
