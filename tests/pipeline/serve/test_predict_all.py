"""``predict --out``: a row for every sample of a source, resumed to the same bytes, and never mixed with others'."""

from __future__ import annotations

import csv
import json
import logging
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet

from frostline.pipeline.cli.main import main
from frostline.pipeline.engines.base import Job
from frostline.pipeline.engines.batch_settings import BatchSettings
from frostline.pipeline.engines.shards import run_job
from frostline.pipeline.plan.of_head import plan_of_head
from frostline.pipeline.serve.fitted import read_fitted
from frostline.pipeline.serve.out_file import parts_of
from frostline.pipeline.serve.predict import predict
from frostline.pipeline.settings import ExtractSettings, PredictSettings
from frostline.stages.datasets import ALL
from frostline.stages.serve.prediction_set import begin_predictions, prediction_layout
from support.warm import Warm

WIDTH = 8


class Made(NamedTuple):
    """Heads on vectors of three classes: ``labels`` and, fitted on other rows, ``other``."""

    work: Path
    head: Path
    other: Path

    def vectors(self, rows: int, name: str = "new.npy", seed: int = 5) -> Path:
        """Write so many vectors without labels into a file; return it."""
        np.save(self.work / name, drawn(rows, seed)[0])
        return self.work / name


def drawn(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, rows)
    return (np.eye(3, WIDTH)[y] * 3 + rng.standard_normal((rows, WIDTH))).astype(np.float32), y


