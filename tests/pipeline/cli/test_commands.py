"""The command line as a user meets it: the stages in order, what is said, how it exits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from frostline.pipeline.cli.main import main
from support.commands import BACKBONE, HEAD
from support.project import Command


def test_the_embedded_default_answers_and_then_answers_from_the_cache(frostline: Command, tmp_path: Path) -> None:
    first = frostline("run")
    assert first.returncode == 0, first.stderr
    assert "loading resnet8-cifar10" in first.stderr and "pixels" in first.stdout
    again = frostline("run")
    assert "loading" not in again.stderr
    assert again.stdout.count("features from the cache, no backbone run; head from the cache") == 2
    assert again.stdout.splitlines()[2:5] == first.stdout.splitlines()[2:5]
    report = json.loads(next(tmp_path.glob("data/runs/*/run.json")).read_text())
    assert report["rows"] == {"train": 1438, "test": 359}
    accuracy = report["probes"][0]["evaluation"]["scores"]["accuracy"]
    assert 0.9 < accuracy["low"] < accuracy["value"] < accuracy["high"] <= 1


def test_each_stage_runs_alone_and_twice(work: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    what = ["--dataset", f"folder:{folder}", *BACKBONE]
    assert main(["extract", *what]) == 0
    assert "36 × 128" in capsys.readouterr().out
    assert main(["extract", *what]) == 0
    assert "from the cache" in capsys.readouterr().out
    assert main(["fit", *what, *HEAD]) == 0
    assert "head fitted" in capsys.readouterr().out
    assert main(["fit", *what, *HEAD]) == 0
    assert "head from the cache" in capsys.readouterr().out
    assert main(["evaluate", *what, *HEAD]) == 0
    assert "100.0 %" in capsys.readouterr().out


def test_a_stage_out_of_order_says_which_one_is_missing(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    what = ["--dataset", f"folder:{folder}", *BACKBONE]
    assert main(["fit", *what, *HEAD]) == 4
    assert "`frostline extract`" in capsys.readouterr().err
    assert main(["extract", *what]) == 0
    assert main(["evaluate", *what, *HEAD]) == 4
    assert "`frostline fit`" in capsys.readouterr().err


def test_every_head_keeps_its_own_report(work: Path, folder: Path) -> None:
    for C in ("1", "0.01"):
        assert main(["run", "--dataset", f"folder:{folder}", *BACKBONE, "--grid", C]) == 0
    found = [
        json.loads(path.read_text())["probes"][0]["head"]["selection"]["value"] for path in work.glob("runs/*/run.json")
    ]
    assert sorted(found) == [0.01, 1]


def test_json_is_the_only_thing_on_stdout_and_nothing_draws_a_bar(frostline: Command, folder: Path) -> None:
    done = frostline("extract", "--dataset", f"folder:{folder}", "--json", *BACKBONE)
    assert [row["computed"] for row in json.loads(done.stdout)] == [36, 12]
    assert "\r" not in done.stderr and "it/s" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["run", "--bakbone", "x"], 2, "did you mean --backbone"),
        (["rnu"], 2, "invalid choice: 'rnu'"),
        (["run", "--backbone", "resnet5O"], 2, "did you mean 'resnet50'"),
        (["run", "--backbone", "resnet5O", "--dataset", "folder:nowhere"], 2, "did you mean 'resnet50'"),
        (["fit", "--backbone", "resnet5O"], 2, "did you mean 'resnet50'"),
        (["run", "--dataset", "cifar1O"], 2, "did you mean 'cifar10'"),
        (["run", "--dataset", "folder:nowhere"], 3, "no folder nowhere"),
        (["run", "--weights", "IMAGENET1K_V3", "--backbone", "resnet50"], 2, "did you mean 'IMAGENET1K_V"),
        (["run", "--weights", "none.pth", "--backbone", "resnet50"], 2, "no weights file none.pth"),
        (["run", "--device", "cuda:99"], 2, "no device 'cuda:99'"),
        (["run", "--layer", "layer9"], 2, "unknown layer 'layer9'"),
        (["extract", "--grid", "C=1"], 2, "unknown flag --grid"),
    ],
)
def test_a_mistake_is_answered_with_a_hint_and_an_exit_code(
    work: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    try:
        found = main(arguments)
    except SystemExit as stop:
        found = int(stop.code or 0)
    assert (found, said in capsys.readouterr().err) == (code, True)


def test_a_workspace_that_can_not_be_written_is_a_clear_error(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work.write_text("a file where the folder should be")
    assert main(["extract", "--dataset", f"folder:{folder}", *BACKBONE]) == 4
    assert "--data-dir" in capsys.readouterr().err
