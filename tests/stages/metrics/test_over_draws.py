"""Intervals of a mean over draws hold for other draws, other test rows and pools that are nearly used up."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t

from frostline.stages.metrics import Predictions, Statistic, spread, wilson
from frostline.stages.metrics.over_draws import Judged, judged, over_draws


def predictions(right: np.ndarray, groups: np.ndarray | None = None) -> Predictions:
    n = len(right)
    confidence = np.stack([right, ~right], axis=1).astype(float)
    return Predictions(
        tuple(map(str, range(n))), np.zeros(n, np.int64), confidence, ("a", "b"), True, (), groups=groups
    )


def study(seed: int, share: float, draws: int, tests: int) -> list[np.ndarray]:
    """Return which test rows are right by the heads of draws of a pool of 200 rows, each of which adds its own."""
    rng = np.random.default_rng(seed)
    pool, hardness, size = rng.normal(0, 0.4, 200), rng.normal(0, 0.1, tests), round(200 * share)
    heads = [0.8 + pool[rng.permutation(200)[:size]].mean() for _ in range(draws)]
    return [rng.random(tests) < np.clip(head + hardness, 0, 1) for head in heads]


@pytest.mark.parametrize(("share", "tests"), [(0.05, 300), (0.25, 2000), (0.9, 2000)])
def test_the_interval_holds_what_other_pools_and_test_rows_would_show(share: float, tests: int) -> None:
    held = [over_draws([judged(predictions(r)) for r in study(s, share, 10, tests)], share) for s in range(100)]
    assert sum(one.low <= 0.8 <= one.high for one in held) >= 90
    alone = [spread([r.mean() for r in study(s, share, 10, tests)]) for s in range(100)]
    assert sum(one.low <= 0.8 <= one.high for one in alone) < sum(one.low <= 0.8 <= one.high for one in held)


def test_both_sources_add_up() -> None:
    rights = study(0, 0.25, 5, 400)
    found = over_draws([judged(predictions(right)) for right in rights], 0.25)
    accuracies = [right.mean() for right in rights]
    of_draws = t.ppf(0.975, 4) * np.std(accuracies, ddof=1) * ((1 / 5 + 0.25) / 0.75) ** 0.5
    of_rows = 1.96 * np.mean(rights, axis=0).std() / 400**0.5
    assert (found.mean, found.draws) == (pytest.approx(np.mean(accuracies)), 5)
    assert found.high - found.low == pytest.approx(2 * np.hypot(of_draws, of_rows), rel=0.02)


def test_a_single_draw_has_the_interval_of_its_test_rows() -> None:
    right = np.arange(50) < 40
    found = over_draws([judged(predictions(right))], 0.1)
    assert (found.mean, found.std, found.draws) == (0.8, None, 1)
    assert (found.low, found.high) == wilson(0.8, 50)


def test_rows_that_are_right_in_every_draw_leave_wilsons_doubt() -> None:
    found = over_draws([judged(predictions(np.ones(30, bool)))] * 3, 0.1)
    assert (found.low, found.high) == wilson(1.0, 30)


def test_rows_in_groups_are_resampled_by_group() -> None:
    right, groups = np.repeat(np.arange(20) % 4 > 0, 10), np.repeat(np.arange(20), 10)
    alone, grouped = (over_draws([judged(predictions(right, of))] * 3, 0.1).low for of in (None, groups))
    assert alone is not None and grouped is not None and grouped < alone - 0.05


def test_scores_that_are_no_share_of_rows_are_resampled() -> None:
    rng = np.random.default_rng(0)
    y = rng.standard_normal((80, 1))
    runs = [
        Predictions(tuple(map(str, range(80))), y, y + rng.standard_normal((80, 1)), ("a",), False, (), "regression")
        for _ in range(3)
    ]
    found = over_draws([judged(run) for run in runs], 0.1)
    assert found.low is not None and found.high is not None and found.low < found.mean < found.high <= 1


def test_groups_that_every_head_gets_right_leave_a_width() -> None:
    draws = [judged(predictions(np.ones(30, bool), np.repeat(np.arange(6), 5))) for _ in range(3)]
    found = over_draws(draws, 0.1)
    assert found.high == 1 and found.low is not None and 0.4 < found.low < 0.9


def test_rows_that_as_many_heads_get_right_leave_a_width() -> None:
    hits = [np.arange(10) % 3 != lot for lot in range(3)]
    exact = [np.roll(np.array([True, True, False] * 4)[:9], lot) for lot in range(3)]
    for rows in (exact, hits):
        found = over_draws([judged(predictions(one)) for one in rows], 1.0)
        assert found.low is not None and found.high is not None and found.high - found.low > 0.05


def test_draws_of_a_score_that_no_resample_defines_have_a_mean_and_no_interval() -> None:
    seen_whole = Statistic(lambda counts: np.where((counts == 1).all(0), 0.5, np.nan)[None], (None,))
    for draws, groups in ((1, None), (3, None), (3, np.arange(40) // 4)):
        found = over_draws([Judged(seen_whole, value / 10, None, 40, groups) for value in range(draws)], 0.1)
        assert (found.low, found.high, found.draws) == (None, None, draws)
    with pytest.raises(ValueError, match="no values were given"):
        over_draws([], 0.1)
