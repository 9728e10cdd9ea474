"""What every command prints, on stdout and stderr, and the names in run.json and the other JSON documents."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from frostline.pipeline.cli.commands.table import COMMANDS
from golden import records as golden
from support.commands import flip
from support.pictures import paint
from support.project import Command

pytestmark = pytest.mark.usefixtures("optimizations")  # another setting is recorded, and printed
Check = Callable[..., str]
CheckPage = Callable[[Path, str], None]
PIXELS = ("--backbone", "pixels", "--grid", "C=0.01", "--device", "cpu", "--batch-size", "16", "--workers", "1")
HEADS = ("--backbone", "pixels", "--device", "cpu", "--batch-size", "16", "--workers", "1")
MATRIX = """
[[dataset]]
dataset = "digits"
[[backbone]]
backbone = "pixels"
batch_size = 16
[[head]]
head = "ridge"
grid = [1]
[[head]]
head = "knn"
grid = [1000]
[[head]]
head = "centroid"
shots = [1, 5]
draws = 3
[[head]]
head = "knn"
name = "too many"
shots = [1000]
"""


@pytest.fixture
def check(frostline: Command, tmp_path: Path, request: pytest.FixtureRequest) -> Check:
    """Run a command; what it prints and its exit status are those on record."""

    def compare(name: str, *arguments: str, code: int = 0) -> str:
        done = frostline(*arguments, COLUMNS="80")
        text = f"$ frostline {' '.join(arguments)}\n{done.stdout}--- stderr, exit {done.returncode}\n{done.stderr}"
        golden.check(f"{name}.txt", golden.normal(text, tmp_path), rewrite=request.config.getoption("--rewrite-golden"))
        assert done.returncode == code
        return done.stdout

    return compare


@pytest.fixture
def page(tmp_path: Path, request: pytest.FixtureRequest) -> CheckPage:
    """What a page says is on record, and the words that stand for its pictures."""

    def compare(file: Path, name: str) -> None:
        text = golden.said(file.read_text()) if file.suffix == ".html" else file.read_text()
        golden.check(f"{name}.txt", golden.normal(text, tmp_path), rewrite=request.config.getoption("--rewrite-golden"))

    return compare


def test_the_help_of_every_command(check: Check) -> None:
    check("help/frostline", "--help")
    for name in sorted(COMMANDS):
        check(f"help/{name}", name, "--help")


def test_run_with_and_without_a_cache(check: Check, page: CheckPage) -> None:
    check("run/dry", "run", *PIXELS, "--dry-run")
    check("run/first", "run", *PIXELS)
    check("run/again", "run", *PIXELS)
    text = check("run/large_number", "run", *HEADS, "--head", "knn", "--grid", "k=1000")
    page(Path(next(line[4:].strip() for line in text.splitlines() if line.startswith("page "))), "pages/run")
    check("run/dry_again", "run", *PIXELS, "--dry-run")
    check("run/several_heads", "run", *HEADS, "--head", "ridge,knn,centroid")
    check("run/at_the_edge", "run", *HEADS, "--grid", "C=0.0001,0.001")
    check("run/other_size", "run", *PIXELS, "--resize", "4", "--dry-run")
    check("run/shots", "run", *HEADS, "--head", "centroid", "--shots", "1,2,5", "--draws", "3")
    check("run/train_sizes", "run", *HEADS, "--head", "ridge", "--train-sizes", "50,100,all", "--draws", "3")
    check("run/baseline", "run", "--baseline", "pixels", "--precision", "fp32", "--grid", "C=0.1")


def test_the_stages_one_by_one(check: Check) -> None:
    check("stages/fit_too_early", "fit", *PIXELS, code=4)
    check("stages/extract", "extract", *HEADS)
    check("stages/extract_again", "extract", *HEADS)
    check("stages/evaluate_too_early", "evaluate", *PIXELS, code=4)
    check("stages/fit", "fit", *PIXELS)
    check("stages/fit_again", "fit", *PIXELS)
    check("stages/evaluate", "evaluate", *PIXELS)


def test_what_is_made_of_features(check: Check, page: CheckPage, tmp_path: Path) -> None:
    check("made/health", "health", "--backbone", "pixels", code=4)
    check("made/rank_first", "rank", *HEADS, "--samples", "300")
    check("made/run", "run", *PIXELS)
    check("made/health_found", "health", "--backbone", "pixels")
    check("made/rank", "rank", "pixels", "resnet8-cifar10", "--device", "cpu", "--precision", "fp32")
    (tmp_path / "some.toml").write_text(MATRIX)
    check("made/bench_dry", "bench", "some.toml", "--dry-run")
    check("made/bench", "bench", "some.toml", code=3)
    run = next((tmp_path / "data" / "runs").iterdir())
    check("made/report", "report", str(run))
    check("made/run_other", "run", *HEADS, "--head", "ridge,knn", "--grid", "1,10", code=2)
    check("made/run_more", "run", *HEADS, "--head", "ridge,knn")
    check("made/compare", "report", *map(str, sorted((tmp_path / "data" / "runs").iterdir())))
    page(tmp_path / "comparison.html", "pages/comparison")
    page(next((tmp_path / "data" / "bench").glob("*/leaderboard.md")), "pages/leaderboard.md")
    check("made/ls", "ls")
    check("made/verify", "verify")
    next((tmp_path / "data" / "features").glob("digits-test-*/shards")).joinpath("00009.h5.1.tmp").write_bytes(b"half")
    check("made/gc", "gc", "--unfinished")
    flip(next((tmp_path / "data" / "heads").glob("*/head.json")))
    check("made/verify_damaged", "verify", code=4)


def test_predictions(check: Check, folder: Path, tmp_path: Path) -> None:
    source = ("--dataset", f"folder:{folder}", "--backbone", "pixels", "--resize", "8x8", "--workers", "1")
    check("predict/run", "run", *source, "--head", "centroid")
    check("predict/run_bad", "run", *source, "--head", "centroid", "--shots", "100", code=3)
    (head,) = (tmp_path / "data" / "heads").iterdir()
    images = tmp_path / "new"
    paint(images / "a.png", 0, 5)
    paint(images / "b.png", 1, 6)
    check("predict/table", "predict", str(head), str(images), "--top", "2")
    check("predict/csv", "predict", str(head), str(images), "--csv")
    (images / "c.png").write_bytes(b"no image")
    check("predict/unreadable", "predict", str(head), str(images), code=3)
    check("predict/tolerated", "predict", str(head), str(images), "--max-bad", "1", code=5)
    check("predict/export", "export", str(head), str(tmp_path / "model.pt2"))


def test_mistakes(check: Check, folder: Path) -> None:
    check("mistakes/command", "runn", code=2)
    check("mistakes/flag", "run", "--bakbone", "pixels", code=2)
    check("mistakes/other_flag", "extract", "--head", "knn", code=2)
    check("mistakes/backbone", "run", "--backbone", "resnet5", code=2)
    check("mistakes/head", "run", "--head", "logret", code=2)
    check("mistakes/dataset", "run", "--dataset", "cifar11", code=2)
    check("mistakes/grid", "run", "--grid", "C", code=2)
    check("mistakes/parameter", "run", "--grid", "alpha=1", code=2)
    (folder / "train" / "cat" / "bad.png").write_bytes(b"")
    check("mistakes/unreadable", "extract", "--dataset", f"folder:{folder}", "--backbone", "pixels", code=3)
    source = ("--dataset", f"folder:{folder}", "--backbone", "pixels", "--resize", "8x8", "--max-bad", "1")
    check("mistakes/quarantined", "run", *source, "--head", "ridge", "--workers", "1", code=5)
    shutil.rmtree(folder / "test" / "cat")
    shutil.rmtree(folder / "train" / "dog")
    check("mistakes/classes", "run", "--dataset", f"folder:{folder}", "--backbone", "pixels", code=3)


def test_the_names_in_json_documents(frostline: Command, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    rewrite = request.config.getoption("--rewrite-golden")

    def names(name: str, *arguments: str) -> None:
        done = frostline(*arguments, "--json")
        golden.check(f"json/{name}.txt", "\n".join(golden.schema(json.loads(done.stdout))) + "\n", rewrite=rewrite)

    names("extract", "extract", *HEADS)
    names("fit", "fit", *PIXELS)
    names("evaluate", "evaluate", *PIXELS)
    names("run", "run", *PIXELS, "--dry-run")
    names("report", "run", *PIXELS)
    (run,) = (tmp_path / "data" / "runs").glob("*/run.json")
    golden.check("json/run.json.txt", "\n".join(golden.schema(json.loads(run.read_text()))) + "\n", rewrite=rewrite)
    (head,) = (tmp_path / "data" / "heads").glob("*/head.json")
    golden.check("json/head.json.txt", "\n".join(golden.schema(json.loads(head.read_text()))) + "\n", rewrite=rewrite)
    names("curve", "run", *HEADS, "--head", "centroid", "--shots", "1,5", "--draws", "2")
    names("health", "health", "--backbone", "pixels")
    names("rank", "rank", *HEADS, "--samples", "300")
    names("ls", "ls")
    names("verify", "verify")
    names("gc", "gc")
    paint(tmp_path / "a.png", 0, 5, (8, 8))
    names("predict", "predict", str(head.parent), "a.png")
    (tmp_path / "some.toml").write_text(MATRIX)
    names("bench", "bench", "some.toml")
