"""Comparisons agree with scipy and with direct formulas, and match rows by sample, never by place."""

from __future__ import annotations

from dataclasses import replace
from math import comb

import numpy as np
import pytest

from frostline.stages.errors import DataError
from frostline.stages.metrics import Predictions
from frostline.stages.metrics.compare import Comparison, compare, holm, mcnemar

CLASSES = ("cat", "dog")


def run(right: np.ndarray) -> Predictions:
    """Return predictions that are right where they are said to be."""
    y = np.arange(len(right)) % 2
    decision_values = np.eye(2)[np.where(right, y, 1 - y)]
    return Predictions(tuple(f"{i}.png" for i in range(len(y))), y, decision_values, CLASSES, True, ())


def accurate(share: float, n: int = 1000, seed: int = 0) -> Predictions:
    return run(np.random.default_rng(seed).random(n) < share)


def shuffled(predicted: Predictions, seed: int = 5) -> Predictions:
    order = np.random.default_rng(seed).permutation(len(predicted))
    ids = tuple(predicted.ids[i] for i in order)
    return replace(predicted, ids=ids, y=predicted.y[order], decision_values=predicted.decision_values[order])


def ranks(found: Comparison) -> dict[str, int]:
    return {run.name: run.rank for run in found.ranks}


@pytest.mark.parametrize("first_only, second_only", [(3, 14), (14, 3), (0, 6), (40, 61), (7, 7)])
def test_mcnemars_test_is_the_binomial_one(first_only: int, second_only: int) -> None:
    mid_p = mcnemar(first_only, second_only)
    n, fewer = first_only + second_only, min(first_only, second_only)
    tail = sum(comb(n, k) for k in range(fewer + 1)) / 2**n
    observed = comb(n, fewer) / 2**n
    expected = 1 - observed / 2 if first_only == second_only else 2 * (tail - observed / 2)
    assert mid_p == pytest.approx(expected)


def test_the_published_example_of_the_mid_p_value_comes_out() -> None:
    assert round(mcnemar(1, 7), 4) == 0.0391  # Fagerland, Lydersen and Laake (2013), airway hyper-responsiveness


def test_runs_that_never_disagree_are_not_told_apart() -> None:
    same = accurate(0.8)
    found = compare([same, same], ["a", "b"])
    pair = found.pairs[0]
    assert mcnemar(0, 0) == 1 == pair.mid_p == pair.corrected_p
    assert pair.difference == 0
    assert pair.high == -pair.low == pytest.approx(1.96 / 1002, rel=1e-3)
    assert ranks(found) == {"a": 1, "b": 1}


def test_holms_correction_is_the_step_down_one() -> None:
    p = [0.01, 0.04, 0.03, 0.005]
    assert holm(p) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1, 1]
    assert holm([0.2]) == [0.2]


def test_the_interval_of_a_difference_is_that_of_pairs_drawn_together() -> None:
    one, other = accurate(0.85), accurate(0.8, seed=1)
    difference = one.right.astype(float) - other.right
    rng = np.random.default_rng(3)
    drawn = [difference[rng.integers(0, 1000, 1000)].mean() for _ in range(2000)]
    pair = compare([one, other], ["a", "b"]).pairs[0]
    assert pair.difference == pytest.approx(difference.mean())
    assert (pair.first_only, pair.second_only) == ((difference > 0).sum(), (difference < 0).sum())
    np.testing.assert_allclose((pair.low, pair.high), np.quantile(drawn, (0.025, 0.975)), atol=0.005)


def test_pairing_sees_what_two_separate_intervals_would_hide() -> None:
    right = accurate(0.8).right
    better = right | (np.arange(1000) < 60)
    pair = compare([run(better), run(right)], ["a", "b"]).pairs[0]
    assert pair.low > 0
    assert pair.significant


def test_every_pair_is_corrected_for_all_of_them() -> None:
    runs = [accurate(share, seed=i) for i, share in enumerate((0.9, 0.8, 0.79, 0.6))]
    found = compare(runs, list("abcd"), all_pairs=True)
    assert [(p.first, p.second) for p in found.pairs] == [tuple(p) for p in ("ab", "ac", "ad", "bc", "bd", "cd")]
    assert [p.corrected_p for p in found.pairs] == pytest.approx(holm([p.mid_p for p in found.pairs]))
    alone = compare(runs[:2], ["a", "b"]).pairs[0]
    assert found.comparisons == 6 and found.pairs[0].low < alone.low and found.pairs[0].high > alone.high
    assert found.pairs[0].detectable > alone.detectable


