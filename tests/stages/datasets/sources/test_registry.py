"""A source that a distribution adds: one file and one entry point, and every command knows it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from frostline.stages.datasets import find_source, forms
from frostline.stages.datasets.memo import GRAIN_NS
from support.distributions import install
from support.pictures import paint
from support.project import Command

GROUP = "frostline.sources"
FLAT = """
from pathlib import Path
import numpy as np
from frostline.stages.datasets import Dataset, Request, Source, file_samples, index_files, split_by_content, walk
from frostline.stages.targets.values import Targets

def open_flat(request: Request) -> Dataset:
    root = request.path
    files = walk(root, ".").files
    names = [Path(path).name.split("_")[0] for path in files.paths]
    classes, labels = np.unique(names, return_inverse=True)
    index = index_files(root, files, request.memory, request.progress)
    samples = file_samples("flat", "all", Targets(tuple(classes.tolist()), labels), root, index)
    return Dataset("flat", *split_by_content(samples, request.test_fraction, request.seed))

SOURCE = Source("flat:PATH", "images in one folder, named CLASS_anything", open_flat, at_hand=True)
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    install(tmp_path / "site", "flatsource", GROUP, "flat = flatsource:SOURCE", FLAT)
    for label, name in enumerate(("cat", "dog", "fox")):
        for i in range(15):
            paint(tmp_path / "pets" / f"{name}_{i:02d}.png", label, 100 * label + i, (8, 8))
    return tmp_path / "site"


def test_a_source_of_a_distribution_is_run_shown_and_remembered(site: Path, tmp_path: Path, frostline: Command) -> None:
    flags = ("run", "--dataset", "flat:pets", "--backbone", "pixels", "--head", "centroid")
    time.sleep(1.1 * GRAIN_NS / 1e9)  # younger files are not remembered
    done = frostline(*flags, PYTHONPATH=str(site))
    assert done.returncode == 0 and "flat: 3 classes, 36 training and 9 test samples" in done.stdout, done
    (run,) = (tmp_path / "data" / "runs").iterdir()
    assert json.loads((run / "run.json").read_text())["dataset"] == "flat"
    (run / "report.html").unlink()
    again = frostline("report", str(run), PYTHONPATH=str(site))
    assert again.returncode == 0 and "can’t be opened" not in (run / "report.html").read_text(), again
    assert list((tmp_path / "data" / "index").iterdir())


def test_help_lists_a_source_without_loading_it(site: Path, frostline: Command) -> None:
    (site / "flatsource.py").write_text("raise SystemExit('loaded')\n")
    done = frostline("run", "--help", "all", PYTHONPATH=str(site))
    assert done.returncode == 0 and "(cifar10, …), or flat:…" in " ".join(done.stdout.split()), done


def test_an_unknown_name_is_answered_with_how_a_distributions_datasets_are_written(site: Path) -> None:
    said = open_elsewhere("nothing", site)
    assert "\n  flat:PATH                        images in one folder, named CLASS_anything" in said
    assert "flat: needs a path; expected flat:PATH" in open_elsewhere("flat:", site)


def test_a_broken_source_is_in_nobodys_way_unless_asked_for(site: Path, tmp_path: Path) -> None:
    install(tmp_path / "site", "broken", GROUP, "broken = broken:SOURCE", "import nothing_of_this_name\n")
    assert "expected one of" in open_elsewhere("nothing", site)
    assert "dataset source 'broken' of broken can't be loaded" in open_elsewhere("broken:x", site)


def open_elsewhere(dataset: str, site: Path) -> str:
    """Return what a process says that opens a dataset with a distribution installed."""
    code = f"from frostline.stages.datasets import open_dataset; open_dataset({dataset!r})"
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": str(site)}, check=False).stderr


@pytest.mark.parametrize("name", ["digits", "folder", "csv", "torchvision"])
def test_what_a_built_in_source_says_of_itself_is_complete(name: str) -> None:
    place = {"digits": "digits", "torchvision": "cifar10"}.get(name, "x")
    source, found = find_source(f"{name}:{place}")
    assert found == place and source.form in forms() and source.summary
    assert all(find_source(one) == (source, one) for one in source.names)
