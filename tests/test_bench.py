"""A matrix: read strictly, planned first, each pass once, whatever fails."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from conftest import REPOSITORY, Command, Write
from matrices import CENTROID, CURVE, DIGITS, LAYER1, PIXELS, RIDGE, SHIPPED, done

from pipeline.cli import main
from pipeline.config import ExtractSettings, Settings
from pipeline.leaderboard import Leaderboard, tables
from pipeline.matrix import read_matrix
from pipeline.passes import passes_table, planned
from pipeline.run import extract, run
from stages.compare import compare
from stages.errors import ConfigError
from stages.store import FeatureStore, open_set


def numbers(board: Leaderboard | dict[str, Any]) -> list[Any]:
    """Return what a leaderboard says, but for times, and for bytes: the speed that lies with features is among them."""
    whole = asdict(board) if isinstance(board, Leaderboard) else board
    text = json.loads(json.dumps([whole["entries"], whole["curves"], whole["predicted"]]))
    for entry in text[0]:
        entry["costs"] = entry["costs"]["parameters"]
        del entry["fit_seconds"]
    for curve in text[1]:
        for point in curve["curve"]["points"]:
            del point["seconds"]
    return text


def test_every_combination_is_a_cell_in_the_order_of_the_file(write: Write) -> None:
    backbone = SHIPPED + 'layer = ["default", "layer2"]\n'
    found = write(f'[defaults]\nprecision = "fp32"\n{DIGITS}{backbone}{PIXELS}{RIDGE}[[head]]\nhead = ["lda", "knn"]\n')
    names = [(cell.name.backbone, cell.name.layer, cell.name.head) for cell in found.cells]
    wanted = [("resnet8-cifar10", "default"), ("resnet8-cifar10", "layer2"), ("pixels", "default")]
    assert names == [(*where, head) for where in wanted for head in ("ridge", "lda", "knn")]
    assert {cell.settings.precision for cell in found.cells} == {"fp32"}
    assert [cell.settings.layer for cell in found.cells[::3]] == [None, "layer2", None]
    assert found.cells[0].settings.grid is not None and found.cells[1].settings.grid is None
    assert len({cell.backbone_pass for cell in found.cells}) == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (DIGITS + SHIPPED + '[[heads]]\nhead = "ridge"\n', "unknown table"),
        ("[default]\nseed = 1\n" + DIGITS + SHIPPED + RIDGE, "did you mean 'defaults'"),
        ("[defaults]\nprecison = 'fp32'\n" + DIGITS + SHIPPED + RIDGE, "did you mean 'precision'"),
        ("[defaults]\nhead = 'ridge'\n" + DIGITS + SHIPPED + RIDGE, "unknown setting in defaults 'head'"),
        (DIGITS + SHIPPED + "layers = ['layer2']\n" + RIDGE, "did you mean 'layer'"),
        (DIGITS + SHIPPED + "grid = [1]\n" + RIDGE, "unknown setting in [[backbone]] 'grid'"),
        (DIGITS + SHIPPED + '[[head]]\nhead = "rigde"\n', "did you mean 'ridge'"),
        (DIGITS + SHIPPED + "resize = 0\n" + RIDGE, "--resize 0"),
        (DIGITS + SHIPPED + '[[head]]\nhead = "clip"\nfolds = 5\n', "a protocol fixes them"),
        (DIGITS + SHIPPED + "[head]\nhead = 'ridge'\n", "in double brackets"),
        (DIGITS + SHIPPED, "no [[head]]"),
        (DIGITS + SHIPPED + "[[head]]\nscaling = 'l2'\n", "head = None in [[head]]"),
        (DIGITS + SHIPPED + "[[head]]\nhead = []\n", "wanted a name, or a list of names"),
        (DIGITS + SHIPPED + "[[head]]\nhead = ['ridge', 'lda']\nname = 'x'\n", "name 'x' for 2"),
        ("head = 3 =", "can't read the matrix"),
    ],
)
def test_a_name_or_value_that_cannot_be_is_refused_with_a_hint(write: Write, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        write(text)
    assert said in str(error.value) and "some.toml" in str(error.value)


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (RIDGE, "cells that are there twice"),
        ('[[head]]\nhead = "ridge"\ngrid = [1]\nname = "another"\n', "cells that are there twice"),
        ('[[head]]\nhead = "ridge"\ngrid = [10]\n', "different cells of the same name"),
    ],
)
def test_cells_that_are_the_same_or_look_the_same_are_refused_by_name(write: Write, head: str, said: str) -> None:
    with pytest.raises(ConfigError, match="digits × pixels × ridge") as error:
        write(DIGITS + PIXELS + RIDGE + head)
    assert said in str(error.value)


def test_whatever_a_network_refuses_is_listed_at_once_before_anything_is_computed(write: Write, work: Path) -> None:
    layer = SHIPPED + 'layer = ["layer2", "layr3"]\n'
    other = '[[backbone]]\nbackbone = "pixels"\nlayer = "flaten"\n'
    with pytest.raises(ConfigError, match="nothing was run") as error:
        planned(write(DIGITS + layer + other + RIDGE))
    assert "did you mean 'layer3'" in str(error.value) and "did you mean 'flatten'" in str(error.value)
    assert not (work / "features").exists()


def test_weights_files_that_are_not_there_and_unknown_backbones_are_said_before_the_dataset_is_read(
    write: Write, folder: Path, work: Path
) -> None:
    missing = '[[backbone]]\nbackbone = "mobilenet_v2"\nweights = "not/here.pth"\n'
    missing += '[[backbone]]\nbackbone = "resnet8-cifar"\n'
    with pytest.raises(ConfigError, match=r"(?s)no weights file not/here\.pth.*did you mean 'resnet8-cifar10'"):
        planned(write(f'[[dataset]]\ndataset = "folder:{folder}"\n{PIXELS}resize = "8x8"\n{missing}{RIDGE}'))
    assert not work.exists()


def test_a_pass_is_shared_by_its_heads_and_the_second_bench_computes_nothing(write: Write, work: Path) -> None:
    matrix = write(DIGITS + SHIPPED + RIDGE + CENTROID + CURVE)
    first = done(matrix)
    assert (first.computed, first.fitted, len(first.entries), len(first.curves)) == (1797, 2, 2, 1)
    assert len(list((work / "features").iterdir())) == 2
    second = done(matrix)
    assert (second.computed, second.fitted) == (0, 0)
    assert numbers(second) == numbers(first) and second.entries == first.entries and second.curves == first.curves


def test_a_cell_scores_what_the_same_run_scores_and_ranks_are_those_of_their_comparison(
    write: Write, work: Path
) -> None:
    board = done(write(DIGITS + SHIPPED + PIXELS + RIDGE + CENTROID))
    runs = {
        (backbone, head): run(
            Settings(data_dir=work, backbone=backbone, head=head, baseline="none", **({"grid": "1"} if grid else {}))
        ).probes[0]
        for backbone in ("resnet8-cifar10", "pixels")
        for head, grid in (("ridge", True), ("centroid", False))
    }
    for entry in board.entries:
        evaluation = runs[entry.name.backbone, entry.name.head].evaluation
        assert evaluation is not None and entry.accuracy == evaluation.scores["accuracy"]
    answers = [probe.predictions for probe in runs.values() if probe.predictions]
    ranks = {r.name: r.rank for r in compare(answers, [" ".join(names) for names in runs]).ranks}
    assert {f"{e.name.backbone} {e.name.head}": e.rank for e in board.entries} == ranks
    assert [e.rank for e in board.entries] == sorted(ranks.values()) and len(set(ranks.values())) > 1


LAYERS = '[[backbone]]\nbackbone = "resnet8-cifar10"\npool = "avg"\nlayer = ["layer2", "layer1", "layer3", "bn1"]\n'


def shards(data_dir: Path) -> dict[str, bytes]:
    return {str(p.relative_to(data_dir)): p.read_bytes() for p in data_dir.glob("features/*/shards/*")}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_layers_of_one_network_share_its_pass_and_get_the_bits_of_passes_of_their_own(
    write: Write, work: Path, tmp_path: Path, precision: str
) -> None:
    text = f'[defaults]\nprecision = "{precision}"\n' + DIGITS + LAYERS.replace(', "bn1"', "") + CENTROID
    matrix = write(text)
    assert "3 cells in 1 backbone pass" in passes_table(planned(matrix))
    board = done(matrix)
    assert (board.computed, len(board.entries)) == (1797, 3)
    for layer in ("layer1", "layer2", "layer3"):
        extract(ExtractSettings(data_dir=tmp_path / "alone", layer=layer, pool="avg", precision=precision))
    assert shards(work) == shards(tmp_path / "alone") and len(shards(work)) == 2 * 3 * 3


def test_layers_of_which_one_is_folded_away_in_the_pass_of_another_have_passes_of_their_own(write: Write) -> None:
    board = done(write(DIGITS + LAYERS + CENTROID))
    assert board.computed == 4 * 1797 and len(board.entries) == 4 and not board.failures


def test_two_names_of_one_layer_are_computed_once(write: Write, work: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "frostline"):
        board = done(write(DIGITS + SHIPPED + 'layer = ["default", "fc:input"]\n' + CENTROID))
    assert "in one pass" not in caplog.text  # a set that is held twice would wait for itself
    assert (board.computed, len(board.entries), len(list(work.glob("features/*")))) == (1797, 2, 2)


def test_shards_with_a_sample_that_cannot_be_used_are_left_to_each_layer(
    write: Write, folder: Path, tmp_path: Path, work: Path
) -> None:
    (folder / "train" / "cat" / "00.png").write_bytes(b"no image")
    layers = LAYERS.replace(', "bn1"', "")
    matrix = write(f'[[dataset]]\ndataset = "folder:{folder}"\nmax_bad = 1\n{layers}resize = "8x8"\n{CENTROID}')
    board = done(matrix)
    assert board.quarantined == 1 and not board.failures
    assert board.computed == 36 + 3 * 36 + 12  # train once in vain, and once for each layer; test at once
    assert done(matrix).computed == 0


def test_layers_that_were_begun_alone_are_finished_together(write: Write, work: Path, tmp_path: Path) -> None:
    whole = write(DIGITS + LAYERS.replace(', "bn1"', "") + CENTROID)
    done(whole)
    kept = shards(work)
    first, *others = sorted(work.glob("features/*-train-*"))
    for lost in (first / "shards" / "00001.json", *[folder / "shards" / "00000.json" for folder in others]):
        lost.unlink()
    untouched = {p: p.stat().st_mtime_ns for p in work.glob("features/*/shards/*.json")}
    assert done(whole).computed == 1438 and shards(work) == kept
    assert {p: p.stat().st_mtime_ns for p in untouched} == untouched


def test_costs_are_those_recorded_with_the_features(write: Write, work: Path) -> None:
    (entry,) = done(write(DIGITS + SHIPPED + RIDGE)).entries
    sets = list(FeatureStore(work / "features").sets())
    seconds = sum(s.layout.rows / s.speed for s in sets if s.speed)
    size = sum(f.stat().st_size for f in (work / "features").rglob("*") if f.is_file())
    assert entry.costs.extract_seconds == pytest.approx(seconds)
    assert entry.costs.images_per_second == pytest.approx(1797 / seconds)
    assert entry.costs.bytes == size


def test_parameters_are_those_before_the_layer(write: Write) -> None:
    from stages.backbones.resnet8 import ResNet8

    model = ResNet8()
    whole, head = (sum(p.numel() for p in m.parameters()) for m in (model, model.fc))
    early = sum(p.numel() for m in (model.conv1, model.bn1, model.layer1) for p in m.parameters())
    layers = SHIPPED + LAYER1
    found = {e.name: e.costs.parameters for e in done(write(DIGITS + layers + PIXELS + CENTROID)).entries}
    assert sorted(found.values(), key=lambda n: n or 0) == [0, early, whole - head]


def named(record: dict[str, Any]) -> tuple[str, ...]:
    return tuple(record["name"][part] for part in ("dataset", "backbone", "layer", "head"))


BROKEN = """
from torch import nn