def test_the_others_are_compared_with_the_best_or_with_one_that_was_picked_before() -> None:
    runs = [accurate(share, seed=i) for i, share in enumerate((0.8, 0.9, 0.79, 0.6))]
    best, named = compare(runs, list("abcd")), compare(runs, list("abcd"), reference="a")
    assert (best.reference, named.reference) == ("b", "a") and best.chosen_here and not named.chosen_here
    assert [(p.first, p.second) for p in best.pairs] == [("b", "a"), ("b", "c"), ("b", "d")]
    assert [(p.first, p.second) for p in named.pairs] == [("a", "b"), ("a", "c"), ("a", "d")]
    assert named.comparisons == 3 and [p.corrected_p for p in named.pairs] == holm([p.mid_p for p in named.pairs])
    assert best.comparisons == 6 and best.pairs[2].corrected_p == pytest.approx(6 * best.pairs[2].mid_p, abs=1e-12)
    assert compare(runs, list("abcd"), reference="a", chosen_here=True).comparisons == 6


def test_ranks_are_the_order_of_the_scores_whatever_can_be_told_apart() -> None:
    first, second, third = np.ones((3, 400), bool)
    first[:40] = second[:56] = False  # the mistakes of the first and 16 more
    third[200:258] = False  # others
    found = compare([run(third), run(second), run(first)], ["third", "second", "first"], reference="first")
    assert [(one.name, one.rank) for one in found.ranks] == [("first", 1), ("second", 2), ("third", 3)]
    assert {one.name: one.tied for one in found.ranks} == {"first": ("third",), "second": (), "third": ("first",)}
    again = compare([run(first), run(first)], ["a", "b"])
    assert [one.rank for one in again.ranks] == [1, 1] and again.ranks[0].tied == ("b",)


@pytest.mark.parametrize("picked_before", [False, True])
def test_of_equally_good_runs_one_is_called_worse_in_few_of_many_trials(picked_before: bool) -> None:
    wrong = 0
    for seed in range(60):
        runs = [accurate(0.8, 300, 100 * seed + i) for i in range(8)]
        found = compare(runs, list("abcdefgh"), reference="a" if picked_before else None)
        wrong += any(pair.significant for pair in found.pairs)
    assert wrong <= 7  # 3 expected, at a family-wise level of 0.05


def test_rows_are_matched_by_sample_in_whatever_order() -> None:
    one, other = accurate(0.9), accurate(0.8, seed=1)
    assert compare([one, shuffled(other)], ["a", "b"]) == compare([one, other], ["a", "b"])


def test_labels_are_matched_by_name_not_by_number() -> None:
    one, other = accurate(0.9), accurate(0.8, seed=1)
    turned = replace(other, y=1 - other.y, decision_values=other.decision_values[:, ::-1], classes=CLASSES[::-1])
    assert compare([one, turned], ["a", "b"]) == compare([one, other], ["a", "b"])


def part(predicted: Predictions, start: int, stop: int) -> Predictions:
    rows = slice(start, stop)
    return replace(
        predicted, ids=predicted.ids[rows], y=predicted.y[rows], decision_values=predicted.decision_values[rows]
    )


def test_other_samples_are_an_error_that_counts_them() -> None:
    whole = accurate(0.9)
    with pytest.raises(DataError, match=r"'a' and 'b' .* 900 are shared, 100 only in the first, 0 only in the second"):
        compare([whole, part(whole, 0, 900)], ["a", "b"])
    with pytest.raises(DataError, match="0 are shared, 400 only in the first, 500 only in the second"):
        compare([part(whole, 0, 400), part(whole, 500, 1000)], ["a", "b"])


def test_other_labels_are_an_error_that_counts_them() -> None:
    one = accurate(0.9)
    other = replace(one, y=np.where(np.arange(1000) < 3, 1 - one.y, one.y))
    with pytest.raises(DataError, match="'a' and 'c' have different labels for 3 of 1,000 samples"):
        compare([one, one, other], ["a", "b", "c"])


def test_what_can_not_be_compared_is_refused() -> None:
    one = accurate(0.9)
    with pytest.raises(DataError, match="at least two runs"):
        compare([one], ["a"])
    with pytest.raises(DataError, match="0 rows"):
        compare([part(one, 0, 0)] * 2, ["a", "b"])
    with pytest.raises(DataError, match="a different name for each"):
        compare([one, one], ["a", "a"])
    with pytest.raises(DataError, match="'b' holds 1 duplicate sample ids"):
        compare([one, replace(one, ids=(*one.ids[:-1], one.ids[0]))], ["a", "b"])
