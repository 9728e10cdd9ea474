"""Pages as axe-core sees them in a headless Chromium, in light and dark, and their width on a telephone."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from frostline.pipeline.cli.main import main
from frostline.pipeline.report.html import page_for
from support.browser import checked, chromium
from support.pages import balanced, made, many_targets, photographs

MATRIX = """
[[dataset]]
dataset = "csv:{table}"
[[backbone]]
backbone = "pixels"
resize = [8, 8]
[[head]]
head = ["logreg", "ridge", "centroid"]
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pages of a run with warnings and mistakes, of labels, of a number, of a comparison and of a matrix."""
    chromium()
    root = tmp_path_factory.mktemp("pages")
    table = photographs(root / "classes", balanced([*"abcdefgh", "a long name of a class " * 4], 8, 4), spread=40)
    heads = ("logreg", "ridge", "centroid", "knn")
    runs = [made(table, head=heads, seed=seed) for seed in range(3)]
    numbers = many_targets(root / "targets")
    found = {
        "run": runs[0] / "report.html",
        "comparison": page_for(runs, root / "comparison.html"),
        "labels": made(numbers, target=("tags",), head=("logreg",)) / "report.html",
        "values": made(numbers, target=("size",), head=("ridge",)) / "report.html",
    }
    (root / "m.toml").write_text(MATRIX.format(table=table))
    assert main(["bench", str(root / "m.toml"), "--data-dir", str(root / "bench")]) == 0
    return {**found, "bench": next(root.glob("bench/**/leaderboard.html"))}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", ["run", "comparison", "labels", "values", "bench"])
def test_axe_finds_nothing(pages: dict[str, Path], name: str, dark: bool, tmp_path: Path) -> None:
    found = checked(pages[name], tmp_path, dark=dark)
    assert found["violations"] == []
    assert found["dark"] is dark and int(str(found["passes"])) > 20


def test_axe_finds_what_is_wrong(pages: dict[str, Path], tmp_path: Path) -> None:
    spoilt = tmp_path / "spoilt.html"
    source = pages["run"].read_text().replace("--muted: #586573", "--muted: #c0c8d0")
    spoilt.write_text(re.sub(r' role="img" aria-label="[^"]*"', ' role="img"', source).replace(' lang="en"', ""))
    found = checked(spoilt, tmp_path, dark=False)
    assert {"color-contrast", "html-has-lang", "svg-img-alt"} <= {str(one[0]) for one in found["violations"]}


@pytest.mark.parametrize("name", ["run", "comparison", "labels", "values", "bench"])
def test_nothing_is_wider_than_a_telephone(pages: dict[str, Path], name: str, tmp_path: Path) -> None:
    measure = tmp_path / "measure.html"
    told = "document.title = this.contentDocument.documentElement.scrollWidth"
    measure.write_text(f'<iframe src="{pages[name].as_uri()}" width="390" height="800" onload="{told}"></iframe>')
    quiet = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    asked = [chromium(), *quiet, "--allow-file-access-from-files", "--virtual-time-budget=20000", "--dump-dom"]
    done = subprocess.run([*asked, measure.as_uri()], capture_output=True, text=True, timeout=300, check=True)
    (width,) = re.findall(r"<title>(\d+)</title>", done.stdout)
    assert int(width) <= 390
