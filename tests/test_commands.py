"""The command line as a user meets it: what is cached, what is said, how it exits."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest
from conftest import Command, paint
from filelock import FileLock

from pipeline.cli import main
from stages.specs import sealed
from stages.store import open_set

BACKBONE = ["--backbone", "resnet8-cifar10"]
HEAD = ["--grid", "C=0.1,1"]


def settle(folder: Path) -> None:
    """Wait until no file is so new that its times can't be trusted."""
    newest = max(p.stat().st_ctime for p in folder.rglob("*"))
    time.sleep(max(0.0, newest + 2.1 - time.time()))


def watched(read: Callable[..., Any], opened: list[str]) -> Callable[..., Any]:
    """Return the function with a list of what it was called on."""

    def reading(path: Path | str, *others: Any) -> Any:
        opened.append(str(path))
        return read(path, *others)

    return reading


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


def test_a_second_head_needs_neither_images_nor_backbone(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    what = ["--dataset", f"folder:{folder}", "--backbone", "resnet8-cifar10"]
    settle(folder)
    assert main(["run", *what, "--grid", "C=1"]) == 0
    capsys.readouterr()
    opened: list[str] = []
    monkeypatch.setattr(Path, "read_bytes", watched(Path.read_bytes, opened))
    monkeypatch.setattr("os.open", watched(os.open, opened))
    assert main(["run", *what, "--grid", "C=2"]) == 0
    said = capsys.readouterr()
    assert "features from the cache, no backbone run; head fitted" in said.out and "loading" not in said.err
    assert opened and not [name for name in opened if name.endswith((".png", ".safetensors"))]


def test_moving_the_dataset_changes_nothing_and_changing_it_is_explained(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--dataset", f"folder:{folder}", *BACKBONE, *HEAD]) == 0
    moved = folder.with_name("animals")
    shutil.move(folder, moved)
    capsys.readouterr()
    assert main(["run", "--dataset", f"folder:{moved}", *BACKBONE, *HEAD]) == 0
    assert "features from the cache, no backbone run; head from the cache" in capsys.readouterr().out
    shutil.move(moved, folder)
    paint(folder / "train" / "cat" / "new.png", 0, 7)
    assert main(["run", "--dataset", f"folder:{folder}", *BACKBONE, *HEAD, "--dry-run", "--json"]) == 0
    train, test = json.loads(capsys.readouterr().out)[0]["features"]
    assert (train["rows"], train["reusable"], train["to_compute"]) == (37, 36, 1)
    assert [change.split()[0] for change in train["changes"]] == ["dataset"]
    assert (test["cached"], test["to_compute"], test["changes"]) == (12, 0, [])


@pytest.mark.parametrize(
    ("flags", "field"),
    [
        (["--resize", "28x28"], "resize [32, 32] → [28, 28]"),
        (["--precision", "bf16"], "precision fp32 → bf16"),
        (["--dtype", "float16"], "dtype float32 → float16"),
        (["--layer", "layer3"], "layer fc:input → layer3"),
        (["--mean", "0.5"], "mean [0.4914, 0.4822, 0.4465] → [0.5, 0.5, 0.5]"),
    ],
)
def test_a_changed_setting_is_not_the_cache_and_the_dry_run_names_it(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str], flags: list[str], field: str
) -> None:
    what = ["--dataset", f"folder:{folder}", *BACKBONE, "--precision", "fp32"]
    assert main(["extract", *what]) == 0
    capsys.readouterr()
    assert main(["extract", *what, *flags, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert f"not the cached features: {field}" in said and "36" in said
    assert not list(work.glob("features/*train*"))[1:]


def test_a_label_that_changed_is_another_feature_set_but_computes_nothing(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    what = ["--dataset", f"folder:{folder}", *BACKBONE]
    assert main(["extract", *what]) == 0
    (folder / "train" / "cat" / "03.png").rename(folder / "train" / "dog" / "cat03.png")
    capsys.readouterr()
    assert main(["extract", *what, "--dry-run", "--json"]) == 0
    train = json.loads(capsys.readouterr().out)[0]["features"][0]
    assert (train["cached"], train["reusable"], train["to_compute"]) == (0, 36, 0)


def test_a_damaged_shard_is_named_and_made_anew(work: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    what = ["--dataset", f"folder:{folder}", *BACKBONE]
    assert main(["run", *what, *HEAD]) == 0
    shard = next(work.glob("features/*test*/shards/00000.h5"))
    sound = shard.read_bytes()
    shard.write_bytes(sound[:3000] + bytes([sound[3000] ^ 1]) + sound[3001:])
    capsys.readouterr()
    assert main(["verify"]) == 4
    assert str(shard.relative_to(work)) in capsys.readouterr().out
    assert main(["run", *what, *HEAD]) == 0
    assert "computing that shard anew" in capsys.readouterr().err
    assert shard.read_bytes() == sound
    assert main(["verify"]) == 0


def test_bad_images_are_listed_at_once_then_quarantined_when_tolerated(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    what = ["--dataset", f"folder:{folder}", *BACKBONE]
    (folder / "train" / "cat" / "00.png").write_bytes(b"")
    (folder / "train" / "dog" / "00.png").write_text("<html>")
    damaged = folder / "test" / "fox" / "00.png"
    pixels = damaged.read_bytes()
    damaged.write_bytes(pixels[:200] + bytes(200) + pixels[400:])  # seen only when it is decoded
    assert main(["run", *what, *HEAD]) == 3
    said = capsys.readouterr().err
    assert "train/cat/00.png: empty file (0 bytes)" in said
    assert "train/dog/00.png: not an image of a known format" in said
    assert "--max-bad 2" in said and "loading" not in said
    assert main(["run", *what, *HEAD, "--max-bad", "2"]) == 3
    assert "test/fox/00.png: damaged" in capsys.readouterr().err
    assert main(["run", *what, *HEAD, "--max-bad", "3", "--json"]) == 5
    report = json.loads(capsys.readouterr().out)
    assert report["quarantined"] == 3
    rows = [(f["rows"], len(f["quarantined"])) for f in report["probes"][0]["features"]]
    assert rows == [(36, 2), (12, 1)]
    assert report["probes"][0]["evaluation"]["rows"] == 11


def test_duplicates_and_conflicting_labels_are_counted(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(folder / "train" / "cat" / "00.png", folder / "test" / "cat" / "again.png")
    shutil.copy(folder / "train" / "cat" / "01.png", folder / "train" / "dog" / "same.png")
    assert main(["run", "--dataset", f"folder:{folder}", *BACKBONE, *HEAD]) == 0
    said = capsys.readouterr().out
    assert "1 of the test samples are also in train, 1 repeat within train" in said
    assert "2 identical samples with different labels" in said


def test_views_are_cached_beside_each_other_and_used_together(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    what = ["--dataset", f"folder:{folder}", *BACKBONE, "--json"]
    assert main(["run", *what, *HEAD]) == 0
    capsys.readouterr()
    assert main(["run", *what, *HEAD, "--views", "plain,hflip"]) == 0
    probe = json.loads(capsys.readouterr().out)["probes"][0]
    assert [(f["split"], f["view"], f["computed"]) for f in probe["features"]] == [
        ("train", "plain", 0),
        ("train", "hflip", 36),
        ("test", "plain", 0),
        ("test", "hflip", 12),
    ]
    assert probe["head"]["selection"]["final_rows"] == 72
    assert probe["evaluation"]["rows"] == 12


def test_features_open_in_plain_h5py(work: Path, folder: Path) -> None:
    assert main(["extract", "--dataset", f"folder:{folder}", *BACKBONE]) == 0
    with h5py.File(next(work.glob("features/*train*/features.h5"))) as file:
        assert file["features"].shape == (36, 128)
        assert file["ids"].asstr()[0] == "train/cat/00.png"
        assert file.attrs["layer"] == "fc:input"


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
    assert said.count("superseded") == 1 and "--yes removes it" in said
    assert len(list(work.glob("features/*"))) == 3
    assert main(["gc", "--yes"]) == 0
    assert main(["gc"]) == 0
    assert capsys.readouterr().out.endswith("nothing to remove\n")
    assert main(["extract", *what, "--dry-run", "--json"]) == 0
    assert [row["to_compute"] for row in json.loads(capsys.readouterr().out)[0]["features"]] == [0, 0]


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


def test_json_is_the_only_thing_on_stdout_and_nothing_draws_a_bar(frostline: Command, folder: Path) -> None:
    done = frostline("extract", "--dataset", f"folder:{folder}", "--json", *BACKBONE)
    assert [row["computed"] for row in json.loads(done.stdout)] == [36, 12]
    assert "\r" not in done.stderr and "it/s" not in done.stderr


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


def test_a_published_file_that_was_lost_is_written_again(work: Path, folder: Path) -> None:
    what = ["--dataset", f"folder:{folder}", *BACKBONE]
    assert main(["extract", *what]) == 0
    path = next(work.glob("features/*train*/features.h5"))
    sound = path.read_bytes()
    path.unlink()
    assert main(["extract", *what]) == 0
    assert path.read_bytes() == sound


def test_every_head_keeps_its_own_report(work: Path, folder: Path) -> None:
    for C in ("1", "0.01"):
        assert main(["run", "--dataset", f"folder:{folder}", *BACKBONE, "--grid", C]) == 0
    found = [
        json.loads(path.read_text())["probes"][0]["head"]["selection"]["value"] for path in work.glob("runs/*/run.json")
    ]
    assert sorted(found) == [0.01, 1]


def test_no_stage_passes_over_samples_that_another_refused(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for split in ("train", "test"):
        damaged = folder / split / "fox" / "00.png"
        pixels = damaged.read_bytes()
        damaged.write_bytes(pixels[:200] + bytes(200) + pixels[400:])
    what = ["--dataset", f"folder:{folder}", *BACKBONE]
    assert main(["extract", *what]) == 3
    assert main(["fit", *what, *HEAD]) == 3
    assert "train/fox/00.png: damaged" in capsys.readouterr().err
    assert main(["fit", *what, *HEAD, "--max-bad", "1"]) == 5
    assert main(["fit", *what, *HEAD]) == 3
    assert main(["evaluate", *what, *HEAD, "--max-bad", "1"]) == 5
    assert main(["extract", *what, "--max-bad", "1"]) == 3
    assert main(["extract", *what, "--max-bad", "2"]) == 5


def test_a_damaged_head_is_fitted_anew(work: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    what = ["--dataset", f"folder:{folder}", *BACKBONE, *HEAD]
    assert main(["run", *what]) == 0
    record = next(work.glob("heads/*/head.json"))
    record.write_bytes(record.read_bytes().replace(b'"final_converged":true', b'"final_converged":false'))
    assert main(["verify"]) == 4
    assert main(["run", *what]) == 0
    assert "head fitted" in capsys.readouterr().out
    assert main(["verify"]) == 0


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


def flip(path: Path) -> None:
    sound = path.read_bytes()
    path.write_bytes(sound[:5] + bytes([sound[5] ^ 1]) + sound[6:])


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


@pytest.mark.parametrize("command", ["run", "extract"])
def test_a_damaged_speed_is_dropped_by_the_next_run(work: Path, folder: Path, command: str) -> None:
    what = [command, "--dataset", f"folder:{folder}", *BACKBONE]
    assert main(what) == 0
    flip(next(work.glob("features/*train*/speed.json")))
    assert main(["verify"]) == 4
    assert main(what) == 0 == main(["verify"])


@pytest.mark.parametrize("command", ["ls", "verify", "gc"])
def test_a_workspace_that_is_not_there_is_said(work: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert main([command, "--data-dir", "elsewhere"]) == 2
    assert "no workspace at elsewhere" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["curves", "parameters"])
def test_what_a_bench_remembers_is_verified(work: Path, capsys: pytest.CaptureFixture[str], place: str) -> None:
    board = work / "bench" / "mine-0123456789ab" / "leaderboard.json"  # rendered for readers, not remembered
    board.parent.mkdir(parents=True)
    board.write_text("{}")
    path = work / "bench" / place / "0123456789abcdef.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(sealed({"parameters": 1}))
    assert main(["verify"]) == 0
    path.write_bytes(path.read_bytes().replace(b"1", b"2", 1))
    assert main(["verify"]) == 4
    assert f"{path.name} is damaged" in capsys.readouterr().out
