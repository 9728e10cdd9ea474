"""Files from strangers: none runs code, reads another file or takes memory without bound; each is refused clearly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from faults.counts import Points
from faults.strangers import LIES, Trap, bounded, compressed, in_legacy_format, in_zip, old_pickle, pickled_array
from frostline.pipeline.settings import Settings, load_settings
from frostline.stages.backbones.checkpoints.read import read_checkpoint
from frostline.stages.datasets import open_dataset, paths_of
from frostline.stages.datasets.memo import load_memo
from frostline.stages.errors import ConfigError, DataError
from support.pictures import plant


@pytest.fixture
def sprung(tmp_path: Path) -> Path:
    """The file that code from a stranger would leave."""
    return tmp_path / "sprung"


@pytest.fixture
def trap(sprung: Path) -> Trap:
    return Trap(f"touch {sprung}")


@pytest.mark.parametrize("ending", [".pth", ".th", ".pt", ".bin", ".ckpt", ".safetensors", ".npy"])
@pytest.mark.parametrize("how", [old_pickle, in_zip, in_legacy_format])
@pytest.mark.parametrize("nested", [False, True])
def test_a_pickle_in_a_checkpoint_runs_nothing_whatever_its_ending(
    tmp_path: Path, trap: Trap, sprung: Path, ending: str, how: Callable[[object], bytes], nested: bool, points: Points
) -> None:
    file = tmp_path / f"weights{ending}"
    file.write_bytes(how({"state_dict": {"w": torch.zeros(2), "x": trap}} if nested else trap))
    bounded(lambda: read_checkpoint(file), ConfigError)
    assert not sprung.exists()
    points.add("hostile files")


@pytest.mark.parametrize("lie", LIES)
def test_a_safetensors_file_that_lies_is_refused(tmp_path: Path, lie: str, points: Points) -> None:
    file = tmp_path / "weights.safetensors"
    file.write_bytes(LIES[lie])
    bounded(lambda: read_checkpoint(file), ConfigError)
    points.add("hostile files")


def test_a_compression_bomb_among_checkpoints_is_refused_before_it_is_unpacked(tmp_path: Path, points: Points) -> None:
    file = tmp_path / "weights.pth"
    file.write_bytes(compressed({"w": torch.zeros(1 << 25)}))
    assert file.stat().st_size < 2 << 20
    assert "compressed" in bounded(lambda: read_checkpoint(file), ConfigError, room=1 << 26)
    points.add("hostile files")


def test_a_memory_from_a_stranger_runs_nothing(tmp_path: Path, trap: Trap, sprung: Path, points: Points) -> None:
    for data in (old_pickle(trap), pickled_array(trap), b"\0" * 32 + LIES["deep nesting"]):
        (tmp_path / "memory.index").write_bytes(data)
        assert load_memo(tmp_path / "memory.index", "any") is None
        points.add("hostile files")
    assert not sprung.exists()


PATHS = [
    "../secret.png",
    "img/../../secret.png",
    "/etc/hostname",
    "link/secret.png",
    "link.png",
    "img/\0.png",
    "loop.png",
]


@pytest.mark.parametrize("path", PATHS)
def test_a_table_that_climbs_out_of_its_folder_is_refused(tmp_path: Path, path: str, points: Points) -> None:
    root = plant(tmp_path / "root", {"img": 4})
    plant(tmp_path, {".": 1})
    (tmp_path / "0000.png").rename(tmp_path / "secret.png")
    (root / "link").symlink_to("..")
    (root / "link.png").symlink_to("../secret.png")
    (root / "self.png").symlink_to("self.png")
    table = root / "table.csv"
    table.write_text(f"path,label\nimg/0000.png,a\nimg/0001.png,b\n{path},b\n")
    for read in (lambda: open_dataset(f"csv:{table}"), lambda: paths_of(table)):
        with pytest.raises(DataError, match=r"line 4|can't read"):
            read()
    points.add("hostile files")


TABLES = {
    "a cell of megabytes": "path,label\n" + "a" * 10**7 + ",b\n",
    "a quote that never ends": 'path,label\n"img/0000.png,b\n' * 3,
    "zero bytes": "path,label\n\0\0\0,b\n",
    "a million columns": "path,label" + ",x" * 10**6 + "\nimg/0000.png,b\n",
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_that_is_made_to_harm_is_refused(tmp_path: Path, kind: str, points: Points) -> None:
    plant(tmp_path, {"img": 2})
    (tmp_path / "table.csv").write_text(TABLES[kind])
    bounded(lambda: open_dataset(f"csv:{tmp_path / 'table.csv'}"), DataError)
    points.add("hostile files")


SETTINGS = {
    "deep nesting": "a = " + "[" * 100_000,
    "a number of a million digits": "seed = " + "1" * 10**6,
    "an unknown name": "__class__ = 1",
    "a table for a text": "[dataset]\npath = '../..'",
    "no text": "\0",
}


@pytest.mark.parametrize("kind", SETTINGS)
def test_settings_that_are_made_to_harm_are_refused(tmp_path: Path, kind: str, points: Points) -> None:
    (tmp_path / "settings.toml").write_text(SETTINGS[kind])
    bounded(lambda: load_settings(Settings, file=tmp_path / "settings.toml"), ConfigError)
    points.add("hostile files")
