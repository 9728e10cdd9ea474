"""docs/extend.md, word for word: a package that adds one of each extension, and uses all of them by the command."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from support.pictures import paint
from support.project import REPOSITORY, Command

PAGE = (REPOSITORY / "docs" / "extend.md").read_text()
FILES = dict(re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", PAGE, re.DOTALL))
RUN = ["run", "--dataset", "stripes:40", "--backbone", "sketch:32", "--head", "nearest", "--engine", "spare"]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The package as pip lays it out: its files, its name and its entry points, on Python's path."""
    site = tmp_path / "site"
    for name, text in FILES.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)
    project = tomllib.loads(FILES["pyproject.toml"])["project"]
    about = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    groups = project["entry-points"].items()
    lines = [line for group, own in groups for line in (f"[{group}]", *(f"{n} = {v}" for n, v in own.items()))]
    (about / "entry_points.txt").write_text("\n".join(lines))
    return site


def test_one_of_each_in_four_files(frostline: Command, site: Path, tmp_path: Path) -> None:
    def run(*arguments: str) -> str:
        done = frostline(*arguments, PYTHONPATH=str(site))
        assert done.returncode == 0, done.stderr
        return done.stdout

    first = run(*RUN)
    assert "stripes: 2 classes, 64 training and 16 test samples" in first
    assert re.search(r"sketch:32 +32  nearest  sharpness = \S+ +100\.0 %", first)
    assert "features from the cache" in run(*RUN) and "head from the cache" in run(*RUN)
    (head,) = (tmp_path / "data" / "heads").glob("stripes-sketch_32-nearest-*")
    paint(tmp_path / "new.png", 0, 1)
    assert re.match(r"\S+new.png  (level|upright) \d+", run("predict", str(head), str(tmp_path / "new.png")))
    (page,) = (tmp_path / "data" / "runs").glob("*/report.html")
    assert {"nearest", "sketch:32", "stripes"} <= set(re.findall(r"[\w:]+", page.read_text()))
    assert "stripes-train-sketch" in run("ls") and "0 damaged" in run("verify")
    assert not json.loads(run("gc", "--json"))


def test_their_names_are_in_the_help_and_in_hints(frostline: Command, site: Path) -> None:
    said = " ".join(frostline("run", "--help", PYTHONPATH=str(site)).stdout.split())
    for name in ("timm, sketch", "stripes:", "nearest", "one for each device), spare"):
        assert name in said
    for flag, wrong, right in (("--head", "nearst", "nearest"), ("--engine", "spar", "spare")):
        done = frostline("run", flag, wrong, PYTHONPATH=str(site))
        assert done.returncode == 2 and f"did you mean {right!r}" in done.stderr
    done = frostline("run", "--backbone", "sketch:wide", PYTHONPATH=str(site))
    assert done.returncode == 2 and "expected a width from 1 to 4096" in done.stderr


def test_a_run_whose_features_are_cached_imports_neither_torch_nor_the_network(
    frostline: Command, site: Path, tmp_path: Path
) -> None:
    assert frostline(*RUN, PYTHONPATH=str(site)).returncode == 0
    code = f"import sys; from frostline.pipeline.cli.main import main; assert main({RUN!r}) == 0\n"
    code += "assert 'torch' not in sys.modules"
    environment = {**os.environ, "PYTHONPATH": str(site), "FROSTLINE_DATA_DIR": str(tmp_path / "data")}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, capture_output=True)


def test_the_features_are_those_of_the_local_engine(frostline: Command, site: Path, tmp_path: Path) -> None:
    shards = []
    for engine in ("spare", "local"):
        where = {"PYTHONPATH": str(site), "FROSTLINE_DATA_DIR": str(tmp_path / engine)}
        assert frostline("extract", *RUN[1:5], "--engine", engine, **where).returncode == 0
        found = (tmp_path / engine).glob("features/*/shards/*.h5")
        shards.append({path.relative_to(tmp_path / engine): path.read_bytes() for path in found})
    assert shards[0] == shards[1] and len(shards[0]) == 2
