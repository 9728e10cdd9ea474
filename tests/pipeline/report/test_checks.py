"""What is found wrong with a dataset, in words."""

from __future__ import annotations

import pytest

from frostline.pipeline.records.findings import Findings, Issue, Leak
from frostline.pipeline.report.checks import Check, checks
from frostline.stages.diagnostics import NearDuplicates
from frostline.stages.metrics import Score

SOUND = Findings(
    dataset="pets",
    backbone="pixels",
    rows={"train": 4, "test": 2},
    width=3,
    quarantined={},
    not_finite={},
    dead_dimensions=(),
    constant_dimensions=(),
    outlying_lengths={},
    copies=(),
    near_duplicates=NearDuplicates((), (), (), 0.1),
    rows_by_class={},
    label_issues=(),
    issues_expected=1.2,
    agreement=0.561,
    shift=None,
    leak=Leak((), Score(1.0, 0.5, 1.0, 0), None),
)


def balance(**rows: int) -> Check:
    (found,) = (
        one for one in checks(Findings(**{**vars(SOUND), "rows_by_class": rows})) if one.sought == "Class balance"
    )
    return found


@pytest.mark.parametrize(
    ("rows", "said", "sound"),
    [
        ({"cat": 8, "dog": 8}, "every class has 8 training samples", True),
        ({"cat": 79, "dog": 8}, "9.9 times as many training samples of cat (79) as of dog (8)", True),
        ({"cat": 80, "dog": 8}, "10.0 times as many training samples of cat (80) as of dog (8)", False),
        ({"cat": 0, "dog": 8}, "inf times as many training samples of dog (8) as of cat (0)", False),
    ],
)
def test_a_class_ten_times_as_rare_as_another_is_told(rows: dict[str, int], said: str, sound: bool) -> None:
    found = balance(**rows)
    assert (found.found, found.sound) == (said, sound)


def doubts(count: int, **given: object) -> Check:
    issues = tuple(Issue(f"{i}.png", "cat", "dog", 0.001) for i in range(count))
    found = Findings(**{**vars(SOUND), "label_issues": issues, **given})
    return next(one for one in checks(found) if one.sought == "Labels worth a second look")


def test_doubtful_labels_stand_beside_how_many_there_would_be_and_no_more_is_claimed() -> None:
    assert doubts(3).names[0] == "0.png: cat, rather dog"
    for count in (3, 1200):  # doubts come in clusters: no count proves a mistake
        assert doubts(count).found == (
            f"{count:,} training labels worth a second look; about 1 expected if every label were right; "
            "a head fitted without these samples agrees with 56.1 % of the labels"
        )
        assert not doubts(count).sound
    assert doubts(0).sound and "fewer than one expected" in doubts(0, issues_expected=0.2).found
    assert doubts(0, issues_expected=None, agreement=None).found == "0 training labels worth a second look"
