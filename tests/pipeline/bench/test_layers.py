"""Layers of one network in a bench: computed in one pass, with the bits of passes of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from frostline.pipeline.bench.schedule import schedule, schedule_table
from frostline.pipeline.run.run import extract
from frostline.pipeline.settings import ExtractSettings
from support.matrices import CENTROID, DIGITS, SMALL, done
from support.project import Write

LAYERS = """
[[backbone]]
backbone = "resnet8-cifar10"
pool = "avg"
resize = "8x8"
layer = ["layer2", "layer1", "layer3", "bn1"]
"""


def shards(data_dir: Path) -> dict[str, bytes]:
    return {str(p.relative_to(data_dir)): p.read_bytes() for p in data_dir.glob("features/*/shards/*")}


@pytest.mark.usefixtures("optimizations")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_layers_of_one_network_share_its_pass_and_get_the_bits_of_passes_of_their_own(
    write: Write, work: Path, tmp_path: Path, precision: str
) -> None:
    text = f'[defaults]\nprecision = "{precision}"\n' + DIGITS + LAYERS.replace(', "bn1"', "") + CENTROID
    matrix = write(text)
    assert "3 cells in 1 backbone pass" in schedule_table(schedule(matrix))
    board = done(matrix)
    assert (board.computed, len(board.entries)) == (1797, 3)
    how: dict[str, Any] = {"pool": "avg", "resize": (8, 8), "precision": precision}
    for layer in ("layer1", "layer2", "layer3"):
        extract(ExtractSettings(data_dir=tmp_path / "alone", layer=layer, **how))
    assert shards(work) == shards(tmp_path / "alone") and len(shards(work)) == 2 * 3 * 3


@pytest.mark.usefixtures("optimizations")
def test_layers_of_a_network_as_it_is_written_have_passes_of_their_own_and_are_the_same_cells(write: Write) -> None:
    auto = write(DIGITS + LAYERS + CENTROID)
    none = write(DIGITS + LAYERS + 'optimize = "none"\n' + CENTROID)
    assert "4 cells in 1 backbone pass" in schedule_table(schedule(auto))
    assert "4 cells in 4 backbone passes" in schedule_table(schedule(none))
    assert [cell.identity for cell in auto.cells] == [cell.identity for cell in none.cells]


def test_layers_of_which_one_is_folded_away_in_the_pass_of_another_have_passes_of_their_own(write: Write) -> None:
    board = done(write(DIGITS + LAYERS + CENTROID))
    assert board.computed == 4 * 1797 and len(board.entries) == 4 and not board.failures


def test_two_names_of_one_layer_are_computed_once(write: Write, work: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "frostline"):
        board = done(write(DIGITS + SMALL + 'layer = ["default", "fc:input"]\n' + CENTROID))
    assert "in one pass" not in caplog.text  # a set that is held twice would wait for itself
    assert (board.computed, len(board.entries), len(list(work.glob("features/*")))) == (1797, 2, 2)


@pytest.mark.usefixtures("optimizations")
def test_shards_with_a_sample_that_cannot_be_used_are_left_to_each_layer(
    write: Write, folder: Path, tmp_path: Path, work: Path
) -> None:
    (folder / "train" / "cat" / "00.png").write_bytes(b"no image")
    layers = LAYERS.replace(', "bn1"', "")
    matrix = write(f'[[dataset]]\ndataset = "folder:{folder}"\nmax_bad = 1\n{layers}{CENTROID}')
    board = done(matrix)
    assert board.quarantined == 1 and not board.failures
    assert board.computed == 36 + 3 * 36 + 12  # train once in vain, and once for each layer; test at once
    assert done(matrix).computed == 0


@pytest.mark.usefixtures("optimizations")
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
