"""The command that does a run again says what was found out by itself, so that another processor finds no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from frostline.pipeline.records.run_record import KeyRecord
from frostline.pipeline.report.html.formatting import command
from frostline.pipeline.report.html.pinned import pinned
from support.pages import balanced, made, photographs

WHOLE = "Pillow 12.0.0, libjpeg-turbo 3.1.2"


@pytest.mark.parametrize(
    ("decoder", "said"),
    [
        (WHOLE, "--decode full --precision bf16"),
        (f"{WHOLE}, JPEG scaled to 224 or more", "--decode scaled --precision bf16"),
        ("UTF-8", "--precision bf16"),
    ],
)
def test_precision_and_decoding_are_those_of_the_features(decoder: str, said: str) -> None:
    key = KeyRecord("x", "fc", precision="bf16", decoder=decoder)
    assert command(pinned({"precision": "auto", "decode": "auto"}, key)) == f"frostline run {said}"


def test_what_was_asked_for_stays() -> None:
    key = KeyRecord("x", "fc", precision="fp32", decoder=WHOLE)
    assert pinned({"precision": "fp32", "decode": "scaled"}, key) == {"precision": "fp32", "decode": "scaled"}


def test_the_page_of_a_run_says_them(tmp_path: Path) -> None:
    page = (made(photographs(tmp_path, balanced("ab", 5, 4))) / "report.html").read_text()
    (shown,) = re.findall(r"again:</p>\n<pre>(.*)</pre>", page)
    assert "--precision fp32" in shown and "--decode full" in shown
