"""`frostline ls` and `frostline gc`: what lies in a workspace, and what of it is in nobody's use."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from frostline.pipeline.cli.main import main
from frostline.stages.records.sealed import sealed
from frostline.stages.store import open_set
from support.commands import BACKBONE, flip
from support.pictures import paint


def test_listing_and_tidying(work: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    what = ["--dataset", f"folder:{folder}", *BACKBONE]
    assert main(["extract", *what]) == 0
    paint(folder / "train" / "cat" / "new.png", 0, 7)
    assert main(["extract", *what]) == 0
    capsys.readouterr()
    assert main(["ls", "--json"]) == 0
    assert sorted(row["rows"] for row in json.loads(capsys.readouterr().out)) == [12, 36, 37]
    assert main(["gc"]) == 0
    said = capsys.readouterr().out
    assert said.count("superseded") == 1 and "can be removed with --yes" in said
    assert len(list(work.glob("features/*"))) == 3
    assert main(["gc", "--yes"]) == 0
    assert main(["gc"]) == 0
    assert capsys.readouterr().out.endswith("nothing to remove\n")
    assert main(["extract", *what, "--dry-run", "--json"]) == 0
    assert [row["to_compute"] for row in json.loads(capsys.readouterr().out)[0]["features"]] == [0, 0]


def test_another_dataset_of_the_same_name_is_no_garbage(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for label, name in enumerate(("cat", "dog")):
        for i in range(4):
            paint(folder.parent / "other" / "pets" / "train" / name / f"{i}.png", label, 5000 + 10 * label + i)
            paint(folder.parent / "other" / "pets" / "test" / name / f"{i}.png", label, 6000 + 10 * label + i)
    for root in (folder, folder.parent / "other" / "pets"):
        assert main(["extract", "--dataset", f"folder:{root}", *BACKBONE]) == 0
    capsys.readouterr()
    assert main(["gc"]) == 0
    assert capsys.readouterr().out == "nothing to remove\n"


def test_garbage_collection_leaves_unfinished_and_running_work_alone(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["extract", "--dataset", f"folder:{folder}", *BACKBONE]) == 0
    found = next(work.glob("features/*train*"))
    for name in ("features.h5", "shards/00000.json"):
        (found / name).unlink()
    capsys.readouterr()
    assert main(["gc"]) == 0
    assert capsys.readouterr().out == "nothing to remove\n"
    with open_set(found).claim(0, wait=False):
        assert main(["gc", "--unfinished"]) == 0
        assert capsys.readouterr().out == "nothing to remove\n"
    assert main(["gc", "--unfinished"]) == 0
    assert "(unfinished)" in capsys.readouterr().out


def test_a_set_that_is_just_being_begun_is_left_alone(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    begun = work / "features" / "pets-train-pixels-0123456789ab"
    (begun / "locks").mkdir(parents=True)
    (begun / "made.json").write_bytes(sealed({"made": "now"}))
    assert main(["gc", "--yes"]) == 0
    with FileLock(begun / "locks" / "00000.lock"):
        assert main(["gc", "--yes", "--unfinished"]) == 0
    assert capsys.readouterr().out == "nothing to remove\n" * 2
    assert main(["gc", "--yes", "--unfinished"]) == 0
    assert "no readable description, no shards" in capsys.readouterr().out and not begun.exists()


def link(path: Path) -> None:
    path.symlink_to(path.rename(path.parents[2] / path.name))


@pytest.mark.parametrize("spoil", [flip, link, Path.unlink], ids=lambda spoil: spoil.__name__)
def test_features_whose_description_is_unreadable_are_kept_until_extracting_mends_it(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], object]
) -> None:
    what = ["extract", "--dataset", f"folder:{folder}", *BACKBONE]
    assert main(what) == 0
    spoil(next(work.glob("features/*train*/key.json")))
    capsys.readouterr()
    for flags in ([], ["--unfinished"]):
        assert main(["gc", "--yes", *flags]) == 0
        said = capsys.readouterr()
        assert said.out == "nothing to remove\n" and "extracting with the same settings mends it" in said.err
    assert main([*what, "--json"]) == 0
    assert [row["computed"] for row in json.loads(capsys.readouterr().out)] == [0, 0]
    assert main(["verify"]) == 0


@pytest.mark.parametrize("command", ["ls", "verify", "gc"])
def test_a_workspace_that_is_not_there_is_said(work: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert main([command, "--data-dir", "elsewhere"]) == 2
    assert "no workspace at elsewhere" in capsys.readouterr().err
