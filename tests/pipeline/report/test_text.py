"""The report of a run for a terminal."""

from __future__ import annotations

from pathlib import Path

from frostline.pipeline.report.html import write_page
from frostline.pipeline.report.text import table
from frostline.pipeline.run.run import run
from frostline.pipeline.settings import Settings
from support.pages import Page, balanced, photographs


def test_a_size_with_too_few_rows_to_choose_by_says_that_the_usual_value_was_taken(tmp_path: Path) -> None:
    samples = photographs(tmp_path, balanced("abc", 8, 4))
    usual = {"backbone": "pixels", "resize": (8, 8), "data_dir": tmp_path / "data", "dataset": f"csv:{samples}"}
    said = table(run(Settings(**usual, head=("ridge",), shots=(1, 2, 4), draws=2)))
    assert "- pixels: the usual value where nothing could be held out, at 1\n" in said
    assert "1 per class" in said and "4 per class" in said
    said = table(run(Settings(**usual, head=("ridge",), shots=(2, 4), draws=2)))
    assert "the usual value" not in said


def test_where_a_class_has_one_test_row_terminal_page_and_record_say_why_there_is_no_interval(tmp_path: Path) -> None:
    samples = photographs(tmp_path, [*balanced("ab", 8, 6), *[("c", "train")] * 8, ("c", "test")])
    usual = {"backbone": "pixels", "resize": (8, 8), "data_dir": tmp_path / "data", "dataset": f"csv:{samples}"}
    report = run(Settings(**usual, head=("ridge",)))
    (scored,) = (line for line in table(report).splitlines() if line.startswith("pixels "))
    accuracy, macro_f1 = scored.split("%")[1:]
    assert accuracy.startswith(" [") and macro_f1 == " (too few rows of a class for an interval)"
    assert '"low": null' in report.path.read_text()
    page = Page(write_page(report.path.parent, tmp_path / "again.html"))
    assert page.text.count("too few rows of a class for an interval") >= 2
