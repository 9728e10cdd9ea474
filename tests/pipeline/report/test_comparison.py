"""The page of several runs: which are compared, and which are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from frostline.pipeline.cli.main import main
from frostline.pipeline.report.html import page_for
from frostline.stages.errors import ConfigError, DataError
from frostline.stages.records.sealed import sealed, unsealed
from support.pages import Page, balanced, made, photographs


def test_several_runs_are_compared_on_one_page(tmp_path: Path, work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = photographs(tmp_path, balanced("abc", 8, 12))
    folders = [made(table, head=("logreg",)), made(table, head=("logreg",), seed=1), made(table, head=("ridge",))]
    assert main(["report", *map(str, folders)]) == 0
    assert capsys.readouterr().out.strip() == "comparison.html"
    page = Page(Path("comparison.html"))
    assert {"heads", "setup", "provenance"} <= page.sections
    assert page.text.count("ridge on pixels") and "logreg on pixels (seed 1)" in page.text
    assert "seed" in page.text and "--head ridge" in page.text


def test_runs_of_other_test_samples_are_not_compared(tmp_path: Path) -> None:
    first = made(photographs(tmp_path / "1", balanced("ab", 5, 4)))
    other = made(photographs(tmp_path / "2", balanced("ab", 5, 6)))
    with pytest.raises(DataError, match="only in the second"):
        page_for([first, other], tmp_path / "x.html")
    assert not (tmp_path / "x.html").exists()


def test_runs_of_two_datasets_are_named_by_dataset_with_a_hint(tmp_path: Path) -> None:
    first = made(photographs(tmp_path / "1", balanced("ab", 5, 4)))
    other = made(photographs(tmp_path / "2", balanced("ab", 5, 6)))
    record = unsealed((other / "run.json").read_bytes())
    (other / "run.json").write_bytes(sealed({**record, "dataset": "others"}))
    with pytest.raises(DataError, match=rf"(?s)name those of one, such as .*-\*/.*others: {other.name}"):
        page_for([first, other], tmp_path / "x.html")


def test_a_run_that_is_named_twice_is_one_run(tmp_path: Path) -> None:
    one = made(photographs(tmp_path, balanced("ab", 5, 4)))
    assert page_for([one, one / "run.json"]) == one / "report.html"


def test_a_head_that_several_runs_have_is_one_head(tmp_path: Path) -> None:
    table = photographs(tmp_path, balanced("abc", 8, 12))
    runs = [made(table, head=heads) for heads in (("ridge", "centroid"), ("ridge", "knn"), ("ridge",))]
    page = Page(page_for(runs, tmp_path / "x.html"))
    assert "the choice among 3 heads" in page.text and page.text.count("use this") == 1
    assert "2 more entries are left out, because another run has the same head" in page.text
    assert "samples: 3 runs compared" in page.text
    with pytest.raises(ConfigError, match="1 different head with a score in 2 runs"):
        page_for(
            [made(table, head=("ridge",)), made(table, head=("ridge",), data_dir=tmp_path / "other")],
            tmp_path / "y.html",
        )
