"""What fails in a bench: reported with its reason, and the rest goes on."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from frostline.pipeline.bench.matrix import read_matrix
from frostline.pipeline.bench.tables import tables
from frostline.pipeline.cli.main import main
from support.matrices import CENTROID, CURVE, PIXELS, RIDGE, done
from support.project import Write


def named(record: dict[str, Any]) -> tuple[str, ...]:
    return tuple(record["name"][part] for part in ("dataset", "backbone", "layer", "head"))


BROKEN = """
from itertools import count
from torch import nn

calls = count()

class Broken(nn.Module):
    def forward(self, x):
        if len(x) and next(calls) > 40:  # later than what is looked at before anything is cached
            raise RuntimeError("no luck | <today>")
        return x.flatten(1)

def network():
    return nn.Sequential(Broken(), nn.Linear(192, 10))
"""


def test_what_fails_is_reported_with_its_reason_and_the_rest_goes_on(
    work: Path, write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own.py").write_text(BROKEN)
    (tmp_path / "empty").mkdir()
    network = '[[backbone]]\nbackbone = "own.py:network"\nweights = "factory"\nprecision = "fp32"\n'
    estimator = '[[head]]\nhead = "sklearn.svm:SVC"\nhead_params = { C = -1 }\n'
    write('[[dataset]]\ndataset = ["digits", "folder:empty"]\n' + network + PIXELS + estimator + RIDGE)
    assert main(["bench", "some.toml", "--json"]) == 1
    out = capsys.readouterr()
    found = json.loads(out.out)
    assert [named(entry) for entry in found["entries"]] == [("digits", "pixels", "default", "ridge")]
    codes = {named(failure): failure["exit_code"] for failure in found["failures"]}
    assert codes == {
        **{("digits", "own.py:network", "default", head): 1 for head in ("sklearn.svm:SVC", "ridge")},
        ("digits", "pixels", "default", "sklearn.svm:SVC"): 2,
        **{
            ("folder:empty", backbone, "default", head): 3
            for backbone in ("own.py:network", "pixels")
            for head in ("sklearn.svm:SVC", "ridge")
        },
    }
    assert found["failures"][0]["reason"] == "RuntimeError: no luck | <today>" and "failed" in out.err
    (folder,) = work.glob("bench/some-*")
    assert "no luck \\| \\<today\\>" in (folder / "leaderboard.md").read_text()
    assert "no luck | &lt;today&gt;" in (folder / "leaderboard.html").read_text()
    with (folder / "leaderboard.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8 and sum(bool(row["failure"]) for row in rows) == 7
    failed = next(table for table in tables(done(read_matrix(Path("some.toml"), work))) if table.title == "Failed")
    assert [row[:4] for row in failed.rows] == [
        ("digits", "own.py:network", "default", "sklearn.svm:SVC, ridge"),
        ("digits", "pixels", "default", "sklearn.svm:SVC"),
        ("folder:empty", "own.py:network, pixels", "default", "sklearn.svm:SVC, ridge"),
    ]
    assert out.err.count("no luck") == 1


def test_too_many_shots_fail_their_curve_alone(write: Write, folder: Path) -> None:
    text = f'[[dataset]]\ndataset = "folder:{folder}"\n{PIXELS}resize = "8x8"\n{CENTROID}{CURVE}'
    board = done(write(text.replace("[1, 2, 5]", "[1, 13]")))
    assert len(board.entries) == 1 and not board.curves
    assert "13 shots" in board.failures[0].reason and board.failures[0].exit_code == 3


def test_quarantined_samples_are_counted_and_give_their_exit_code(write: Write, folder: Path, work: Path) -> None:
    (folder / "train" / "cat" / "00.png").write_bytes(b"no image")
    text = f'[[dataset]]\ndataset = "folder:{folder}"\nmax_bad = 1\n{PIXELS}resize = ["8x8"]\n{CENTROID}'
    write(text.replace('["8x8"]', '"8x8"'))
    assert main(["bench", "some.toml"]) == 5