class Broken(nn.Module):
    def forward(self, x):
        if len(x) > 2:
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


def test_a_damaged_shard_is_computed_anew(write: Write, work: Path) -> None:
    matrix = write(DIGITS + SHIPPED + RIDGE)
    first = done(matrix)
    shard = next(work.glob("features/*-train-*/shards/00000.h5"))
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    second = done(matrix)
    assert second.computed == 1024 and numbers(second) == numbers(first)


def test_a_bench_killed_midway_goes_on_without_computing_a_feature_twice(
    write: Write, work: Path, tmp_path: Path
) -> None:
    matrix = write(DIGITS + SHIPPED + PIXELS + RIDGE + CENTROID + CURVE)
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "pipeline", "bench", "some.toml"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL) as child:
        while not any(work.glob("features/*/shards/*.json")):
            assert child.poll() is None
            time.sleep(0.002)
        child.send_signal(signal.SIGKILL)
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


def killed_at_a_head(tmp_path: Path) -> Path:
    """Run a matrix in a process that its second of three heads kills; return the leaderboard's folder."""
    (tmp_path / "own.py").write_text(DEADLY)
    (tmp_path / "armed").touch()
    heads = '[[head]]\nhead = "own.py:head"\n'
    (tmp_path / "some.toml").write_text(DIGITS + PIXELS + RIDGE + heads + CENTROID)
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "pipeline", "bench", "some.toml"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL
    (found,) = (tmp_path / "data" / "bench").glob("some-*")
    return found


