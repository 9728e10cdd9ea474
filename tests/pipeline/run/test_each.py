"""Many targets in one command: one extraction, one table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from frostline.pipeline.cli.main import main
from support.target_table import COLUMNS, PIXELS, answer, pictures_table, rows_of

SEVERAL = ["--target", "label,shade", "--task", "single-label", "--head", "ridge"]


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return pictures_table(tmp_path)


def computed(report: dict[str, Any]) -> int:
    return sum(one["computed"] for probe in report["probes"] for one in probe["features"])


def test_a_dozen_targets_compute_no_feature_after_the_first(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import csv

    names = [f"t{i}" for i in range(12)]
    rows = [[*row, *(("yes", "no")[(row[2] == "rgb"[i % 3]) ^ (i % 2)] for i in range(12))] for row in rows_of(table)]
    with table.open("w", newline="") as stream:
        csv.writer(stream).writerows([[*COLUMNS, *names], *rows])
    found = answer(
        capsys, "run", table, "--target", ",".join(names), "--task", "single-label", "--head", "ridge", "--grid", "1"
    )
    assert [report["settings"]["target"] for report in found] == [[name] for name in names]
    assert list(map(computed, found)) == [60] + [0] * 11
    assert len(list(Path("data/features").iterdir())) == 2
    alone = answer(capsys, "run", table, "--target", "t7", "--head", "ridge", "--grid", "1")
    assert alone["path"] == found[7]["path"] and alone["probes"][0]["head"]["cached"]
    assert alone["probes"][0]["evaluation"] == found[7]["probes"][0]["evaluation"]


def test_one_table_has_a_row_for_each_target_and_head(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = [*SEVERAL[:-1], "ridge,centroid"]
    assert main(["run", "--dataset", f"csv:{table}", *PIXELS, *both]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "all: 2 targets, 48 training and 12 test samples"
    rows = [line.split()[:4] for line in lines[3:7]]
    assert rows == [[name, "pixels", "192", head] for name in ("label", "shade") for head in ("ridge", "centroid")]
    assert "% [" in lines[3]
    assert "- 60 features computed for all of them; 4 heads fitted, 0 from the cache" in lines


def test_stages_alone_take_several_targets(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(answer(capsys, "extract", table, *SEVERAL[:4])) == 2
    heads = answer(capsys, "fit", table, *SEVERAL)
    assert [one["target"] for one in heads] == ["label", "shade"] and not any(one["cached"] for one in heads)
    assert [one["target"] for one in answer(capsys, "evaluate", table, *SEVERAL)] == ["label", "shade"]
    assert all(computed(report) == 0 for report in answer(capsys, "run", table, *SEVERAL))


def test_a_dry_run_says_what_is_there_of_each_target(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer(capsys, "run", table, "--target", "label", "--head", "ridge")
    plans = answer(capsys, "run", table, *SEVERAL, "--dry-run")
    assert [one["plan"] for one in plans] == ["label: ridge: cached", "shade: ridge: to fit"]
    assert all(of_split["to_compute"] == 0 for one in plans for of_split in one["features"])


def test_a_dry_run_of_numbers_names_the_head_that_would_be_fitted(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answer(capsys, "run", table, "--target", "redness", "--dry-run")[0]["plan"] == "ridge: to fit"
    answer(capsys, "run", table, "--target", "redness")
    assert answer(capsys, "run", table, "--target", "redness", "--dry-run")[0]["plan"] == "ridge: cached"


def test_all_targets_that_cannot_be_used_are_listed_before_anything_is_computed(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = ["--target", "label,split,path", "--task", "single-label", "--head", "ridge"]
    assert main(["run", "--dataset", f"csv:{table}", *PIXELS, *bad]) == 3
    error = capsys.readouterr().err
    assert "nothing was run" in error and "split: " in error and "path: " in error and "label: " not in error
    assert not Path("data/features").exists()


@pytest.mark.parametrize("command", ["health", "rank"])
def test_other_commands_say_that_they_take_one(command: str, table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--dataset", f"csv:{table}", *PIXELS, *SEVERAL[:4]]) == 3
    assert "accept several, each as a separate target" in capsys.readouterr().err


def test_several_layers_are_computed_in_one_pass_and_stand_in_one_table(
    table: Path, capsys: pytest.CaptureFixture[str], pytestconfig: pytest.Config
) -> None:
    passes = 0 if pytestconfig.getoption("--optimize") == "none" else 2  # as it is written, each layer has its own
    shipped = [
        "run",
        "--dataset",
        f"csv:{table}",
        "--backbone",
        "resnet8-cifar10",
        "--device",
        "cpu",
        "--head",
        "ridge",
    ]
    assert main([*shipped, "--target", "label", "--layer", "layer2,layer3", "--pool", "avg"]) == 0
    output = capsys.readouterr()
    assert output.out.splitlines()[0] == "all: 2 layers, 48 training and 12 test samples"
    assert [line.split()[0] for line in output.out.splitlines()[3:5]] == ["layer2", "layer3"]
    assert output.err.count("in one pass") == passes and "2 heads fitted, 0 from the cache" in output.out
    assert main([*shipped, "--target", "label", "--layer", "layer3", "--pool", "avg"]) == 0
    alone = capsys.readouterr().out
    assert "features from the cache" in alone and "head from the cache" in alone


def test_layers_side_by_side_are_one_feature_and_a_head_of_them_answers(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    how = ["run", "--dataset", f"csv:{table}", "--backbone", "resnet8-cifar10", "--device", "cpu", "--head", "ridge"]
    assert main([*how, "--target", "label", "--layer", "layer2,fc:input", "--concatenate"]) == 0
    output = capsys.readouterr()
    (head,) = Path("data/heads").iterdir()
    assert "layer2@avg,fc:input@none" in output.err
    (picture, *_) = sorted(p for p in Path().rglob("*.png") if "data" not in p.parts)
    assert main(["predict", str(head), str(picture)]) == 0
    assert main(["export", str(head), "head.onnx"]) == 2
    assert "a head of several joined layers (layer2@avg,fc:input@none) can't be exported" in capsys.readouterr().err
    assert main(["rank", *how[1:7], "--target", "label", "--layer", "layer2,layer3"]) == 2
    assert "--concatenate joins several" in capsys.readouterr().err
