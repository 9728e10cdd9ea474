"""What the box at the top of a page warns of, and that it is not there without a reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from frostline.pipeline.report.html import write_page
from frostline.stages.records.sealed import sealed, unsealed
from support.pages import Page, balanced, made, photographs

BOX = "before you rely on it"


def test_a_run_without_a_reason_to_worry_has_no_box(tmp_path: Path) -> None:
    page = Page(made(photographs(tmp_path, balanced("ab", 60, 60)), head=("centroid",)) / "report.html")
    assert BOX not in page.text and "Head to use" in page.text


def test_each_reason_is_a_sentence_with_a_link_to_its_section(tmp_path: Path) -> None:
    rows = [*balanced("ab", 30, 12), *balanced("c", 2, 2)]
    table = photographs(tmp_path, rows)
    Image.open(tmp_path / "images" / "0.png").save(tmp_path / "images" / "60.png")  # a test sample that train has
    (tmp_path / "images" / "1.png").write_bytes(b"\xff\xd8 nothing")
    page = Page(made(table, head=("centroid",), max_bad=2) / "report.html")
    box = page.source[page.source.index('class="warning"') : page.source.index("</header>")]
    for text, section in (
        ("There are only 26 test samples, so the score is uncertain", "scores"),
        ("1 class has fewer than 5 test samples", "mistakes"),
        ("1 sample was left out as unusable", "data"),
        ("1 test sample is in the training set too, or nearly so", "data"),
        ("Some class has far fewer training samples than another: c 2, b 30", "data"),
    ):
        assert f'{text}. <a href="#{section}">' in box
    assert section in page.sections


@pytest.mark.parametrize(("chance", "warned"), [(0.2, True), (0.999, False)])
def test_a_score_that_guessing_may_reach_is_doubted(tmp_path: Path, chance: float, warned: bool) -> None:
    folder = made(photographs(tmp_path, balanced("ab", 60, 60)), head=("centroid",))
    record = unsealed((folder / "run.json").read_bytes())
    record["probes"][0]["evaluation"]["scores"]["accuracy"] |= {"low": chance}
    (folder / "run.json").write_bytes(sealed(record))
    text = Page(write_page(folder)).text
    assert ("not clearly better than what can be reached without looking at a sample" in text) is warned


def test_one_doubt_about_several_heads_is_one_sentence(tmp_path: Path) -> None:
    folder = made(photographs(tmp_path, balanced("ab", 60, 60)), head=("logreg", "ridge"))
    record = unsealed((folder / "run.json").read_bytes())
    for probe in record["probes"]:
        probe["head"]["selection"] |= {"final_converged": False}
    (folder / "run.json").write_bytes(sealed(record))
    text = Page(write_page(folder)).text
    assert text.count("logreg on pixels and ridge on pixels: ") == 1
