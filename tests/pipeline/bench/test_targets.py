"""A matrix of several targets of one file: one cache, each kind ranked by its own main score."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from frostline.pipeline.bench.bench import bench
from frostline.pipeline.bench.leaderboard import Leaderboard
from frostline.pipeline.bench.matrix import read_matrix
from frostline.pipeline.bench.render import as_csv, as_html, as_json, as_markdown, as_text
from frostline.pipeline.bench.schedule import schedule
from frostline.pipeline.cli.main import main
from frostline.stages.errors import ConfigError
from support.target_table import pictures_table

MATRIX = """
[defaults]
device = "cpu"
[[dataset]]
dataset = "csv:all.csv"
[[dataset]]
dataset = "csv:all.csv"
target = "tags"
[[dataset]]
dataset = "csv:all.csv"
target = ["redness", "greenness"]
group = "patient"
[[backbone]]
backbone = "pixels"
resize = [8, 8]
[[backbone]]
name = "tiny"
backbone = "pixels"
resize = [2, 2]
[[head]]
head = ["ridge", "knn"]
"""
CURVE = '[[head]]\nname = "few"\nhead = "ridge"\ntrain_sizes = [12, 24, "all"]\ndraws = 2\n'
NAMES = ["csv:all.csv", "csv:all.csv tags", "csv:all.csv redness,greenness"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    pictures_table(tmp_path)
    return tmp_path


def done(text: str) -> Leaderboard:
    Path("m.toml").write_text(text)
    matrix = read_matrix(Path("m.toml"), Path("data"))
    return bench(matrix, schedule(matrix))


def test_each_kind_is_ranked_by_its_own_score_and_nothing_is_extracted_twice(folder: Path) -> None:
    board = done(MATRIX + CURVE)
    assert board.failures == () and board.computed == 2 * 60
    assert len(list(Path("data/features").iterdir())) == 4
    kinds = {entry.name.dataset: (entry.kind, *entry.scores) for entry in board.entries}
    assert kinds == {
        NAMES[0]: ("single-label", "accuracy", "macro_f1"),
        NAMES[1]: ("multi-label", "map", "macro_auroc", "macro_f1"),
        NAMES[2]: ("regression", "r2", "mae"),
    }
    assert all(entry.rank for entry in board.entries) and {entry.groups for entry in board.entries} == {0, 4}
    assert all(mean.accuracy is None and len(mean.ranks) == 3 for mean in board.mean_ranks) and board.mean_ranks
    assert {one.curve.kind for one in board.curves} == {"single-label", "multi-label", "regression"}
    again = done(MATRIX + CURVE)
    assert (again.computed, again.fitted, again.curves) == (0, 0, board.curves)
    check_text(as_text(board))
    check_files(board)


def check_text(text: str) -> None:
    assert "csv:all.csv tags: " in text and "reaches mAP " in text and "reaches R² " in text
    assert "is right for " in text and "McNemar's mid-p test on the same test samples for single labels" in text
    assert "Small training sets, regression" in text and "resampling groups if there are any" in text


def check_files(board: Leaderboard) -> None:
    entries = json.loads(as_json(board))["entries"]
    assert {"accuracy", "macro_f1"} < set(entries[0]) and "scores" not in entries[0]
    numbers = next(entry for entry in entries if entry["kind"] == "regression")
    assert {"r2", "mae"} < set(numbers) and "accuracy" not in numbers
    rows = list(csv.DictReader(io.StringIO(as_csv(board))))
    assert list(rows[0])[5:10] == ["accuracy", "map", "r2", "low", "high"]
    of_numbers = [row for row in rows if row["dataset"] == NAMES[2]]
    assert all(row["r2"] and not row["accuracy"] for row in of_numbers) and of_numbers[0]["mae"]
    assert "mAP" in as_markdown(board) and "R²" in as_html(board)


def test_the_csv_of_single_labels_has_the_columns_that_it_always_had(folder: Path) -> None:
    board = done(
        MATRIX.split("[[dataset]]\n", 1)[0]
        + '[[dataset]]\ndataset = "csv:all.csv"\n[[backbone]]'
        + MATRIX.split("[[backbone]]", 1)[1]
    )
    assert as_csv(board).splitlines()[0].startswith("rank,dataset,backbone,layer,head,accuracy,low,high,macro_f1,std,")


def test_heads_that_are_not_for_a_kind_are_said_before_anything_is_computed(folder: Path) -> None:
    with pytest.raises(ConfigError) as error:
        done(MATRIX.replace('"knn"]', '"logreg", "lda", "sklearn.naive_bayes:GaussianNB"]'))
    said = str(error.value)
    assert "GaussianNB" in said
    assert "head logreg with a regression target" in said and "head lda with a multi-label target" in said
    assert not Path("data/features").exists()


def test_shots_of_numbers_are_said_before_anything_is_computed(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"expected --train-sizes for a regression target, got shots"):
        done(MATRIX + '[[head]]\nname = "few"\nhead = "ridge"\nshots = [1]\n')
    assert not Path("data/features").exists()


def test_a_dry_run_and_the_json_of_the_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("m.toml").write_text(MATRIX)
    assert main(["bench", "m.toml", "--dry-run", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert [one["dataset"] for one in plan] == [name for name in NAMES for _ in range(2)]
    assert main(["bench", "m.toml", "--json"]) == 0
    board = json.loads(capsys.readouterr().out)
    assert len(board["entries"]) == 12 and board["computed"] == 120
