"""A bench that is killed midway: what it leaves, and how it goes on."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import time
from pathlib import Path

import pytest

from frostline.pipeline.bench.matrix import read_matrix
from frostline.pipeline.cli.main import main
from frostline.stages.store import open_set
from support.matrices import CENTROID, CURVE, DIGITS, PIXELS, RIDGE, SMALL, done, numbers
from support.project import Write
from support.warm import Warm


def test_a_bench_killed_midway_goes_on_without_computing_a_feature_twice(
    write: Write, work: Path, tmp_path: Path, warm: Warm, request: pytest.FixtureRequest
) -> None:
    how = f'[defaults]\noptimize = "{request.config.getoption("--optimize")}"\n'  # a bench reads no environment
    matrix = write(how + DIGITS + SMALL + PIXELS + RIDGE + CENTROID + CURVE)
    child = warm.start(["-m", "frostline", "bench", "some.toml"], cwd=tmp_path)
    while not any(work.glob("features/*/shards/*.json")):
        assert child.poll() is None
        time.sleep(0.002)
    child.send_signal(signal.SIGKILL)
    child.wait()
    committed = {p: p.stat().st_mtime_ns for p in work.glob("features/*/shards/*.json")}
    rows = sum(open_set(p.parents[1]).record(int(p.stem)).rows for p in committed)
    assert not any(work.glob("bench/some-*")) and 1024 <= rows < 2 * 1797
    resumed = done(matrix)
    assert resumed.computed == 2 * 1797 - rows
    assert {p: p.stat().st_mtime_ns for p in committed} == committed
    elsewhere = read_matrix(tmp_path / "some.toml", tmp_path / "elsewhere")
    assert numbers(resumed) == numbers(done(elsewhere))


DEADLY = """
import os, signal
from pathlib import Path
from sklearn.naive_bayes import GaussianNB

def head():
    if Path("armed").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    return GaussianNB()
"""


def killed_at_a_head(tmp_path: Path, warm: Warm) -> Path:
    """Run a matrix in a process that its second of three heads kills; return the leaderboard's folder."""
    (tmp_path / "own.py").write_text(DEADLY)
    (tmp_path / "armed").touch()
    heads = '[[head]]\nhead = "own.py:head"\n'
    (tmp_path / "some.toml").write_text(DIGITS + PIXELS + RIDGE + heads + CENTROID)
    assert warm.start(["-m", "frostline", "bench", "some.toml"], cwd=tmp_path).wait() == -signal.SIGKILL
    (found,) = (tmp_path / "data" / "bench").glob("some-*")
    return found


def test_a_bench_killed_midway_leaves_what_it_had_marked_as_incomplete(work: Path, tmp_path: Path, warm: Warm) -> None:
    folder = killed_at_a_head(tmp_path, warm)
    found = json.loads((folder / "leaderboard.json").read_text())
    assert [entry["name"]["head"] for entry in found["entries"]] == ["ridge"] and found["entries"][0]["rank"] is None
    assert [name["head"] for name in found["pending"]] == ["own.py:head", "centroid"]
    for ending in ("md", "html"):
        text = (folder / f"leaderboard.{ending}").read_text()
        assert "some (incomplete)" in text and "INCOMPLETE: 2 cells not run yet" in text and "Not run yet" in text
    with (folder / "leaderboard.csv").open() as file:
        assert [row["failure"] for row in csv.DictReader(file)] == ["", "not run yet", "not run yet"]


def test_a_bench_killed_early_leaves_the_fuller_leaderboard_that_was_there(
    work: Path, tmp_path: Path, warm: Warm
) -> None:
    folder = killed_at_a_head(tmp_path, warm)
    (tmp_path / "armed").unlink()
    assert main(["bench", "some.toml"]) == 0
    shutil.rmtree(work / "heads")
    whole = {p.name: p.read_bytes() for p in folder.iterdir()}
    assert json.loads(whole["leaderboard.json"])["pending"] == [] and b"ncomplete" not in whole["leaderboard.md"]
    killed_at_a_head(tmp_path, warm)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == whole
