"""A bench: each pass once, its cells ranked as their runs would be, at the costs on record."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from frostline.pipeline.bench.matrix import read_matrix
from frostline.pipeline.cli.main import main
from frostline.pipeline.run.run import run
from frostline.pipeline.settings import Settings
from frostline.stages.metrics.compare import compare
from frostline.stages.store import FeatureStore
from support.matrices import CENTROID, CURVE, DIGITS, LAYER1, PIXELS, RIDGE, SMALL, done, numbers
from support.project import Command, Write


def test_a_pass_is_shared_by_its_heads_and_the_second_bench_computes_nothing(write: Write, work: Path) -> None:
    matrix = write(DIGITS + SMALL + RIDGE + CENTROID + CURVE)
    first = done(matrix)
    assert (first.computed, first.fitted, len(first.entries), len(first.curves)) == (1797, 2, 2, 1)
    assert len(list((work / "features").iterdir())) == 2
    second = done(matrix)
    assert (second.computed, second.fitted) == (0, 0)
    assert numbers(second) == numbers(first) and second.entries == first.entries and second.curves == first.curves


def test_a_cell_scores_what_the_same_run_scores_and_ranks_are_those_of_their_comparison(
    write: Write, work: Path
) -> None:
    board = done(write(DIGITS + SMALL + PIXELS + RIDGE + CENTROID))
    runs = {
        (backbone["backbone"], head): run(
            Settings(data_dir=work, **backbone, head=head, baseline="none", **({"grid": "1"} if grid else {}))
        ).probes[0]
        for backbone in ({"backbone": "resnet8-cifar10", "resize": (16, 16)}, {"backbone": "pixels"})
        for head, grid in (("ridge", True), ("centroid", False))
    }
    for entry in board.entries:
        evaluation = runs[entry.name.backbone, entry.name.head].evaluation
        assert evaluation is not None and entry.scores == {n: evaluation.scores[n] for n in ("accuracy", "macro_f1")}
    answers = [probe.predictions for probe in runs.values() if probe.predictions]
    ranks = {r.name: r.rank for r in compare(answers, [" ".join(names) for names in runs]).ranks}
    assert {f"{e.name.backbone} {e.name.head}": e.rank for e in board.entries} == ranks
    assert [e.rank for e in board.entries] == sorted(ranks.values()) and len(set(ranks.values())) > 1


def test_costs_are_those_recorded_with_the_features(write: Write, work: Path) -> None:
    (entry,) = done(write(DIGITS + SMALL + RIDGE)).entries
    sets = list(FeatureStore(work / "features").sets())
    seconds = sum(s.layout.rows / s.speed for s in sets if s.speed)
    size = sum(f.stat().st_size for f in (work / "features").rglob("*") if f.is_file())
    assert entry.costs.extract_seconds == pytest.approx(seconds)
    assert entry.costs.images_per_second == pytest.approx(1797 / seconds)
    assert entry.costs.bytes == size


def test_costs_of_which_a_part_is_lost_are_not_known(write: Write, work: Path) -> None:
    matrix = write(DIGITS + PIXELS + CENTROID)
    done(matrix)
    (lost,) = work.glob("features/digits-test-*/speed.json")
    lost.unlink()
    (entry,) = done(matrix).entries
    assert (entry.costs.extract_seconds, entry.costs.images_per_second) == (None, None)
    assert entry.costs.bytes > 0


def test_parameters_are_those_before_the_layer(write: Write) -> None:
    from frostline.stages.backbones.families.resnet8 import ResNet8

    model = ResNet8()
    whole, head = (sum(p.numel() for p in m.parameters()) for m in (model, model.fc))
    early = sum(p.numel() for m in (model.conv1, model.bn1, model.layer1) for p in m.parameters())
    layers = SMALL + LAYER1
    found = {e.name: e.costs.parameters for e in done(write(DIGITS + layers + PIXELS + CENTROID)).entries}
    assert sorted(found.values(), key=lambda n: n or 0) == [0, early, whole - head]


def test_a_damaged_shard_is_computed_anew(write: Write, work: Path) -> None:
    matrix = write(DIGITS + SMALL + RIDGE)
    first = done(matrix)
    shard = next(work.glob("features/*-train-*/shards/00000.h5"))
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    second = done(matrix)
    assert second.computed == 1024 and numbers(second) == numbers(first)


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
    matrix = write(DIGITS + SMALL + PIXELS + RIDGE + CENTROID + CURVE)
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
    code = "import sys; from frostline.pipeline.cli.main import main; main(['bench', 'some.toml'])\n"
    code += "assert 'torch' not in sys.modules"
    environment = {"PATH": "/usr/bin:/bin"}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env=environment, capture_output=True)
