"""Names in figures are short, and still differ."""

from __future__ import annotations

import pytest

from frostline.pipeline.report.html.svg import shortened


def test_names_that_differ_in_the_middle_keep_their_middle() -> None:
    names = [f"Genus number {i:02d} of a family with a long name (Linnaeus, 1758)" for i in range(40)]
    shown = shortened(names)
    assert len(set(shown)) == 40 and max(map(len, shown)) <= 20
    assert shown[17] == "…17…"


@pytest.mark.parametrize("names", [[], ["one"], ["cat", "dog"], ["same", "same"], ["a" * 50]])
def test_names_that_need_no_more_are_shortened_alone(names: list[str]) -> None:
    assert [name[:10] for name in shortened(names)] == [name[:10] for name in names]
