"""Health, ranking and learning curves of several labels and of numbers, from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from frostline.pipeline.cli.main import main
from support.target_table import PIXELS, answer, pictures_table, rows_of, written

KINDS = {"multi-label": "tags", "regression": "redness"}


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return pictures_table(tmp_path, 90)


def health(capsys: pytest.CaptureFixture[str], file: Path, *target: str) -> tuple[dict, str]:
    assert main(["run", "--dataset", f"csv:{file}", *PIXELS, *target, "--head", "ridge"]) == 0
    assert "was not looked at" not in capsys.readouterr().err
    found = answer(capsys, "health", file, *target)
    assert main(["health", "--dataset", f"csv:{file}", *PIXELS, *target]) == 0
    return found, capsys.readouterr().out


def copy_of(rows: list[list[str]], row: int, other: int) -> None:
    Path(rows[row][0]).write_bytes(Path(rows[other][0]).read_bytes())


def test_health_of_labels_finds_turned_ones_copies_and_what_they_are_worth(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = rows_of(table)
    rows[0][3] = "cold"  # a red picture
    copy_of(rows, 42, 3)  # of test, and in train
    copy_of(rows, 46, 5)
    rows[46][3] = "red"  # cold and red
    found, text = health(capsys, written(table, rows), "--target", "tags")
    assert found["kind"] == "multi-label" and found["rows_by_class"]["cold"] == 25
    issues = {(one["id"], one["given"], one["suggested"]) for one in found["label_issues"]}
    assert {("pictures/00.png", "cold: yes", "cold: no"), ("pictures/00.png", "red: no", "red: yes")} <= issues
    assert [one["conflicting"] for one in found["copies"]] == [False, True]
    assert found["leak"]["rows"] and found["leak"]["accuracy"]["value"] > 0.5 and found["odd_values"] == []
    assert "cold: yes, rather cold: no" in text and "test mAP " in text and "with different labels or numbers" in text
    assert "label balance" in text.partition("no problem found: ")[2] and found["shift"]


def test_health_of_numbers_finds_odd_ones(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = rows_of(table)
    rows[4][4] = "900"
    rows[6][4] = ""
    found, text = health(capsys, written(table, rows), "--target", "redness", "--group", "patient")
    odd = found["odd_values"][0]
    assert (odd["id"], odd["output"], odd["given"]) == ("pictures/04.png", "redness", 900) and odd["z"] > 10
    assert found["label_issues"] == [] and found["rows_by_class"] == {} and found["limit"] >= 3.5
    assert "worth a second look" in text and "pictures/04.png: redness 900, expected about " in text


@pytest.mark.parametrize("kind", KINDS)
def test_rank_says_which_score_exists_and_what_runs_of_this_target_measured(
    kind: str, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for target in ("label", KINDS[kind]):
        answer(capsys, "run", table, "--target", target, "--head", "ridge")
    found = answer(capsys, "rank", table, "--target", KINDS[kind])
    (one,) = found["backbones"]
    assert found["kind"] == kind and one["scores"]["logme"] and one["scores"]["gbc"] is one["scores"]["leep"] is None
    report = answer(capsys, "run", table, "--target", KINDS[kind], "--head", "ridge")
    main_score = {"multi-label": "map", "regression": "r2"}[kind]
    assert one["accuracy"] == report["probes"][0]["evaluation"]["scores"][main_score]["value"]
    assert main(["rank", "--dataset", f"csv:{table}", *PIXELS, "--target", KINDS[kind]]) == 0
    text = capsys.readouterr().out
    assert {"multi-label": "mAP measured", "regression": "R² measured"}[kind] in text
    assert (
        f"- for a {kind} target LogME, averaged over the " in text
        and "is the only score available" in text
        and "GBC" not in text
    )


def test_another_target_of_the_same_features_is_not_taken_for_this_one(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(capsys, "run", table, "--target", "label", "--head", "ridge")
    (one,) = answer(capsys, "rank", table, "--target", "shade")["backbones"]
    assert one["accuracy"] is None and one["computed"] == 0


def test_curves_of_each_kind_are_of_its_main_score(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--train-sizes", "12,24,all", "--draws", "3", "--head", "ridge"]
    for kind, target in KINDS.items():
        curve = answer(capsys, "run", table, "--target", target, *sizes)["probes"][0]["curve"]
        assert curve["kind"] == kind and [point["rows"] for point in curve["points"]] == [12, 24, 72]
        assert curve["forecast"] is None and "error rates of classification" in curve["sentence"]
        whole = answer(capsys, "run", table, "--target", target, "--head", "ridge")["probes"][0]["evaluation"]
        score = whole["scores"]["map" if kind == "multi-label" else "r2"]["value"]
        assert curve["points"][-1]["accuracy"] == pytest.approx([score], abs=1e-6)
    assert main(["run", "--dataset", f"csv:{table}", *PIXELS, "--target", "redness", *sizes]) == 0
    assert " R² " in capsys.readouterr().out.splitlines()[2]


def test_shots_count_samples_of_each_label(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shots = ["--target", "tags", "--head", "ridge", "--draws", "2", "--shots"]
    curve = answer(capsys, "run", table, *shots, "1,2")["probes"][0]["curve"]
    assert [point["size"] for point in curve["points"]] == [1, 2]
    assert curve["points"][0]["rows"] <= 3 and curve["points"][1]["rows"] <= 6
    assert main(["run", "--dataset", f"csv:{table}", *PIXELS, *shots, "40"]) == 3
    assert "40 shots; label 'cold' has 24 different training samples" in capsys.readouterr().err
    assert main(["run", "--dataset", f"csv:{table}", *PIXELS, *shots, "1"]) == 0
    assert "1 per label" in capsys.readouterr().out


def test_shots_with_groups_count_groups(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shots = ["--head", "ridge", "--group", "patient", "--draws", "2", "--shots"]
    points = answer(capsys, "run", table, *shots, "1,2")["probes"][0]["curve"]["points"]
    assert [point["rows"] for point in points] == [3, 6]
    assert main(["run", "--dataset", f"csv:{table}", *PIXELS, *shots, "30"]) == 3
    assert "30 shots; class 'b' has 24 groups of training samples" in capsys.readouterr().err


def test_shots_of_numbers_are_no_sense(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--dataset", f"csv:{table}", *PIXELS, "--target", "redness", "--shots", "1"]) == 2
    assert (
        "expected --train-sizes for a regression target" in capsys.readouterr().err
        and not Path("data/features").exists()
    )