def test_a_bench_killed_midway_leaves_what_it_had_marked_as_incomplete(work: Path, tmp_path: Path) -> None:
    folder = killed_at_a_head(tmp_path)
    found = json.loads((folder / "leaderboard.json").read_text())
    assert [entry["name"]["head"] for entry in found["entries"]] == ["ridge"] and found["entries"][0]["rank"] is None
    assert [name["head"] for name in found["pending"]] == ["own.py:head", "centroid"]
    for ending in ("md", "html"):
        text = (folder / f"leaderboard.{ending}").read_text()
        assert "some (incomplete)" in text and "INCOMPLETE: 2 cells still to run" in text and "Still to run" in text
    with (folder / "leaderboard.csv").open() as file:
        assert [row["failure"] for row in csv.DictReader(file)] == ["", "not run yet", "not run yet"]


def test_a_bench_killed_early_leaves_the_fuller_leaderboard_that_was_there(work: Path, tmp_path: Path) -> None:
    folder = killed_at_a_head(tmp_path)
    (tmp_path / "armed").unlink()
    assert main(["bench", "some.toml"]) == 0
    shutil.rmtree(work / "heads")
    whole = {p.name: p.read_bytes() for p in folder.iterdir()}
    assert json.loads(whole["leaderboard.json"])["pending"] == [] and b"ncomplete" not in whole["leaderboard.md"]
    killed_at_a_head(tmp_path)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == whole


