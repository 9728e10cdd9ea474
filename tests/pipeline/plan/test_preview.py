"""A dry run: what is known without a network, and "unknown" for the rest."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from frostline.pipeline.cli.main import main
from support.pictures import paint
from support.project import Write

NETWORK = """
import pathlib
from torch import nn

class Telling(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Linear(3, 3)
    def forward(self, x):
        pathlib.Path("was run").touch()
        return self.scale(x.mean((2, 3)))

def net():
    pathlib.Path("was loaded").touch()
    return nn.Sequential(Telling(), nn.Linear(3, 10))
"""


@pytest.fixture
def telling(work: Path) -> list[str]:
    """Settings of a network that leaves a file when it is loaded, and one when it is run."""
    (work.parent / "net.py").write_text(NETWORK)
    return ["--backbone", "net.py:net", "--weights", "random", "--resize", "8x8"]


def previewed(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capsys.readouterr()
    assert main([*arguments, "--dry-run", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def was_touched(work: Path) -> bool:
    return any((work.parent / name).exists() for name in ("was loaded", "was run"))


@pytest.mark.parametrize("command", ["run", "extract"])
def test_nothing_is_loaded_and_in_an_empty_workspace_everything_is_to_compute(
    work: Path, telling: list[str], capsys: pytest.CaptureFixture[str], command: str
) -> None:
    found = previewed(capsys, command, *telling)[0]
    assert found["unknown"] == ["backbone"]
    for one, rows in zip(found["features"], (1438, 359), strict=True):
        assert (one["rows"], one["cached"], one["reusable"], one["to_compute"]) == (rows, 0, 0, rows)
        assert one["bytes"] is one["seconds"] is one["key"] is None
    assert main([command, *telling, "--dry-run"]) == 0
    assert "backbone: unknown until net.py:net is loaded\n" in capsys.readouterr().out
    assert not was_touched(work)


def test_where_other_features_lie_a_backbone_that_is_not_remembered_may_have_some(
    work: Path, telling: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["extract", "--backbone", "pixels"]) == 0
    (work / "heads").mkdir()
    (found,) = previewed(capsys, "run", *telling, "--baseline", "none")
    assert [one["to_compute"] for one in found["features"]] == [None, None] and found["plan"] == "logreg: unknown"
    assert main(["run", *telling, "--baseline", "none", "--dry-run"]) == 0
    assert capsys.readouterr().out.splitlines()[2].split()[2:6] == ["1,438", "unknown", "unknown", "unknown"]
    assert not was_touched(work)


def test_a_precision_that_nothing_decides_is_unknown_and_everything_is_to_compute(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["extract", "--precision", "fp32"]) == 0
    (found,) = previewed(capsys, "extract", "--dtype", "float16")
    assert found["unknown"] == ["precision"]
    for one in found["features"]:
        assert one["key"]["precision"] is None and one["key"]["dtype"] == "float16"
        assert one["cached"] == 0 and one["to_compute"] == one["rows"] and one["bytes"] > 0
        assert one["changes"] == ["dtype float32 → float16"]
    assert main(["extract", "--dtype", "float16", "--dry-run"]) == 0
    assert "precision: unknown until the network has run on 32 images\n" in capsys.readouterr().out


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_what_is_cached_decides_and_nothing_is_unknown(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str], precision: str
) -> None:
    what = ["--dataset", f"folder:{folder}"]
    assert main(["run", *what, "--precision", precision, "--grid", "C=1"]) == 0
    paint(folder / "train" / "cat" / "new.png", 0, 7)
    (found,) = previewed(capsys, "run", *what, "--grid", "C=1")
    assert found["unknown"] == [] and found["plan"] == "logreg: to fit"
    train, test = found["features"]
    assert (train["key"]["precision"], test["key"]["precision"]) == (precision, precision)
    assert (train["reusable"], train["to_compute"], test["cached"]) == (36, 1, len(list(folder.glob("test/*/*"))))


def test_a_dry_run_loads_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from frostline.pipeline.cli.main import main\n"
        "for command in ('run', 'extract'):\n"
        "    assert main([command, '--dry-run']) == 0\n"
        "    assert 'torch' not in sys.modules, command"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env={}, capture_output=True)


def test_a_dry_run_of_a_matrix_loads_no_network(
    write: Write, work: Path, telling: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    write(
        '[[dataset]]\ndataset = "digits"\n[[backbone]]\nbackbone = "net.py:net"\nweights = "random"\n'
        'layer = ["default", "0"]\n[[head]]\nhead = "centroid"\n'
    )
    assert main(["extract", "--backbone", "pixels"]) == 0
    (work / "heads").mkdir()
    for one in previewed(capsys, "bench", "some.toml"):
        assert one["work"] == {
            "rows": 1797, "to_compute": None, "bytes": None, "seconds": None, "heads": 1, "fitted": None
        }  # fmt: skip
    assert main(["bench", "some.toml", "--dry-run"]) == 0
    assert capsys.readouterr().out.count("unknown") == 2 * 4
    assert not was_touched(work)


def test_an_option_that_a_head_has_not_is_refused_before_the_network_is_loaded(
    work: Path, telling: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *telling, "--head-params", "alpha=1"]) == 2
    assert "alpha" in capsys.readouterr().err and not was_touched(work)


def test_images_too_small_to_be_scaled_leave_only_the_precision_open_and_large_ones_the_decoding_too(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    what = ["extract", "--dataset", f"folder:{folder}"]
    assert main([*what, "--precision", "fp32"]) == 0
    (found,) = previewed(capsys, *what, "--dtype", "float16")
    assert found["unknown"] == ["precision"]
    for file in folder.glob("*/*/*"):
        paint(file.with_suffix(".jpg"), 0, 1, (400, 400))
        file.unlink()
    (found,) = previewed(capsys, *what, "--dtype", "float16")
    assert found["unknown"] == ["precision", "decode"] and found["features"][0]["key"]["decoder"] is None
    assert main([*what, "--dtype", "float16", "--dry-run"]) == 0
    assert "precision and how JPEG files are decoded: unknown until" in capsys.readouterr().out
