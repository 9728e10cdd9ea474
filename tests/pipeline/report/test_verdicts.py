"""What comparisons say: a difference with its interval, never that there is none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from frostline.pipeline.records.curve import Curve, Point
from frostline.pipeline.records.headline import Candidate
from frostline.pipeline.report.verdicts import ahead, picked, standing, uncovered, uncovered_over_draws, verdicts
from frostline.stages.evaluate import Evaluation
from frostline.stages.fit.selection import Selection
from frostline.stages.metrics import Score
from frostline.stages.metrics.compare import Comparison, HeadPair, RankedHead
from frostline.stages.metrics.score import spread

PAIR = HeadPair("a on x", "b on y", 0.1, 0.05, 0.15, 30, 10, mid_p=0.003, corrected_p=0.006, detectable=0.07)
UNSURE = replace(PAIR, second="c on y", difference=-0.014, low=-0.04, high=0.012, corrected_p=0.3071)


def compared(*pairs: HeadPair) -> Comparison:
    tied = tuple(one.second for one in pairs if not one.significant)
    return Comparison(359, "a on x", False, len(pairs), (RankedHead("a on x", 0.9, 1, tied),), pairs)


def said(pair: HeadPair, *, shares: bool = True) -> str:
    return next(iter(verdicts(compared(pair), shares=shares).values()))


def test_a_verdict_names_the_better_of_two_heads_and_by_how_much() -> None:
    assert said(PAIR) == "a on x is better than b on y by 10.0 points [5.0, 15.0], beyond chance (p = 0.006)"
    turned = replace(PAIR, difference=-0.1, low=-0.15, high=-0.05)
    assert said(turned) == "b on y is better than a on x by 10.0 points [5.0, 15.0], beyond chance (p = 0.006)"
    assert "by 0.100 [0.050, 0.150], beyond" in said(PAIR, shares=False)
    assert set(verdicts(compared(PAIR), shares=True)) == {frozenset(("a on x", "b on y"))}


def test_what_is_not_seen_is_not_denied_and_what_would_have_been_is_said() -> None:
    assert said(UNSURE) == (
        "c on y is not distinguishable from a on x with these 359 samples: 1.4 points [-1.2, 4.0], p = 0.307; "
        "a difference of 7.0 points would have been seen with 80 % probability"
    )


def test_too_few_samples_to_show_any_difference_are_said_to_be() -> None:
    assert said(replace(UNSURE, detectable=1.0)).endswith("p = 0.307; no difference can be shown with so few")
    assert "0.950 would have been seen" in said(replace(UNSURE, detectable=0.95), shares=False)


def test_all_others_stand_by_how_they_compare_with_the_first() -> None:
    better = replace(PAIR, second="d on y", difference=-0.2, low=-0.3, high=-0.1)
    assert standing(compared(PAIR, UNSURE, better)) == (
        "a on x; not distinguishable from it: c on y; better than it beyond chance: d on y; worse beyond chance: "
        "b on y (intervals and p corrected for 3 comparisons)"
    )
    assert standing(compared(PAIR)) == "a on x; worse beyond chance: b on y (one comparison)"


def test_a_turned_pair_says_the_same() -> None:
    pair = replace(PAIR, first_only=30, second_only=10)
    assert (pair.turned.first, pair.turned.difference, pair.turned.low) == ("b on y", -0.1, -0.15)
    assert pair.turned.turned == pair and (pair.turned.first_only, pair.turned.second_only) == (10, 30)
    assert said(pair.turned) == said(pair) and ahead(pair.turned, "a on x", shares=True) == ahead(
        pair, "a on x", shares=True
    )


def test_how_far_ahead_the_first_is_does_not_hang_on_the_order_of_a_pair() -> None:
    assert ahead(PAIR, "a on x", shares=True) == "10.0 [5.0, 15.0]"
    assert ahead(PAIR, "b on y", shares=True) == "-10.0 [-15.0, -5.0]"


@pytest.mark.parametrize("kind", ["test", "training", "another score"])
def test_it_is_said_by_what_a_head_was_picked(kind: str) -> None:
    found = Evaluation(100, {"accuracy": Score(0.9, 0.826, 0.945, 0)})
    scores = {"test": {}, "training": {"accuracy": (0.9,)}, "another score": {"scores": {"balanced_accuracy": (0.9,)}}}
    own = Selection(value=0, parameter="", grid=(0,), **scores[kind])
    text = picked([Candidate(name, own, found) for name in ("a", "b")])
    if kind == "test":
        assert text == "a is the best of 2 heads on these test samples: 90.0 % [81.3, 94.5], allowing for that choice"
        return
    by = ", by balanced accuracy" if kind == "another score" else ""
    assert text == f"a is the best of 2 heads on held-out training samples{by}; nothing was chosen on test samples"


def test_what_no_interval_covers_is_one_sentence_with_the_flags_that_measure_it() -> None:
    assert "--train-sizes N --draws 10" in uncovered(grouped=False) and "--group" in uncovered(grouped=False)
    assert "--group" not in uncovered(grouped=True)
    split = "No interval covers another split (try another --seed)"
    assert uncovered(grouped=True, drawn=True) == split
    assert uncovered(grouped=False, drawn=True) == f"{split} or samples that belong together (--group)"


def test_one_draw_covers_no_other_training_samples_and_a_curve_knows_of_its_groups() -> None:
    def curve(*draws: int, groups: int = 0) -> Curve:
        points = tuple(Point(5, 10, (0.5,) * n, spread([0.5] * n), (1.0,) * n, "folds", 0.1) for n in draws)
        return Curve("shots", points, None, "", groups=groups)

    assert uncovered_over_draws([curve(1)]) == uncovered(grouped=False)
    of_one = "; intervals of one draw cover no other training samples"
    assert uncovered_over_draws([curve(3, 1)]) == uncovered(grouped=False, drawn=True) + of_one
    assert uncovered_over_draws([curve(3), curve(1)]) == uncovered(grouped=False)
    assert uncovered_over_draws([curve(3, 2)]) == uncovered(grouped=False, drawn=True)
    assert uncovered_over_draws([curve(3, groups=4)]) == uncovered(grouped=True, drawn=True)
