"""Intervals for several comparisons hold, the power that is told is had, and the best of several is not flattered."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import t as student

from frostline.stages.metrics import Score
from frostline.stages.metrics.compare import mcnemar
from frostline.stages.metrics.multiplicity import (
    best_of,
    detectable,
    detectable_from,
    deviate,
    paired_interval,
    widened,
)


def wilson(right: int, n: int) -> Score:
    """Wilson's interval as published, for shares of any size."""
    p, z = right / n, norm.ppf(0.975)
    centre, margin = (p + z * z / 2 / n), z * np.sqrt(p * (1 - p) / n + z * z / 4 / n / n)
    return Score(p, *((centre + sign * margin) / (1 + z * z / n) for sign in (-1, 1)), 0)


@pytest.mark.parametrize("comparisons", [1, 5, 40])
def test_deviates_are_those_of_scipy(comparisons: int) -> None:
    assert deviate(comparisons) == pytest.approx(norm.ppf(1 - 0.025 / comparisons))
    assert deviate(comparisons, 7) == pytest.approx(student.ppf(1 - 0.025 / comparisons, 7))


@pytest.mark.parametrize(
    ("n", "only"), [(30, (0.2, 0.1)), (100, (0.05, 0.02)), (400, (0.01, 0.01)), (400, (0.1, 0.05))]
)
def test_the_interval_of_a_difference_holds_it(n: int, only: tuple[float, float]) -> None:
    drawn = np.random.default_rng(n).multinomial(n, [*only, 1 - sum(only)], 1500)
    for comparisons in (1, 10):
        held = [
            low <= only[0] - only[1] <= high for low, high in (paired_interval(*d[:2], n, comparisons) for d in drawn)
        ]
        assert np.mean(held) >= 1 - 0.05 / comparisons - 0.012


@pytest.mark.parametrize(("n", "share"), [(360, 0.05), (100, 0.2), (2000, 0.02)])
def test_a_difference_that_is_said_to_be_found_is_found_in_four_of_five_samples(n: int, share: float) -> None:
    D = detectable(share, n)
    only = (max(share, D) + D) / 2, (max(share, D) - D) / 2
    drawn = np.random.default_rng(n).multinomial(n, [*only, 1 - sum(only)], 1500)
    found = np.mean([mcnemar(int(a), int(b)) < 0.05 for a, b, _ in drawn])
    print(f"{n} rows, {share:.0%} differ: {D:.4f} is found in {found:.1%}")
    assert 0.75 <= found <= 0.88


def test_what_can_be_found_grows_with_the_rows_and_shrinks_with_the_comparisons() -> None:
    assert detectable(0.1, 4000) < detectable(0.1, 1000) < detectable(0.1, 1000, comparisons=10) < 1
    assert detectable(0.0, 1000) == pytest.approx(7.85 / 1000, rel=0.02) and detectable(0.0, 3) > 0.99


def test_an_interval_of_resamples_is_widened_by_the_deviates() -> None:
    low, high = widened(0.1, (0.0, 0.3), 10)
    times = norm.ppf(0.9975) / norm.ppf(0.975)
    assert (low, high) == (pytest.approx(0.1 - 0.1 * times), pytest.approx(0.1 + 0.2 * times))
    assert detectable_from((-0.196, 0.196), 1) == pytest.approx(0.1 * (norm.ppf(0.975) + norm.ppf(0.8)), rel=1e-3)
    assert detectable_from((-0.1, 0.1), 3, 9) > detectable_from((-0.1, 0.1), 3)


@pytest.mark.parametrize(("p", "n"), [(0.9, 300), (0.55, 100), (0.99, 360)])
@pytest.mark.parametrize("shared", [0.0, 0.7])
def test_the_interval_of_the_best_of_twenty_equal_heads_holds_the_truth(p: float, n: int, shared: float) -> None:
    rng, held, alone = np.random.default_rng(0), 0, 0
    for _ in range(400):
        lots = np.where(rng.random((20, n)) < shared, rng.random(n), rng.random((20, n)))
        best = wilson(int((lots < p).sum(1).max()), n)
        shown = best_of(best, 20, n)
        held += shown.low <= p <= shown.high
        alone += best.low <= p <= best.high
    print(f"{p:.0%} of {n}, {shared:.0%} shared: {held / 4:.1f} % hold it, {alone / 4:.1f} % without allowing for it")
    assert held >= 0.93 * 400


def test_of_one_nothing_is_chosen_and_other_scores_move_in_proportion() -> None:
    score = wilson(90, 100)
    assert best_of(score, 1, 100).low == pytest.approx(score.low) and best_of(score, 1) == score
    moved = best_of(Score(0.5, 0.3, 0.6, 1000), 20)
    assert moved.low == pytest.approx(0.5 - 0.2 * norm.ppf(1 - 0.025 / 20) / norm.ppf(0.975)) and moved.high == 0.6
    assert best_of(Score(0.1, 0.01, 0.6, 1000), 20).low == 0
    assert best_of(Score(0.1, 0.01, 0.6, 1000), 20, floor=-math.inf).low < 0
