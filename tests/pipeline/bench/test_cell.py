"""A cell's settings on their way to another machine."""

from __future__ import annotations

from pathlib import Path

from frostline.pipeline.bench.cell import as_text, settings_in
from support.project import Write

MATRIX = """
[[dataset]]
dataset = "digits"
test_fraction = 0.3

[[backbone]]
backbone = "pixels"
resize = "8x8"
mean = 0
std = 1

[[head]]
head = ["logreg", "ridge", "knn", "dinov2-logreg"]

[[head]]
head = "logreg"
name = "five folds"
folds = 5
grid = "C=0.1,1"
scaling = "standardize"

[[head]]
head = "ridge"
name = "few"
shots = [1, 5]
draws = 2
"""


def test_settings_come_back_from_their_text_as_they_were(write: Write, work: Path) -> None:
    cells = write(MATRIX).cells
    assert len(cells) == 6
    for cell in cells:
        suited = cell.settings.suited("single-label")
        found = settings_in(as_text(suited))
        assert found == suited and found.model_fields_set == suited.model_fields_set
        assert found.spec(found.head[0]) == suited.spec(suited.head[0]) and found.draw(found.head[0]) == suited.draw(
            suited.head[0]
        )
