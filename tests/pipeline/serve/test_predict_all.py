"""``predict --out``: a row for every sample of a source, resumed to the same bytes, and never mixed with others'."""

from __future__ import annotations

import csv
import json
import logging
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from pyarrow import parquet

from frostline.pipeline.cli.main import main
from frostline.pipeline.engines.base import Job
from frostline.pipeline.engines.batch_settings import BatchSettings
from frostline.pipeline.engines.shards import run_job
from frostline.pipeline.plan.of_head import plan_of_head
from frostline.pipeline.serve.fitted import read_fitted
from frostline.pipeline.serve.predict import predict
from frostline.pipeline.settings import ExtractSettings, PredictSettings
from frostline.stages.datasets import ALL
from frostline.stages.serve.prediction_set import begin_predictions, prediction_layout

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
    assert "has no array theirs; there is" in capsys.readouterr().err


def command(work: Made, file: Path, out: str) -> list[str]:
    return [sys.executable, "-m", "frostline", "predict", str(work.head), str(file), "--out", out, "--json"]


def test_a_killed_command_goes_on_to_the_same_bytes(work: Made) -> None:
    file = work.vectors(20_000)
    process = subprocess.Popen(command(work, file, "killed.parquet"), stderr=subprocess.DEVNULL)
    parts = Path("killed.parquet.parts")
    while process.poll() is None and len(list(parts.glob("*/shards/*.json"))) < 3:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = {one: one.stat().st_ino for one in parts.glob("*/shards/*.json")}
    assert 3 <= len(done) < 20, "killed too late"
    assert not Path("killed.parquet").exists()
    resumed = subprocess.run(command(work, file, "killed.parquet"), stdout=subprocess.PIPE, check=True)
    whole = subprocess.run(command(work, file, "whole.parquet"), stdout=subprocess.PIPE, check=True)
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
    assert "holds vectors of width 9; the head takes those of 8" in capsys.readouterr().err
