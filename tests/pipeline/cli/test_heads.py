"""Many heads on one cache, by the command: compared, cached, drawn, taken away."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from frostline.pipeline.cli.main import main

RESNET = ["--backbone", "resnet8-cifar10"]


def ran(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capsys.readouterr()
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_heads_stand_side_by_side_on_one_pass_of_the_backbone(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    what = ["run", "--dataset", f"folder:{folder}", *RESNET, "--head", "ridge,knn,centroid,lda,dinov2-knn"]
    report = ran(capsys, *what)
    assert [probe["name"] for probe in report["probes"]] == ["ridge", "knn", "centroid", "lda", "dinov2-knn"]
    ours, protocol = (report["probes"][place]["head"]["selection"] for place in (1, 4))
    assert (ours["by"], protocol["by"]) == ("folds", "hold-out") and protocol["grid"] == [10, 20, 100, 200]
    assert len(list(work.glob("features/*"))) == 2 and len(list(work.glob("heads/*"))) == 5
    again = ran(capsys, *what)
    assert all(probe["head"]["cached"] for probe in again["probes"])
    for probe, twin in zip(report["probes"], again["probes"], strict=True):
        assert probe["evaluation"] == twin["evaluation"]


def test_every_probe_leaves_its_predictions(work: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = ran(capsys, "run", "--dataset", f"folder:{folder}", *RESNET, "--head", "ridge,centroid")
    for name, head in zip(("ridge", "centroid"), report["probes"], strict=True):
        [path] = work.glob(f"runs/*/predictions-resnet8_cifar10-{name}.csv")
        rows = list(csv.DictReader(path.read_text().splitlines()))
        right = sum(row["label"] == row["prediction"] for row in rows) / len(rows)
        assert right == head["evaluation"]["scores"]["accuracy"]["value"]


@pytest.mark.parametrize(
    ("head", "value"), [("knn", "probability"), ("svm", "decision"), ("sklearn.naive_bayes:GaussianNB", "probability")]
)
def test_any_head_is_taken_away_and_names_images(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str], head: str, value: str
) -> None:
    ran(capsys, "run", "--dataset", f"folder:{folder}", *RESNET, "--head", head, "--scaling", "standardize")
    [place] = work.glob("heads/*")
    answers = ran(capsys, "predict", str(place), str(folder / "test"))
    assert {answer["values"] for answer in answers} == {value}
    assert all(Path(answer["path"]).parent.name == answer["label"] for answer in answers)
    assert main(["predict", str(place), str(folder / "test"), "--csv"]) == 0
    assert capsys.readouterr().out.startswith(f"path,label,{value},fault\n")


def test_fit_and_evaluate_take_several_heads(work: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    what = ["--dataset", f"folder:{folder}", *RESNET, "--head", "centroid,ridge"]
    assert main(["extract", *what[:-2]]) == 0
    assert len(ran(capsys, "fit", *what)) == 2
    assert [probe["name"] for probe in ran(capsys, "evaluate", *what)] == ["centroid", "ridge"]


def test_draws_are_the_same_whether_features_were_cached_or_fresh(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    what = ["run", "--dataset", f"folder:{folder}", *RESNET, "--head", "logreg,ridge", "--shots", "1,3", "--draws", "3"]

    def curves() -> list[Any]:
        probes = ran(capsys, *what)["probes"]
        return [[{**point, "seconds": 0} for point in probe["curve"]["points"]] for probe in probes]

    fresh = curves()
    assert curves() == fresh
    assert [[point["size"] for point in curve] for curve in fresh] == [[1, 3], [1, 3]]
    assert all(len(point["accuracy"]) == 3 for curve in fresh for point in curve)
    assert not list(work.glob("heads/*"))


def test_a_protocol_of_few_shots_is_run_and_not_fitted(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "--dataset", f"folder:{folder}", *RESNET, "--head", "mteb"]) == 2
    assert "mteb draws random training subsets; use `frostline run`" in capsys.readouterr().err


def test_a_size_that_means_all_is_drawn_once(work: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    what = ["run", "--dataset", f"folder:{folder}", *RESNET, "--head", "centroid", "--train-sizes", "36,all"]
    assert [point["size"] for point in ran(capsys, *what)["probes"][0]["curve"]["points"]] == [36]


def test_a_table_of_few_shots_says_size_draws_and_spread(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    what = ["run", "--dataset", f"folder:{folder}", *RESNET, "--head", "centroid"]
    assert main([*what, "--train-sizes", "6,all", "--draws", "2"]) == 0
    said = capsys.readouterr().out
    assert "6 samples" in said and "36 samples" in said and "±" in said


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--shots", "13"], 3, "13 shots; class 'cat' has 12 different training samples"),
        (["--train-sizes", "37"], 3, "train size 37 is too large: there are 36 different training samples"),
        (["--head", "nosuch"], 2, "unknown head 'nosuch'"),
        (["--head", "clip", "--grid", "C=1"], 2, "the protocol fixes them"),
        (["--head", "sklearn.linear_model:Ridge"], 2, "expected a scikit-learn classifier"),
        (["--head", "sklearn.tree:DecisionTreeClassifier"], 2, "can't be stored safely"),
        (["--head", "dinov2-logrg"], 2, "did you mean 'dinov2-logreg'"),
        (["--head", "ridge", "--grid", "1", "--folds", "5"], 2, "there is nothing to choose"),
        (
            ["--head", "ridge", "--folds", "loo", "--views", "plain,hflip"],
            2,
            "--folds loo can't be combined with --scaling standardize or several views",
        ),
        (
            ["--head", "mteb", "--train-sizes", "5"],
            2,
            "--train-sizes can't be combined with mteb, which draws samples of each class",
        ),
        (["--shots", "abc"], 2, "expected different numbers from 1"),
    ],
)
def test_what_can_not_be_asked_of_heads_is_said(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    assert main(["run", "--dataset", f"folder:{folder}", *RESNET, *arguments]) == code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("head", "params", "said"),
    [
        ("svm", "tolerance=abc", "tolerance 'abc'"),
        ("logreg", "max_iterations=1.5", "max_iterations 1.5"),
        ("logreg", "device=nope", "logreg with"),
        ("linear", "step=3", "did you mean 'steps'"),
    ],
)
def test_parameters_that_a_head_can_not_take_are_said_before_a_feature_is_computed(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str], head: str, params: str, said: str
) -> None:
    what = ["run", "--dataset", f"folder:{folder}", *RESNET, "--head", head, "--head-params", params]
    assert main(what) == 2
    assert said in capsys.readouterr().err and not list(work.glob("features/*"))