def test_curves_are_remembered_one_by_one_and_a_damaged_memory_is_drawn_anew(write: Write, work: Path) -> None:
    matrix = write(DIGITS + PIXELS + CURVE)
    first = done(matrix).curves
    (memory,) = work.glob("bench/curves/*.json")
    assert done(matrix).curves == first
    memory.write_bytes(memory.read_bytes().replace(b"0.", b"1.", 1))
    again = done(matrix).curves
    assert [p.accuracy for p in again[0].curve.points] == [p.accuracy for p in first[0].curve.points]


def test_a_dry_run_says_what_is_missing_and_computes_nothing(
    write: Write, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    matrix = write(DIGITS + SHIPPED + PIXELS + RIDGE + CENTROID + CURVE)
    assert main(["bench", "some.toml", "--dry-run"]) == 0
    assert "6 cells in 2 backbone passes" in capsys.readouterr().out and not (work / "features").exists()
    done(read_matrix(Path("some.toml"), work))
    assert main(["bench", "some.toml", "--dry-run", "--json"]) == 0
    for one in json.loads(capsys.readouterr().out):
        assert one["cells"] == ["ridge", "centroid", "centroid"]
        assert one["work"] == {"rows": 1797, "to_compute": 0, "bytes": 0, "seconds": 0.0, "heads": 2, "fitted": 2}
    assert len(matrix.cells) == 6


def test_the_plan_goes_to_stderr_and_the_leaderboard_to_stdout_and_to_files(
    write: Write, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(DIGITS + PIXELS + RIDGE)
    assert main(["bench", "some.toml", "--json"]) == 0
    out = capsys.readouterr()
    folder = next(work.glob("bench/some-*"))
    assert "1 cell in 1 backbone pass" in out.err
    assert out.out.rstrip("\n") == (folder / "leaderboard.json").read_text()
    assert {p.suffix for p in folder.iterdir()} == {".md", ".csv", ".json", ".html"}
    assert main(["bench", "some.toml"]) == 0
    assert "rank" not in capsys.readouterr().out.splitlines()[4]  # one entry has nothing to be ranked among


def test_a_bench_from_the_cache_never_imports_torch(frostline: Command, tmp_path: Path) -> None:
    (tmp_path / "some.toml").write_text(DIGITS + PIXELS + RIDGE)
    assert frostline("bench", "some.toml").returncode == 0
    code = "import sys; from pipeline.cli import main; main(['bench', 'some.toml'])\nassert 'torch' not in sys.modules"
    environment = {"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin"}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env=environment, capture_output=True)


def test_the_sample_that_ships_is_a_matrix_of_eighteen_heads_and_six_curves(work: Path) -> None:
    file = REPOSITORY / "benchmarks" / "matrix.toml"
    matrix = read_matrix(file, work)
    assert [sum(cell.drawn is drawn for cell in matrix.cells) for drawn in (False, True)] == [18, 6]
    assert {cell.settings.dataset for cell in matrix.cells} == {"digits"} and tomllib.loads(file.read_text())
