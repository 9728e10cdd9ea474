"""The report of a run for a terminal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from frostline.pipeline.report.each import reports_table as table_of_each
from frostline.pipeline.report.html import page_for, write_page
from frostline.pipeline.report.text import table
from frostline.pipeline.run.run import run
from frostline.pipeline.serve.fitted import recommended
from frostline.pipeline.settings import Settings
from support.pages import Page, balanced, many_targets, photographs


def test_a_size_with_too_few_rows_to_choose_by_says_that_the_usual_value_was_taken(tmp_path: Path) -> None:
    samples = photographs(tmp_path, balanced("abc", 8, 4))
    usual = {"backbone": "pixels", "resize": (8, 8), "data_dir": tmp_path / "data", "dataset": f"csv:{samples}"}
    said = table(run(Settings(**usual, head=("ridge",), shots=(1, 2, 4), draws=2)))
    assert "\nwarnings\n- pixels: 1 per class: default value used, too few rows to tune\n" in said
    assert "1 per class" in said and "4 per class" in said
    said = table(run(Settings(**usual, head=("ridge",), shots=(2, 4), draws=2)))
    assert "default value" not in said and "\nwarnings\n" not in said


def test_where_a_class_has_one_test_row_terminal_page_and_record_say_why_there_is_no_interval(tmp_path: Path) -> None:
    samples = photographs(tmp_path, [*balanced("ab", 8, 6), *[("c", "train")] * 8, ("c", "test")])
    usual = {"backbone": "pixels", "resize": (8, 8), "data_dir": tmp_path / "data", "dataset": f"csv:{samples}"}
    report = run(Settings(**usual, head=("ridge",)))
    (scored,) = (line for line in table(report).splitlines() if line.startswith("pixels "))
    accuracy, macro_f1 = scored.split("%")[1:]
    assert accuracy.startswith(" [") and macro_f1 == " –"
    assert "- –: too few rows of a class for an interval\n" in table(report)
    assert '"low": null' in report.path.read_text()
    page = Page(write_page(report.path.parent, tmp_path / "again.html"))
    assert page.text.count("too few rows of a class for an interval") >= 2


OTHERS, TOGETHER = "other training samples (--train-sizes N --draws 10", "samples that belong together (--group)"


def few_shot(root: Path, **given: Any) -> list[str]:
    """Return what the terminal, the page and the page of two runs say of a few-shot run's intervals."""
    samples = many_targets(root, 90, subjects=5)
    usual = {"backbone": "pixels", "resize": (8, 8), "data_dir": root / "data", "dataset": f"csv:{samples}"}
    settings = {**usual, "target": ("sunny",), "head": ("centroid",), "shots": (3,), **given}
    report, other = (run(Settings(**settings, seed=seed)) for seed in (0, 1))
    wet = replace(report, settings={**report.settings, "target": ["wet"]})
    page, both = root / "page.html", root / "both.html"
    write_page(report.path.parent, page)
    page_for([report.path.parent, other.path.parent], both)
    return [table(report), table_of_each([report, wet]), Page(page).text, Page(both).text]


def test_of_one_draw_terminal_and_pages_say_that_other_training_samples_are_not_covered(tmp_path: Path) -> None:
    for said in few_shot(tmp_path, draws=1):
        assert said.count("No interval covers ") == 1 and OTHERS in said and TOGETHER in said


def test_of_several_draws_in_groups_both_are_covered_and_no_other_split(tmp_path: Path) -> None:
    for said in few_shot(tmp_path, draws=3, group="subject"):
        assert said.count("No interval covers another split") == 1 and OTHERS not in said and TOGETHER not in said


def test_the_terminal_warns_of_what_the_page_warns_of(tmp_path: Path) -> None:
    samples = photographs(tmp_path, balanced("abc", 8, 3))
    usual = {"backbone": "pixels", "resize": (8, 8), "data_dir": tmp_path / "data", "dataset": f"csv:{samples}"}
    report = run(Settings(**usual, head=("centroid", "ridge")))
    _, _, box = Page(write_page(report.path.parent, tmp_path / "page.html")).text.partition("before you rely on it")
    warned = table(report).partition("\nwarnings\n")[2].partition("\n\n")[0].splitlines()
    assert "- There are only 9 test samples, so the score is uncertain" in warned
    assert "- 3 classes have fewer than 5 test samples" in warned
    assert any(line.endswith("was picked on these test samples, so its score is optimistic") for line in warned)
    assert all(line.removeprefix("- ") in box for line in warned)


def test_a_run_ends_with_the_command_that_predicts_with_its_head(tmp_path: Path) -> None:
    samples = photographs(tmp_path, balanced("ab", 8, 6))
    usual = {"backbone": "pixels", "resize": (8, 8), "data_dir": tmp_path / "data", "dataset": f"csv:{samples}"}
    report = run(Settings(**usual, head=("ridge", "knn")))
    *_, title, command = table(report).splitlines()
    assert title == "next" and command.startswith(f"frostline predict {report.path.parent} NEW_SAMPLES  (with ")
    name = command.partition("(with ")[2].rstrip(")")
    (head,) = (one.fitted.folder for one in report.probes if one.name == name and one.fitted)
    assert recommended(report.path.parent) == head.absolute() and recommended(head) == head


def test_each_head_is_compared_with_the_first_in_a_line_of_its_own(tmp_path: Path) -> None:
    samples = photographs(tmp_path, balanced("abc", 8, 10))
    usual = {"backbone": "pixels", "resize": (8, 8), "data_dir": tmp_path / "data", "dataset": f"csv:{samples}"}
    report = run(Settings(**usual, head=("ridge", "knn", "centroid")))
    lines = [line for line in table(report).splitlines() if " points [" in line]
    assert len(lines) == 2 and all("p = " in line or "p < " in line for line in lines)
    assert all("would have been seen with 80 %" in line or "beyond chance" in line for line in lines)
    found = report.comparison
    assert found
    pairs = tuple(replace(found.pairs[0], first=found.reference, second=f"head {i}") for i in range(9))
    ranks = (*found.ranks, *(replace(found.ranks[1], name=f"head {i}") for i in range(9)))
    text = table(replace(report, comparison=replace(found, pairs=pairs, ranks=ranks)))
    assert text.count(" points [") == 2 and "- and 7 more on the page\n" in text