def fitted(work: Path, name: str, seed: int) -> Path:
    X, y = drawn(90, seed)
    np.savez(work / f"{name}.npz", features=X, labels=np.array(["cat", "dog", "owl"])[y])
    assert (
        main(["run", "--dataset", f"vectors:{work / name}.npz", "--grid", "C=1", "--data-dir", str(work / "data")]) == 0
    )
    return next((work / "data" / "heads").glob(f"{name}-*"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    work = tmp_path_factory.mktemp("made")
    return Made(work, fitted(work, "first", 0), fitted(work, "second", 1))


@pytest.fixture
def work(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Made]:
    """The same heads, and an empty workspace below a folder of the test's own."""
    monkeypatch.chdir(tmp_path)
    yield Made(tmp_path, made.head, made.other)


def table(file: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = parquet.read_table(file).to_pylist()
    return found


def test_every_sample_has_the_answer_that_predict_gives(work: Made) -> None:
    file = work.vectors(30)
    assert main(["predict", str(work.head), str(file), "--out", "all.parquet", "--top", "3"]) == 0
    answers = predict(work.head, [file], PredictSettings())
    rows = table(Path("all.parquet"))
    assert [row["id"] for row in rows] == [f"{at:06d}" for at in range(1, 31)]
    for row, one in zip(rows, answers, strict=True):
        said = [(row[f"label{n}"], row[f"probability{n}"]) for n in ("", "_2", "_3")]
        assert [name for name, _ in said] == [name for name, _ in one.classes]
        np.testing.assert_allclose([p for _, p in said], [p for _, p in one.classes], atol=1e-12)
        assert row["problem"] is None


def test_csv_says_the_same_as_parquet(work: Made) -> None:
    file = work.vectors(5)
    for out in ("all.csv", "all.parquet"):
        assert main(["predict", str(work.head), f"vectors:{file}", "--out", out]) == 0
    with Path("all.csv").open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert [
        {**row, "probability": f"{row['probability']:.6f}", "problem": ""} for row in table(Path("all.parquet"))
    ] == rows


def test_the_array_that_is_named_is_predicted_with_and_without_a_file(
    work: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    X = np.load(work.vectors(6))
    np.savez("two.npz", features=np.roll(X, 1, axis=1), mine=X)
    asked = ["predict", str(work.head), "two.npz", "--columns", "features=mine"]
    expected = [one.label for one in predict(work.head, ["new.npy"])]
    capsys.readouterr()
    assert main([*asked, "--json"]) == 0
    assert [one["label"] for one in json.loads(capsys.readouterr().out)] == expected
    assert main([*asked, "--out", "all.parquet"]) == 0
    assert [row["label"] for row in table(Path("all.parquet"))] == expected
    assert main(["predict", str(work.head), "two.npz", "--columns", "features=theirs"]) == 3
    assert "has no array theirs; found" in capsys.readouterr().err


def command(work: Made, file: Path, out: str) -> list[str]:
    return ["-m", "frostline", "predict", str(work.head), str(file), "--out", out, "--json"]


def test_a_killed_command_goes_on_to_the_same_bytes(work: Made, warm: Warm) -> None:
    file = work.vectors(20_000)
    process = warm.start(command(work, file, "killed.parquet"))
    parts = Path("killed.parquet.parts")
    while process.poll() is None and len(list(parts.glob("*/shards/*.json"))) < 3:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = {one: one.stat().st_ino for one in parts.glob("*/shards/*.json")}
    assert 3 <= len(done) < 20, "killed too late"
    assert not Path("killed.parquet").exists()
    resumed = warm.run(command(work, file, "killed.parquet"))
    whole = warm.run(command(work, file, "whole.parquet"))
    assert json.loads(whole.stdout)["computed"] == 20_000
    assert json.loads(resumed.stdout)["computed"] <= 20_000 - 1024 * 3
    assert Path("killed.parquet").read_bytes() == Path("whole.parquet").read_bytes()
    assert not parts.exists()


def begun(work: Made, head: Path, file: Path, out: str) -> None:
    """Leave the parts of a head's predictions beside an output that was never written, as a killed command does."""
    done = read_fitted(head, PredictSettings())
    plan = plan_of_head(
        head, done.made, done.head.width, ExtractSettings(dataset=f"vectors:{file}", backbone="vectors")
    )
    layout = prediction_layout(plan.key(ALL, "plain"), plan.samples(ALL), done.head, done.record)
    begin_predictions(Path(f"{out}.parts"), layout, done.head)
    job = Job(
        plan.settings.model_dump(mode="json"),
        plan.picked.mode,
        BatchSettings("cpu", 1, 16, 1, 1, 1),
        ALL,
        "plain",
        plan.key(ALL, "plain").digest,
        len(plan.samples(ALL)),
        str(head),
        f"{out}.parts",
    )
    assert run_job(Job.from_json(job.to_json())) == len(plan.samples(ALL))


def test_parts_of_another_head_or_of_other_data_are_never_taken(work: Made) -> None:
    file = work.vectors(40)
    begun(work, work.other, file, "all.parquet")
    begun(work, work.head, work.vectors(40, "others.npy", seed=9), "all.parquet")
    for out in ("all.parquet", "clean.parquet"):
        assert main(["predict", str(work.head), str(file), "--out", out]) == 0
    assert Path("all.parquet").read_bytes() == Path("clean.parquet").read_bytes()


def test_what_another_process_did_of_the_job_is_taken(work: Made, capsys: pytest.CaptureFixture[str]) -> None:
    file = work.vectors(40)
    begun(work, work.head, file, "all.parquet")
    capsys.readouterr()
    assert main(["predict", str(work.head), str(file), "--out", "all.parquet", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["computed"] == 0


def test_a_sample_that_can_not_be_used_is_a_row_with_its_reason(work: Made, capsys: pytest.CaptureFixture[str]) -> None:
    X = np.load(work.vectors(6))
    X[2, 4] = np.nan
    np.save("new.npy", X)
    asked = ["predict", str(work.head), "new.npy", "--out", "all.parquet"]
    assert main(asked) == 3
    assert "000003: number 5 of 8 is NaN" in capsys.readouterr().err
    assert main([*asked, "--max-bad", "1"]) == 5
    rows = table(Path("all.parquet"))
    assert len(rows) == 6
    assert rows[2] == {"id": "000003", "label": None, "probability": None, "problem": "number 5 of 8 is NaN"}
    assert all(row["problem"] is None and row["label"] for at, row in enumerate(rows) if at != 2)


def test_kept_features_serve_a_second_head_without_the_encoder(
    work: Made, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    X = np.load(work.vectors(50))
    X[7] = np.inf
    np.save("new.npy", X)
    asked = ["new.npy", "--max-bad", "1", "--json"]
    assert main(["predict", str(work.head), *asked, "--out", "one.parquet", "--keep-features"]) == 5
    [kept] = Path("data/features").iterdir()
    assert json.loads(capsys.readouterr().out)["features"] == [str(kept)]
    with caplog.at_level(logging.INFO, "frostline"):
        caplog.clear()
        assert main(["predict", str(work.other), *asked, "--out", "two.parquet"]) == 5
    assert "loading" not in caplog.text
    assert main(["predict", str(work.other), *asked, "--out", "anew.parquet", "--data-dir", "elsewhere"]) == 5
    assert Path("two.parquet").read_bytes() == Path("anew.parquet").read_bytes()
    capsys.readouterr()
    assert main(["export-features", str(kept), "kept.npz"]) == 5
    assert "kept.npz: new all, 49 × 8 with ids, 1 quarantined left out" in capsys.readouterr().out
    with np.load("kept.npz") as stored:
        assert {*stored} == {"features", "ids", "about"} and stored["features"].shape == (49, 8)


def test_rows_of_other_feature_sets_are_not_computed_again(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    out, data = made.work / "again.csv", made.work / "data"
    asked = ["predict", str(made.head), f"vectors:{made.work / 'first.npz'}", "--out", str(out), "--json"]
    capsys.readouterr()
    assert main([*asked, "--data-dir", str(data)]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "file": str(out),
        "rows": 90,
        "bad": 0,
        "computed": 0,
        "features": [],
    }


def test_several_labels_and_numbers_have_columns_of_their_own(work: Made) -> None:
    X, _ = drawn(80, 3)
    numbers = X[:, :2].astype(np.float64)
    np.savez("numbers.npz", features=X, values=numbers, outputs=np.array(["id", "age"]))
    labels = (X[:, :2] > 0).astype(np.int8)
    np.savez("several.npz", features=X, label_values=labels, classes=np.array(["red", "blue"]))
    for name in ("numbers", "several"):
        assert main(["run", "--dataset", f"vectors:{name}.npz"]) == 0
        [head] = Path("data/heads").glob(f"{name}-*")
        assert main(["predict", str(head), f"{name}.npz", "--out", f"{name}.parquet"]) == 0
    assert list(table(Path("numbers.parquet"))[0]) == ["id", "id_", "age", "problem"]
    rows = table(Path("several.parquet"))
    assert list(rows[0]) == ["id", "labels", "blue", "red", "problem"]
    assert [tuple(row["labels"]) for row in rows] == [one.labels for one in predict(head, ["several.npz"])]


def test_views_are_averaged_as_predict_does(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    asked = ["--dataset", f"folder:{folder}", "--backbone", "pixels", "--resize", "8x8", "--views", "plain,hflip"]
    assert main(["run", *asked, "--head", "centroid"]) == 0
    [head] = Path("data/heads").iterdir()
    assert main(["predict", str(head), str(folder / "test"), "--out", "all.parquet"]) == 0
    named = {row["id"]: (row["label"], row["decision"]) for row in table(Path("all.parquet"))}
    answers = predict(head, [folder / "test"])
    assert {str(one.path.relative_to(folder / "test")) for one in answers} == set(named)
    for one in answers:
        label, value = named[str(one.path.relative_to(folder / "test"))]
        assert (label, value) == (one.label, pytest.approx(one.classes[0][1]))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--out", "all.txt"], "expected a name that ends in .parquet or .csv"),
        (["--out", "no/all.csv"], "there is no folder"),
        (["again.npy", "--out", "all.csv"], "2 inputs with --out; expected one"),
        (["--out", "all.csv", "--csv"], "--csv with --out"),
        (["--keep-features"], "keep-features without --out"),
    ],
)
def test_what_can_not_be_is_said_before_anything_is_read(
    work: Made, more: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(work.head), str(work.vectors(3)), *more]) == 2
    assert said in capsys.readouterr().err


def test_vectors_of_another_width_are_refused_at_once(work: Made, capsys: pytest.CaptureFixture[str]) -> None:
    np.save("wide.npy", np.ones((4, WIDTH + 1), np.float32))
    assert main(["predict", str(work.head), "wide.npy", "--out", "all.csv"]) == 3
    assert "holds vectors with width 9; the head expects width 8" in capsys.readouterr().err


def test_the_source_is_never_written_over(work: Made, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = work.work / "own.csv"
    own.write_text("text\nhello\n")
    work.vectors(3)
    Path("link.csv").symlink_to(own)
    parquet.write_table(pyarrow.table({"path": ["a.npy"]}), "src.parquet")
    asked = ["predict", str(work.head)]
    for source, out in (("own.csv", "own.csv"), ("csv:own.csv", "link.csv"), ("src.parquet", "./src.parquet")):
        before = Path(out).read_bytes()
        assert main([*asked, source, "--out", out]) == 2
        assert f"{Path(out)} is an input of" in capsys.readouterr().err
        assert Path(out).read_bytes() == before
    for source in ("parquet:.", "parquet:*.parquet"):
        assert main([*asked, source, "--out", "src.parquet"]) == 2
        assert "src.parquet is an input of" in capsys.readouterr().err
    Path("list.csv").write_text("path\nown.csv\n")
    assert main([*asked, "list.csv", "--out", "own.csv", "--max-bad", "1"]) == 2
    assert "own.csv is a sample of list" in capsys.readouterr().err


def test_only_what_is_ours_goes_with_the_parts(work: Made) -> None:
    file, parts = work.vectors(40), Path("all.parquet.parts")
    begun(work, work.other, file, "all.parquet")
    [others] = parts.iterdir()
    (parts / "notes").mkdir()
    (parts / "notes" / "mine.txt").write_text("keep")
    assert main(["predict", str(work.head), str(file), "--out", "all.parquet"]) == 0
    assert sorted(parts.iterdir()) == sorted([others, parts / "notes"])
    assert (parts / "notes" / "mine.txt").read_text() == "keep"


def test_parts_that_are_a_link_are_refused_before_anything_is_done(
    work: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("elsewhere").mkdir()
    Path("all.csv.parts").symlink_to("elsewhere")
    assert main(["predict", str(work.head), str(work.vectors(4)), "--out", "all.csv"]) == 2
    assert "all.csv.parts is a link" in capsys.readouterr().err
    assert not Path("all.csv").exists() and not any(Path("elsewhere").iterdir())


def test_two_commands_on_one_file_end_well(work: Made, warm: Warm) -> None:
    file = work.vectors(5_000)
    both = [warm.start(command(work, file, "all.parquet")) for _ in range(2)]
    assert [one.wait() for one in both] == [0, 0]
    assert len(table(Path("all.parquet"))) == 5_000
    assert not Path("all.parquet.parts").exists()


def test_a_second_command_waits_for_the_first(work: Made) -> None:
    file = work.vectors(5)
    with parts_of(Path("all.csv")):
        second = subprocess.Popen(
            [sys.executable, *command(work, file, "all.csv")], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        assert second.stderr is not None
        assert any(b"another command is using all.csv.parts" in line for line in second.stderr)
        assert not Path("all.csv").exists()
    second.communicate()
    assert second.returncode == 0 and Path("all.csv").exists()


def test_a_folder_that_can_not_be_written_is_named(work: Made, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(work.head), str(work.vectors(4)), "--out", "/proc/all.csv"]) == 2
    said = capsys.readouterr().err
    assert "can't write into /proc/all.csv.parts" in said and "choose another --out" in said
    assert "--data-dir" not in said


def spoil(folder: Path) -> None:
    """Change a bit in the first shard of a set."""
    shard = folder / "shards" / "00000.h5"
    data = bytearray(shard.read_bytes())
    data[-40] ^= 1
    shard.write_bytes(data)


def test_a_damaged_part_is_computed_anew(work: Made, capsys: pytest.CaptureFixture[str]) -> None:
    file = work.vectors(40)
    begun(work, work.head, file, "all.parquet")
    [part] = Path("all.parquet.parts").iterdir()
    spoil(part)
    capsys.readouterr()
    assert main(["predict", str(work.head), str(file), "--out", "all.parquet"]) == 0
    said = capsys.readouterr().err
    assert "is damaged" in said and "frostline extract" not in said
    assert main(["predict", str(work.head), str(file), "--out", "clean.parquet"]) == 0
    assert Path("all.parquet").read_bytes() == Path("clean.parquet").read_bytes()


@pytest.mark.parametrize("keep", [[], ["--keep-features"]])
def test_a_damaged_shard_of_kept_features_is_computed_anew(
    work: Made, keep: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["predict", str(work.head), str(work.vectors(3_000)), "--json"]
    assert main([*asked, "--out", "clean.parquet", "--keep-features"]) == 0
    [kept] = Path("data/features").iterdir()
    spoil(kept)
    capsys.readouterr()
    assert main([*asked, "--out", "all.parquet", *keep]) == 0
    done = json.loads(capsys.readouterr().out)
    assert done["computed"] == (0 if keep else 1024)
    assert Path("all.parquet").read_bytes() == Path("clean.parquet").read_bytes()


@pytest.mark.parametrize("asked", [["verify"], ["ls"], ["gc"]])
def test_a_workspace_with_kept_features_is_sound(
    work: Made, asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    file = work.vectors(30)
    assert main(["predict", str(work.head), str(file), "--out", "all.csv", "--keep-features"]) == 0
    capsys.readouterr()
    assert main(asked) == 0
    out, err = capsys.readouterr()
    assert "damaged" not in out.replace("0 damaged", "") + err and "missing" not in out + err


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder of two images, and a head of ridge on such."""
    work = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for label in "ab":
        for at in range(6):
            place = work / "train" / label / f"{at}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 200 if label == "a" else 255, (8, 8, 3), np.uint8)).save(place)
    (work / "two").mkdir()
    for name in ("0.png", "1.png"):
        (work / "two" / name).write_bytes((work / "train" / "a" / name).read_bytes())
    asked = ["--backbone", "pixels", "--resize", "8x8", "--head", "ridge", "--data-dir", str(work / "data")]
    assert main(["run", "--dataset", f"folder:{work / 'train'}", "--baseline", "none", *asked]) == 0
    [head] = (work / "data" / "heads").iterdir()
    return work / "two", head


def test_a_folder_is_what_lies_in_it(
    images: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    two, head = images
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows" / "data").mkdir(parents=True)
    rows = [{"bytes": one.read_bytes(), "path": one.name} for one in sorted(two.iterdir())]
    parquet.write_table(pyarrow.table({"image": rows}), "rows/data/a.parquet")
    (tmp_path / "held").mkdir()
    with tarfile.open("held/a.tar", "w") as opened:
        for one in sorted(two.iterdir()):
            opened.add(one, one.name)
    assert main(["predict", str(head), "rows", "--out", "rows.csv"]) == 0
    assert len(Path("rows.csv").read_text().splitlines()) == 3
    assert main(["predict", str(head), "held", "--out", "held.csv"]) == 2
    assert "name the dataset explicitly: 'tar:held/*.tar'" in capsys.readouterr().err
    assert main(["predict", str(head), "tar:held/*.tar", "--out", "held.csv"]) == 0
    Path("saved").mkdir()
    Path("saved/dataset_dict.json").write_text("{}")
    assert main(["predict", str(head), "saved", "--out", "saved.csv"]) == 3
    assert "saved/dataset_dict.json lists" in capsys.readouterr().err


def test_a_file_that_a_table_names_and_is_not_there_is_a_row_with_its_reason(
    images: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    two, head = images
    monkeypatch.chdir(tmp_path)
    Path("broken.png").write_bytes(b"no image")
    for name in ("0.png", "1.png"):
        Path(name).write_bytes((two / name).read_bytes())
    Path("list.csv").write_text("path\ngone.png\n1.png\nbroken.png\n0.png\n")
    asked = ["predict", str(head), "list.csv", "--out", "all.parquet", "--max-bad"]
    assert main([*asked, "1"]) == 3
    assert "gone.png: line 2: no such file" in capsys.readouterr().err
    assert main([*asked, "2"]) == 5
    found = {row["id"]: row for row in table(Path("all.parquet"))}
    assert list(found) == ["gone.png", "1.png", "broken.png", "0.png"]
    assert found["gone.png"]["problem"] == "line 2: no such file" and found["broken.png"]["problem"]
    assert main(["predict", str(head), str(two), "--out", "two.parquet"]) == 0
    for row in table(Path("two.parquet")):
        assert found[row["id"]] == row
    assert main([*asked, "9", "--root", "elsewhere"]) == 3
    assert "files are searched in " in capsys.readouterr().err


def test_csv_has_nine_digits_of_a_decision(
    images: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two, head = images
    monkeypatch.chdir(tmp_path)
    for out in ("all.csv", "all.parquet"):
        assert main(["predict", str(head), str(two), "--out", out]) == 0
    with Path("all.csv").open(newline="") as opened:
        said = [row["decision"] for row in csv.DictReader(opened)]
    assert said == [f"{row['decision']:.9g}" for row in table(Path("all.parquet"))]


@pytest.mark.parametrize(
    ("given", "out", "said"),
    [
        ("nothing.csv", True, "no file or folder nothing.csv"),
        ("t/a-*.tar", True, "write tar:t/a-*.tar"),
        ("s3://b/x.tar", True, "add how to read it, such as tar:s3://b/x.tar"),
        ("tar", True, "tar needs a path; expected tar:PATTERN"),
        ("s3://pets/a", False, "s3://pets/a without --out; containers, addresses and datasets need --out FILE.csv"),
        ("d.tar", False, "d.tar without --out"),
        ("csv:list.csv", False, "csv:list.csv without --out"),
    ],
)
def test_a_source_that_can_not_be_is_told_how_to_be_named(
    work: Made, given: str, out: bool, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(work.head), given, *(["--out", "all.csv"] if out else [])]) == 2
    err = capsys.readouterr().err
    assert said in err and "expected one of" not in err


@pytest.mark.parametrize("place", ["csv:c/none.csv", "hf-disk:."])
def test_what_is_not_there_is_said_in_plain_words(
    images: tuple[Path, Path], tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["predict", str(images[1]), place, "--out", "all.csv"]) == 3
    err = capsys.readouterr().err
    assert "Errno" not in err and ("no file c/none.csv" in err or ". has no file state.json" in err)
