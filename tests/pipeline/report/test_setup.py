"""What a page says of how features were computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from frostline.pipeline.report.html import write_page
from frostline.stages.records.sealed import sealed, unsealed
from support.pages import Page, balanced, made, photographs


def page_at(folder: Path, modality: str = "", **paces: Any) -> str:
    """Return the section of what was run, on the page of a run whose splits were extracted at these paces."""
    record = unsealed((folder / "run.json").read_bytes())
    for features in record["probes"][0]["features"]:
        features["pace"] |= paces[features["split"]]
        features["key"] |= {"modality": modality} if modality else {}
    (folder / "run.json").write_bytes(sealed(record, indent=2))
    text = Page(write_page(folder)).text
    return text[text.index("Arithmetic") : text.index("Chosen")]


def test_where_decoding_was_the_limit_the_page_says_so_beside_the_features(tmp_path: Path) -> None:
    folder = made(photographs(tmp_path, balanced("abc", 20, 16)), head=("ridge",))  # 60 rows and 48
    slow, idle = {"rows_per_second": 4.0, "waiting": 0.8}, {"rows_per_second": 4.0, "waiting": 0.1}
    said = "decoding is the limit: 5 images/s decoded, 20 images/s the backbone could take"
    text = page_at(folder, train=slow, test=idle)
    assert f"train (plain): {said}" in text and "test (plain)" not in text
    assert f"test (plain): {said}" in page_at(folder, train=slow, test=slow)
    for modality, noun in (("audio", "recording"), ("nobody's", "sample")):
        assert f"5 {noun}s/s decoded, 20 {noun}s/s" in page_at(folder, modality, train=slow, test=idle)
    soon = {"rows_per_second": 400.0, "waiting": 0.8}
    assert "decoding" not in page_at(folder, train=soon, test=soon)
    assert "decoding" not in page_at(folder, train={"rows_per_second": None}, test={"waiting": None})
