"""The command line as a user meets it: the stages in order, what is said, how it exits."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from frostline.pipeline.bench.matrix import read_matrix
from frostline.pipeline.cli.main import main
from support.commands import BACKBONE, HEAD
from support.project import REPOSITORY, Command

HEADS = '[[head]]\nhead = "knn"\n'


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
        (["runn"], 2, "unknown command 'runn'; did you mean 'run'?"),
        ([], 2, "expected a command, one of run, extract, worker, fit"),
        (["--backbone", "x"], 2, "unknown flag --backbone; --backbone is a flag of run, extract, worker, fit"),
        (["extract", "--res", "28", "--dry"], 2, "unknown flag --res; did you mean --resize?"),
        (["extract", "--projection", "before"], 2, "--layer projection, --layer projection:input"),
        (["extract", "--dry"], 2, "unknown flag --dry; did you mean --dry-run?"),
        (["run", "--backbon", "resnet50"], 2, "unknown flag --backbon; did you mean --backbone?"),
        (["fit", "--shots", "4"], 2, "unknown flag --shots; --shots is a flag of run, init\n"),
        (["fit", "--shot", "4"], 2, "unknown flag --shot; did you mean --shots, a flag of run, init?"),
        (["extract", "--head", "knn"], 2, "unknown flag --head; --head is a flag of run, fit, evaluate, init\n"),
        (["ls", "-x"], 2, "unknown flag -x\n"),
        (["bench"], 2, "`frostline bench --example` prints one"),
        (["run", "--grid", "alpha=1"], 2, "chooses C, not 'alpha'; it has no parameter 'alpha'; --head-params takes"),
        (["run", "--grid", "tolerance=1"], 2, "chooses C, not 'tolerance'; set that parameter with --head-params"),
        (["run", "--head-params", "tolerance=NaN"], 2, "--head-params 'tolerance=NaN': expected finite numbers"),
        (["run", "--backbone", "resnet5O"], 2, "did you mean 'resnet50'"),
        (["run", "--backbone", "resnet5O", "--dataset", "folder:nowhere"], 2, "did you mean 'resnet50'"),
        (["fit", "--backbone", "resnet5O"], 2, "did you mean 'resnet50'"),
        (["run", "nothere"], 2, "unexpected nothere; did you mean --dataset nothere?"),
        (["run", "--dataset", "foldr:nowhere"], 2, "unknown dataset 'foldr:nowhere'; did you mean folder:nowhere?"),
        (["run", "--help", "everything"], 2, "--help everything; expected --help or --help all"),
        (["run", "--layer", "foo"], 2, "expected one of conv1, bn1, layer1, layer2, layer3, avgpool, fc, output, or a"),
        (["run", "--config", "nope.toml"], 2, "nope.toml (No such file or directory); expected a TOML file"),
        (["run", "--grid", "C"], 2, "expected NAME=VALUE,VALUE, for example C=0.1,1,10"),
        (["worker"], 2, "no job; expected JOB.toml or settings such as --dataset"),
        (["run", "--dataset", "cifar1O"], 2, "did you mean 'cifar10'"),
        (["run", "--dataset", "folder:nowhere"], 3, "no folder nowhere"),
        (["run", "--weights", "IMAGENET1K_V3", "--backbone", "resnet50"], 2, "did you mean 'IMAGENET1K_V"),
        (["run", "--weights", "none.pth", "--backbone", "resnet50"], 2, "no weights file none.pth"),
        (["run", "--device", "cuda:99"], 2, "device 'cuda:99' is not available"),
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


def test_the_matrix_of_a_bench_is_no_file_of_settings(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = work.with_name("some.toml")
    for text, table in ((HEADS, "[[head]]"), ("[defaults]\nseed = 1\n", "[defaults]")):
        file.write_text(text)
        assert main(["run", "--config", str(file)]) == 2
        said = capsys.readouterr().err
        assert f"{file} looks like a matrix, with {table}; `frostline bench {file}` runs it" in said


def test_an_installed_copy_prints_a_matrix_that_can_be_read(tmp_path: Path) -> None:
    source, place = tmp_path / "source", tmp_path / "installed"
    for name in ("pipeline", "stages", "examples"):
        shutil.copytree(REPOSITORY / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--target"]
    subprocess.run([*install, str(place), str(source)], check=True, capture_output=True)
    shutil.rmtree(source)

    def said(*command: str) -> str:
        clean = {**os.environ, "PYTHONPATH": str(place)}
        line = [sys.executable, *command]
        return subprocess.run(line, check=True, capture_output=True, text=True, cwd=tmp_path, env=clean).stdout

    assert said("-c", "import frostline.examples; print(frostline.examples.__file__)").startswith(str(place))
    matrix = tmp_path / "matrix.toml"
    matrix.write_text(said("-m", "frostline", "bench", "--example"))
    assert len(read_matrix(matrix, tmp_path).cells) > 3


def test_a_setting_that_is_given_twice_says_which_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", "--backbone", "pixels", "--head", "ridge", "--head", "centroid", "--dry-run"]) == 0
    assert "note: --head is given more than once; centroid counts (several values: A,B)" in capsys.readouterr().err
    assert main(["run", "--backbone", "pixels", "--head", "centroid", "--head", "centroid", "--dry-run"]) == 0
    assert "more than once" not in capsys.readouterr().err
