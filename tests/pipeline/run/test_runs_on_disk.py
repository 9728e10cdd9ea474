"""What a run leaves on disk: sealed, checked where it is read, and never worth more than the answers."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from faults.layer import Layer, fail, since
from frostline.pipeline.cli.main import main
from frostline.stages.records.sealed import sealed, unsealed
from support.pictures import paint


@pytest.fixture
def what(tmp_path: Path) -> list[str]:
    """The settings of a run of a second, and where."""
    for split, label, i in [(s, k, i) for s in ("train", "test") for k in range(2) for i in range(6)]:
        paint(tmp_path / "pets" / split / "ab"[label] / f"{i}.png", label, 100 * label + i + 1000 * (split == "test"))
    given = ["--dataset", f"folder:{tmp_path / 'pets'}", "--backbone", "pixels", "--resize", "8x8"]
    return [*given, "--head", "centroid", "--data-dir", str(tmp_path / "data")]


@pytest.fixture
def folder(what: list[str], tmp_path: Path) -> Path:
    assert main(["run", *what]) == 0
    return next((tmp_path / "data" / "runs").iterdir())


def test_the_record_is_readable_json_with_a_seal_over_what_the_command_printed(
    what: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["run", *what, "--json"]) == 0
    printed, data = json.loads(capsys.readouterr().out), (folder / "run.json").read_bytes()
    assert unsealed(data) == printed
    assert data.decode().splitlines()[1].startswith('  "classes": [')
    assert list(printed["files"]) == [path.name for path in folder.glob("predictions-*.csv")]


@pytest.mark.parametrize("digit", ["5", "7"])
def test_a_score_that_was_changed_by_hand_is_no_score(
    folder: Path, digit: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "run.json"
    path.write_text(path.read_text().replace('"value": 1.0', f'"value": 0.{digit}', 1))
    assert main(["report", str(folder)]) == 4
    assert f"{path} is damaged" in (said := capsys.readouterr().err) and "writes it again" in said


def test_a_record_without_a_seal_is_asked_for_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / "run.json"
    path.write_text(json.dumps(unsealed(path.read_bytes())))
    assert main(["report", str(folder)]) == 4
    assert "`frostline run` with the same settings writes it again" in capsys.readouterr().err


def test_predictions_that_were_changed_are_named_and_those_that_are_gone_are_said_to_be(
    what: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = next(folder.glob("predictions-*.csv"))
    path.write_text(path.read_text().replace("a/0.png", "a/9.png"))
    assert main(["report", str(folder)]) == 4
    assert f"{path} is damaged" in (said := capsys.readouterr().err) and "writes it again" in said
    assert main(["verify", *what[-2:]]) == 4
    assert f"{path} is damaged" in capsys.readouterr().out
    path.unlink()
    assert main(["report", str(folder)]) == 0
    assert "is gone" in (folder / "report.html").read_text()
    assert main(["run", *what]) == 0 == main(["verify", *what[-2:]])


def test_a_record_names_no_file_elsewhere(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / "run.json"
    path.write_bytes(sealed({**unsealed(path.read_bytes()), "files": {"../../secret": "0"}}))
    assert main(["verify", "--data-dir", str(folder.parents[1])]) == 4
    assert "names a file of another folder" in capsys.readouterr().out


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_where_nothing_can_be_written_a_run_answers_from_the_cache_and_says_that_there_is_no_report(
    what: list[str], folder: Path, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = {path: path.read_bytes() for path in folder.parents[1].rglob("*") if path.is_file()}
    capsys.readouterr()
    with Layer(folder.parents[1], since(0, fail(code))).installed():
        assert main(["run", *what]) == 1
    said = capsys.readouterr()
    assert "100.0 %" in said.out and "run.json" not in said.out
    assert said.err.splitlines()[-1].startswith("error: no report: can't write ") and str(folder) in said.err
    assert kept == {path: path.read_bytes() for path in folder.parents[1].rglob("*") if path.is_file()}
