"""The report of a run for a terminal."""

from __future__ import annotations

from pathlib import Path

from frostline.pipeline.report.text import table
from frostline.pipeline.run.run import run
from frostline.pipeline.settings import Settings
from support.pages import balanced, photographs


def test_a_size_with_too_few_rows_to_choose_by_says_that_the_usual_value_was_taken(tmp_path: Path) -> None:
    samples = photographs(tmp_path, balanced("abc", 8, 4))
    usual = {"backbone": "pixels", "resize": (8, 8), "data_dir": tmp_path / "data", "dataset": f"csv:{samples}"}
    said = table(run(Settings(**usual, head=("ridge",), shots=(1, 2, 4), draws=2)))
    assert "- pixels: the usual value where nothing could be held out, at 1\n" in said
    assert "1 per class" in said and "4 per class" in said
    said = table(run(Settings(**usual, head=("ridge",), shots=(2, 4), draws=2)))
    assert "the usual value" not in said
