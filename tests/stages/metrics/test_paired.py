"""Two predictions of the same rows are compared on the same resamples, in any score, over rows or groups."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_1samp, ttest_rel

from frostline.stages.errors import DataError
from frostline.stages.metrics import Statistic, means
from frostline.stages.metrics.paired import Difference, paired
from frostline.stages.metrics.regression import statistic


def errors(seed: int, n: int = 200, better: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return the losses of two predictions that share most of what makes a row hard."""
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal(n)
    return shared + 0.3 * rng.standard_normal(n), shared + 0.3 * rng.standard_normal(n) + better


def test_a_difference_of_means_has_the_interval_and_about_the_p_of_the_paired_t_test() -> None:
    first, second = errors(0, better=0.1)
    found, expected = paired(means([first]), means([second]), 200, 0), ttest_rel(first, second)
    interval = expected.confidence_interval()
    assert found.value == pytest.approx(first.mean() - second.mean())
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=0.01)
    assert found.p == pytest.approx(expected.pvalue, abs=0.01)


def test_equal_predictions_differ_in_one_of_twenty_comparisons() -> None:
    found = [
        paired(means([first]), means([second]), 100, 0).p for first, second in (errors(s, 100) for s in range(200))
    ]
    assert 2 <= np.count_nonzero(np.array(found) < 0.05) <= 20


def test_a_difference_far_from_0_has_a_p_that_is_small_enough_for_many_pairs() -> None:
    first, second = errors(0, better=0.5)
    found, expected = paired(means([first]), means([second]), 200, 0), ttest_rel(first, second)
    assert found.p < 1e-6 and expected.pvalue < 1e-6


def test_over_groups_it_is_the_t_test_of_their_differences() -> None:
    first, second = errors(0, 60, better=0.2)
    groups = np.repeat(np.arange(12), 5)
    expected = ttest_1samp((first - second).reshape(12, 5).mean(1), 0)
    found = paired(means([first]), means([second]), 60, 0, groups)
    interval = expected.confidence_interval()
    assert found.p == pytest.approx(expected.pvalue, abs=0.02)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=0.02)


def test_rows_alone_would_claim_what_groups_do_not() -> None:
    claimed = {"rows": 0, "groups": 0}
    for seed in range(100):
        rng = np.random.default_rng(seed)
        groups = np.repeat(np.arange(10), 20)
        first, second = (rng.standard_normal(10)[groups] + rng.standard_normal(200) for _ in range(2))
        claimed["rows"] += paired(means([first]), means([second]), 200, 0).p < 0.05
        claimed["groups"] += paired(means([first]), means([second]), 200, 0, groups).p < 0.05
    assert claimed["rows"] > 30 and claimed["groups"] <= 12


def test_a_better_prediction_has_the_better_r2_and_a_worse_rank_correlation_is_seen_too() -> None:
    rng = np.random.default_rng(0)
    y = rng.standard_normal((300, 2))
    good, bad = y + 0.3 * rng.standard_normal(y.shape), y + rng.standard_normal(y.shape)
    for name, sign in (("r2", 1), ("spearman", 1), ("mae", -1)):
        found = paired(statistic(name, y, good), statistic(name, y, bad), 300, 0)
        assert sign * found.value > 0 and found.low * found.high > 0 and found.p < 0.01


def test_the_same_prediction_twice_does_not_differ() -> None:
    first, groups = errors(0)[0], np.repeat(np.arange(20), 10)
    for each in (None, groups):
        assert paired(means([first]), means([first]), 200, 0, each) == Difference(0, 0, 0, 1)


def of_noise(*noise: float) -> tuple[list, np.ndarray]:
    """Return statistics of R2 of predictions with so much noise, and groups of ten rows each."""
    rng = np.random.default_rng(0)
    y, of = rng.standard_normal((300, 1)), np.repeat(np.arange(30), 10)
    return [statistic("r2", y, y + level * rng.standard_normal(y.shape)) for level in noise], of


def test_scores_that_no_resample_defines_can_not_be_compared() -> None:
    seen_whole = Statistic(lambda counts: np.where((counts == 1).all(0), 0.5, np.nan)[None], (None,))
    with pytest.raises(DataError, match="undefined in all 1,000 resamples"):
        paired(seen_whole, seen_whole, 40, 0)
