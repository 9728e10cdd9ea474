"""docs/extend.md, word for word: a package that adds one of each extension, and uses all of them by the command."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from frostline.stages.store import load, open_set
from support.killed import contents, killed
from support.pictures import paint
from support.project import REPOSITORY, Command
from support.warm import Started, Warm

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
    said = " ".join(frostline("run", "--help", "all", PYTHONPATH=str(site)).stdout.split())
    for name in ("timm, sketch", "stripes:", "nearest", "one of N tasks), spare"):
        assert name in said
    for flag, wrong, right in (("--head", "nearst", "nearest"), ("--engine", "spar", "spare")):
        done = frostline("run", flag, wrong, PYTHONPATH=str(site))
        assert done.returncode == 2 and f"did you mean {right!r}" in done.stderr
    done = frostline("run", "--backbone", "sketch:wide", PYTHONPATH=str(site))
    assert done.returncode == 2 and "expected a width from 1 to 4096" in done.stderr


def test_a_run_whose_features_are_cached_imports_neither_torch_nor_the_network(
    frostline: Command, site: Path, tmp_path: Path
) -> None:
    assert frostline(*RUN[:-1], "local", PYTHONPATH=str(site)).returncode == 0
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


WORDS = ["run", "--dataset", "lines:words.txt", "--backbone", "spelling:16", "--max-bad", "1"]


def write_words(file: Path, n: int) -> None:
    """Write so many lines of 1 to 40 letters, of vowels or of others, and one that is empty."""
    draw = random.Random(0)
    letters = {"open": "aeiou", "shut": "bcdfg"}
    lines = [
        f"{label}\t" + "".join(draw.choices(own, k=draw.randint(1, 40)))
        for label, own in letters.items()
        for _ in range(n)
    ]
    file.write_text("\n".join([*lines, "open\t"]) + "\n")


def test_another_modality_goes_from_a_run_to_predictions(frostline: Command, site: Path, tmp_path: Path) -> None:
    def run(*arguments: str, code: int = 0) -> str:
        done = frostline(*arguments, PYTHONPATH=str(site))
        assert done.returncode == code, done.stderr
        return done.stdout if code in (0, 5) else done.stderr

    write_words(tmp_path / "words.txt", 60)
    first = run(*WORDS, code=5)
    assert re.search(r"spelling:16 +16  logreg .* 100\.0 %", first) and "1 sample was left out as unusable" in first
    assert "features from the cache" in run(*WORDS, code=5)
    (head,) = (tmp_path / "data" / "heads").iterdir()
    (tmp_path / "new.txt").write_text("oaeee")
    (tmp_path / "odd.txt").write_bytes(b"\xff")
    answers = run("predict", str(head), str(tmp_path), "--max-bad", "2", "--csv", code=5)
    assert re.search(r"new\.txt,open,0\.\d+|new\.txt,open,1\.0", answers) and "odd.txt,,,not UTF-8" in answers
    assert "0 damaged" in run("verify") and "for texts; only heads for images" in run(
        "export", str(head), "x.onnx", code=2
    )
    (page,) = (tmp_path / "data" / "runs").glob("*/report.html")
    assert "spelling:16" in page.read_text()


def test_networks_and_settings_of_another_modality_are_refused_by_name(
    frostline: Command, site: Path, tmp_path: Path
) -> None:
    write_words(tmp_path / "words.txt", 10)
    for flags, said in (
        (["--dataset", "lines:words.txt"], "resnet8-cifar10 takes images, but the samples are texts"),
        (["--backbone", "spelling:16"], "spelling:16 takes texts, but the samples are images"),
        ([*WORDS[1:], "--resize", "8x8"], "--resize for the texts of lines:words.txt; that is for images only"),
        ([*WORDS[1:], "--pool", "cls"], "expected letters and mean"),
    ):
        done = frostline("extract", *flags, PYTHONPATH=str(site))
        assert done.returncode == 2 and said in done.stderr, done.stderr
    assert not list((tmp_path / "data").glob("features/*"))


def test_items_of_many_shapes_are_resumed_to_the_same_bytes_and_have_the_same_bits_in_any_company(
    warm: Warm, site: Path, tmp_path: Path
) -> None:
    write_words(tmp_path / "words.txt", 1300)
    arguments = ["-m", "frostline", "extract", *WORDS[1:], "--test-fraction", "0.1", "--batch-size", "8"]

    def start(name: str) -> Started:
        environment = {**os.environ, "PYTHONPATH": str(site), "FROSTLINE_DATA_DIR": str(tmp_path / name)}
        return warm.start(arguments, environment, tmp_path)

    assert start("whole").wait() == 5
    wanted = contents(tmp_path / "whole" / "features")
    kept = killed(start("halved"), tmp_path / "halved" / "features", 2)
    assert start("halved").wait() == 5 and len(kept) >= 2
    found = contents(tmp_path / "halved" / "features")
    names = [name for name in wanted if "shards" in name]
    assert len(names) == 8 and all(found[name] == wanted[name] for name in names)
    fewer = (tmp_path / "words.txt").read_text().splitlines()[3:]
    (tmp_path / "words.txt").write_text("\n".join(fewer))
    arguments[arguments.index("8")] = "11"
    assert start("fewer").wait() == 5
    before, after = (by_content(tmp_path / name / "features") for name in ("whole", "fewer"))
    assert len(after) > 2000 and all(before[one] == after[one] for one in after)


def by_content(root: Path) -> dict[bytes, bytes]:
    """The bits of each finite row of all sets, by the digest of its sample."""
    sets = [load(open_set(folder)) for folder in root.iterdir()]
    return {d.tobytes(): row.tobytes() for one in sets for d, row in zip(one.digests, np.asarray(one.X), strict=True)}
