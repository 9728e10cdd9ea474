"""Intervals over resampled rows are those of rows drawn, and never claim more than the rows can say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t
from sklearn.metrics import roc_auc_score

from frostline.stages.metrics import (
    Statistic,
    bootstrap,
    calibration_error,
    means,
    one_versus_rest,
    precision_recall_f1,
    spread,
    wilson,
)
from frostline.stages.metrics import auroc as auroc_module
from frostline.stages.metrics import statistic as statistic_module
from support.scores import rows


def area(p: np.ndarray, y: np.ndarray) -> Statistic:
    """Return the area as it is resampled where rows come in groups."""
    found = one_versus_rest(p, y)
    assert found is not None
    return replace(found, closed=None)


def test_the_interval_of_the_area_is_that_of_rows_drawn_with_scikit_learn() -> None:
    y, p = rows(300, 3)
    rng = np.random.default_rng(1)
    drawn = [rng.integers(0, 300, 300) for _ in range(200)]
    expected = np.quantile([roc_auc_score(y[d], p[d], multi_class="ovr") for d in drawn], (0.025, 0.975))
    found = bootstrap([area(p, y)], 300, seed=0)[0][0]
    np.testing.assert_allclose((found.low, found.high), expected, atol=0.006)


def test_the_interval_of_a_mean_is_the_normal_one() -> None:
    values = np.random.default_rng(0).standard_normal(1000)
    found = bootstrap([means([values])], 1000, seed=0)[0][0]
    half = 1.96 * values.std() / 1000**0.5
    np.testing.assert_allclose((found.low, found.high), (values.mean() - half, values.mean() + half), atol=0.15 * half)


def test_all_statistics_see_the_same_resamples() -> None:
    values = np.random.default_rng(0).random(50)
    both = bootstrap([means([values]), means([values])], 50, seed=3)
    assert both[0] == both[1] == bootstrap([means([values])], 50, seed=3)[0]
    assert both[0] != bootstrap([means([values])], 50, seed=4)[0]


def test_blocks_do_not_change_the_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [np.random.default_rng(0).random(50)]
    whole = bootstrap([means(values)], 50, seed=0)[0][0]
    monkeypatch.setattr(statistic_module, "_BLOCK", 50 * 7)
    found = bootstrap([means(values)], 50, seed=0)[0][0]
    assert (found.low, found.high) == pytest.approx((whole.low, whole.high), rel=1e-12)  # products round by their shape


def test_a_resample_has_as_many_rows_as_the_sample() -> None:
    for counts in statistic_module._resamples(40, 0, 10):
        assert counts.shape == (40, 10)
        assert (counts.sum(0) == 40).all()
        assert (counts == 0).any()


def test_small_classes_do_not_push_the_interval_of_macro_f1_off_its_value() -> None:
    y, p = rows(500, 100)
    statistic = replace(precision_recall_f1(y, p.argmax(1), 100), closed=None)
    drawn = np.concatenate([statistic.of(counts)[1] for counts in statistic_module._resamples(500, 0, 200)])
    score = bootstrap([statistic], 500, seed=0, resamples=200)[0][1]
    assert np.mean(drawn) < score.value - 0.01  # the bias that is meant
    assert score.low < score.value < score.high
    centre = (score.low + score.high) / 2
    shift = 2 * min(score.value - np.median(drawn), np.std(drawn))
    assert centre == pytest.approx(np.quantile(drawn, (0.025, 0.975)).mean() + shift, abs=0.01)


def test_an_interval_holds_its_value_however_strong_the_bias() -> None:
    low = Statistic(lambda counts: (counts > 0).mean(0, keepdims=True), (None,), biased=True)
    high = Statistic(lambda counts: (counts == 0).mean(0, keepdims=True), (None,), biased=True)
    (one,), (other,) = bootstrap([low, high], 100, seed=0)
    assert one.low < one.value == one.high == 1
    assert 0 == other.low == other.value < other.high


def test_six_rows_of_one_class_leave_open_that_no_row_is_wrong() -> None:
    y, predicted = np.zeros(6, np.int64), np.array([0, 0, 0, 0, 0, 3])
    score = bootstrap([replace(precision_recall_f1(y, predicted, 10), closed=None)], 6, seed=0)[0][1]
    assert score.value == pytest.approx(5 / 11)
    assert score.low == pytest.approx(1 / 3) and score.high == 1


def test_a_calibration_error_that_is_mostly_chance_is_not_its_own_upper_bound() -> None:
    confidence = np.repeat([0.55, 0.65, 0.75, 0.85, 0.95], 20)
    y = (np.tile(np.arange(20), 5) >= 20 * confidence + 0.5).astype(np.int64)  # as many right as confidence says
    p = np.stack([confidence, 1 - confidence], axis=1)
    statistic = replace(calibration_error(p, y), closed=None)
    drawn = np.concatenate([statistic.of(counts)[0] for counts in statistic_module._resamples(100, 0, 1000)])
    score = bootstrap([statistic], 100, seed=0)[0][0]
    assert np.median(drawn) - score.value > np.std(drawn)  # the strong bias that is meant
    assert score.low == 0 and np.median(drawn) + 0.005 < score.high < np.quantile(drawn, 0.975)


def test_a_proportion_that_no_resample_moves_has_wilsons_interval() -> None:
    hits = Statistic(lambda counts: (counts > -1).mean(0, keepdims=True), (10.0,))
    score = bootstrap([hits], 10, seed=0)[0][0]
    assert (score.value, score.interval, score.resamples) == (1, wilson(1.0, 10), 0)


def test_nothing_is_resampled_where_every_interval_has_a_closed_form(monkeypatch: pytest.MonkeyPatch) -> None:
    y, p = rows(100, 3)
    closed = [precision_recall_f1(y, p.argmax(1), 3), means([p.argmax(1) == y]), calibration_error(p, y)]
    monkeypatch.setattr(statistic_module, "_resamples", lambda *_: pytest.fail("rows were drawn"))
    assert {score.resamples for scores in bootstrap(closed, 100, seed=0) for score in scores} == {0}


def test_resamples_without_a_class_are_left_out_of_the_interval() -> None:
    y, score = np.array([0] * 50 + [1, 1]), np.arange(52.0)
    score[[3, 51]] = score[[51, 3]]
    p = np.stack([-score, score], axis=1)
    drawn = np.concatenate([area(p, y).of(counts)[0] for counts in statistic_module._resamples(52, 0, 1000)])
    assert np.isnan(drawn).sum() > 50
    found = bootstrap([area(p, y)], 52, seed=0)[0][0]
    assert (found.low, found.high) == tuple(np.nanquantile(drawn, (0.025, 0.975)))


def test_a_costly_area_is_resampled_less_often_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    y, p = rows(300, 4)
    full = bootstrap([area(p, y)], 300, seed=0)[0][0]
    monkeypatch.setattr(auroc_module, "COST", 250 * 4 * 250)
    fewer = bootstrap([area(p, y), means([(y == 0).astype(float)])], 300, seed=0)
    assert full.resamples == 1000
    assert 100 <= fewer[0][0].resamples < 1000 == fewer[1][0].resamples
    assert fewer[0] == bootstrap([area(p, y)], 300, seed=0, resamples=fewer[0][0].resamples)[0]
    assert fewer[0][0].value == full.value
    monkeypatch.setattr(statistic_module, "_BLOCK", 300 * 30)
    assert bootstrap([area(p, y)], 300, seed=0)[0] == fewer[0]
    monkeypatch.setattr(auroc_module, "COST", 1)
    assert bootstrap([area(p, y)], 300, seed=0)[0][0].resamples == 100


def test_a_thousand_classes_take_little_memory_and_time() -> None:
    y, p = rows(1000, 1000)
    scores = bootstrap([precision_recall_f1(y, p.argmax(1), 1000), area(p, y)], 1000, seed=0, resamples=20)
    assert len(scores[0]) == 3003
    low, high = scores[1][0].interval or (0, 0)
    assert 0.5 < low < high < 1


def test_the_spread_over_draws_is_students() -> None:
    values = [0.71, 0.74, 0.69, 0.75, 0.72]
    found = spread(values)
    low, high = t.interval(0.95, 4, np.mean(values), np.std(values, ddof=1) / 5**0.5)
    assert found.std is not None
    assert (found.mean, found.std, found.draws) == pytest.approx((np.mean(values), np.std(values, ddof=1), 5))
    assert (found.low, found.high) == pytest.approx((low, high))


def test_a_single_draw_has_no_spread() -> None:
    found = spread([0.7])
    assert (found.mean, found.std, found.low, found.high, found.draws) == (0.7, None, None, None, 1)
    with pytest.raises(ValueError, match="at least one draw"):
        spread([])


def test_over_groups_no_interval_in_closed_form_is_made() -> None:
    def never() -> list[tuple[float, float]]:
        raise AssertionError

    y, p = rows(60, 3)
    y[y == 2], y[0] = 1, 2  # a single row of the third class
    area = one_versus_rest(p, y)
    assert area is not None
    known = [precision_recall_f1(y, p.argmax(1), 3), area]
    of_rows = bootstrap(known, 60, 0)
    over_groups = bootstrap([replace(one, closed=never) for one in known], 60, 0, groups=np.arange(60) // 2)
    for rows_alone, grouped in zip(of_rows, over_groups, strict=True):
        assert [one.low is None for one in rows_alone] == [one.low is None for one in grouped]
    assert over_groups[1][0].low is None and [one.low is None for one in over_groups[0]][:3] == [True, True, False]


def test_a_score_that_no_resample_defines_has_no_interval() -> None:
    seen_whole = Statistic(lambda counts: np.where((counts == 1).all(0), 0.5, np.nan)[None], (None,))
    for groups in (None, np.arange(40) // 4):
        found = bootstrap([seen_whole], 40, 0, groups=groups)[0][0]
        assert (found.value, found.low, found.high) == (0.5, None, None)
