"""Intervals in closed form agree with independent references, and with each other on one page."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy.stats import binom, binomtest, norm
from sklearn.metrics import balanced_accuracy_score, f1_score

from frostline.stages.metrics import (
    Predictions,
    Score,
    bootstrap,
    brier_losses,
    calibration_error,
    means,
    one_versus_rest,
    precision_recall_f1,
    wilson,
)
from frostline.stages.metrics.area_interval import area_interval, mean_area_interval
from frostline.stages.metrics.calibration import mean_losses, tempered
from frostline.stages.metrics.class_intervals import average_intervals, f1_interval
from frostline.stages.metrics.evaluation import single_label
from frostline.stages.metrics.loss_interval import expected_of_wrong, loss_interval, most_of_wrong
from frostline.stages.metrics.score import TOO_FEW
from support.scores import rows


def all_right(support: tuple[int, ...], p: float = 0.999) -> dict[str, Score]:
    """Return the scores of a head that is right for every row, and says p."""
    y = np.repeat(np.arange(len(support)), support)
    rest = (1 - p) / (len(support) - 1)
    confidence = np.where(np.arange(len(support)) == y[:, None], p, rest)
    ids = tuple(map(str, range(len(y))))
    found = single_label(Predictions(ids, y, confidence, ids[: len(support)], True, ()))
    return {**found.scores, "recall": found.classes[-1].recall, "f1": found.classes[-1].f1}


def ends(score: Score) -> tuple[float, float]:
    assert score.interval is not None
    return score.interval


@pytest.mark.parametrize("hits", [0, 4, 50, 96, 100])
def test_the_interval_of_a_proportion_is_wilsons(hits: int) -> None:
    expected = binomtest(hits, 100).proportion_ci(method="wilson")
    assert wilson(hits / 100, 100) == pytest.approx((expected.low, expected.high), abs=1e-7)
    score = bootstrap([means([np.arange(100) < hits])], 100, seed=0)[0][0]
    assert (ends(score), score.resamples) == (pytest.approx((expected.low, expected.high), abs=1e-7), 0)


@pytest.mark.parametrize("rows", [20, 100, 360, 2000])
def test_a_proportion_is_held_however_near_to_one_it_is(rows: int) -> None:
    chances = 1 - np.geomspace(1e-5, 0.5, 300)
    low, high = np.transpose([wilson(k / rows, rows) for k in range(rows + 1)])
    held = [binom.pmf(np.arange(rows + 1), rows, p)[(low <= p) & (p <= high)].sum() for p in chances]
    assert min(held) > 0.91  # Wilson's own rule: 0.84 to 0.92


def test_a_better_result_never_has_a_lower_interval() -> None:
    low, high = np.transpose([wilson(k / 360, 360) for k in range(361)])
    assert (np.diff(low) > 0).all() and (np.diff(high) >= 0).all()


def test_without_a_trial_everything_is_possible() -> None:
    assert wilson(0.0, 0) == (0, 1)


def test_the_mean_recall_has_price_and_bonetts_interval() -> None:
    y = np.repeat([0, 1, 2], [40, 12, 5])
    predicted = np.where(np.isin(np.arange(57), [0, 1, 45, 54]), (y + 1) % 3, y)
    hits, support, added = np.array([38, 11, 4]), np.array([40, 12, 5]), 1.959964**2 / 6
    share = (hits + added) / (support + 2 * added)
    half = 1.959964 * np.sqrt((share * (1 - share) / (support + 2 * added - 1)).sum()) / 3
    found = average_intervals(y, predicted)[0]
    assert found == pytest.approx((share.mean() - half, min(share.mean() + half, 1)))


@pytest.mark.parametrize("classes", [2, 5])
def test_with_many_rows_averages_have_the_spread_of_samples(classes: int) -> None:
    rng = np.random.default_rng(0)
    cells = rng.dirichlet(np.ones(classes), classes) * 0.3 + 0.7 * np.eye(classes)
    cells = (cells * rng.uniform(0.5, 2, (classes, 1)) / classes).ravel()
    cells /= cells.sum()
    drawn = rng.multinomial(4000, cells, 400)
    pairs = [np.divmod(np.repeat(np.arange(classes**2), counts), classes) for counts in drawn]
    theirs = [
        [balanced_accuracy_score(y, p), f1_score(y, p, average="macro"), f1_score(y, p, average="weighted")]
        for y, p in pairs
    ]
    ours = [np.subtract(found[1], found[0]) for found in average_intervals(*pairs[0])]
    np.testing.assert_allclose(ours, 2 * 1.96 * np.std(theirs, axis=0), rtol=0.12)


def test_f1_is_as_unsure_as_the_share_of_its_rows_that_are_right() -> None:
    low, high = wilson(8 / 13, 13)
    assert f1_interval(8, 10, 11) == pytest.approx((2 / (1 + 1 / low), 2 / (1 + 1 / high)))
    y, predicted = np.repeat([0, 1], [10, 20]), np.repeat([0, 1, 0, 1], [8, 2, 3, 17])
    assert ends(bootstrap([precision_recall_f1(y, predicted, 2)], 30, seed=0)[0][7]) == f1_interval(8, 10, 11)


@pytest.mark.parametrize("support", [(98, 2), (353, 7), (1961, 39), (50, 40, 3)])
def test_averages_are_no_surer_than_their_smallest_class(support: tuple[int, ...]) -> None:
    found, classes = all_right(support), len(support)
    own = ends(found["recall"])[0]
    assert own == pytest.approx(wilson(1.0, support[-1])[0])
    for name in ("balanced_accuracy", "macro_f1"):
        low, high = ends(found[name])
        assert (1 - low) * classes > 0.7 * (1 - (own if name == "balanced_accuracy" else ends(found["f1"])[0]))
        assert high == 1
    assert ends(found["auroc"])[0] < 1


def test_a_class_of_one_row_leaves_its_averages_without_an_interval() -> None:
    found = all_right((20, 5, 1))
    for name in ("balanced_accuracy", "macro_f1", "auroc"):
        assert (found[name].value, found[name].interval, found[name].resamples) == (1, None, 0)
    for name in ("accuracy", "weighted_f1", "log_loss", "brier", "ece", "recall"):
        assert found[name].interval


def test_no_rule_over_groups_helps_a_class_of_one_row_either() -> None:
    y = np.array([0] * 20 + [1])
    found = bootstrap([precision_recall_f1(y, y, 2)], 21, seed=0, groups=np.arange(21) // 3)[0]
    assert found[0].interval is None and found[1].interval is None and found[2].interval


def test_the_normal_theory_of_areas_is_what_normal_scores_do() -> None:
    rng = np.random.default_rng(0)
    own = np.arange(80) < 20
    areas = []
    for _ in range(1500):
        score = rng.standard_normal(80) + 1.2 * own
        areas.append((score[own][:, None] > score[~own]).mean())
    middle = np.argsort(areas)[750]
    assert norm.cdf(1.2 / 2**0.5) == pytest.approx(np.mean(areas), abs=0.01)
    rng = np.random.default_rng(0)
    for _ in range(middle + 1):
        score = rng.standard_normal(80) + 1.2 * own
    low, high = mean_area_interval([(score, own)])
    assert high - low == pytest.approx(2 * 1.96 * np.std(areas), rel=0.25)


def test_two_classes_are_one_ranking() -> None:
    y, p = rows(200, 2)
    both, one = area_interval(p, y), mean_area_interval([(p[:, 1], y == 1)])
    assert both == pytest.approx(one, abs=0.01)
    statistic = one_versus_rest(p, y)
    assert statistic and ends(bootstrap([statistic], 200, seed=0)[0][0]) == both


def test_a_perfect_order_of_few_rows_says_little() -> None:
    y = np.repeat([0, 1], [98, 3])
    few = area_interval(np.eye(2)[y] + np.arange(101)[:, None] * 1e-3, y)
    many = area_interval(np.eye(2)[np.repeat([0, 1], [98, 98])], np.repeat([0, 1], [98, 98]))
    assert few[1] == many[1] == 1
    assert float(few[0]) < 0.95 < float(many[0]) < 1
    assert area_interval(np.eye(2)[y[:-2]], y[:-2]) == TOO_FEW


def test_with_many_rows_a_mean_loss_has_the_normal_interval() -> None:
    y, p = rows(20_000, 4)
    found = bootstrap([mean_losses(p, y)], len(y), seed=0)[0]
    losses = brier_losses(p, y)
    half = 1.96 * losses.std() / len(y) ** 0.5
    assert ends(found[1]) == pytest.approx((losses.mean() - half, losses.mean() + half), rel=0.02)


def test_losses_are_no_surer_than_the_accuracy_beside_them() -> None:
    found = all_right((50, 50))
    accuracy, log_loss, ece = (ends(found[name]) for name in ("accuracy", "log_loss", "ece"))
    assert found["log_loss"].value == pytest.approx(-np.log(0.999))
    assert log_loss[1] > (1 - accuracy[0]) * 3 * np.log(2)  # of the mistakes that there may be, three bits each
    assert ends(found["brier"])[1] > (1 - accuracy[0]) * 2 * (7 / 8) ** 2  # the same mistakes
    assert ece == (0, pytest.approx(0.999 - accuracy[0]))


def test_what_a_wrong_row_costs_is_what_the_other_classes_say() -> None:
    p = np.array([[0.7, 0.2, 0.1], [0.1, 0.9, 0.0]])
    mean, variance = expected_of_wrong(p, lambda each: -np.log(np.maximum(each, 1e-9)))
    losses, weights = -np.log([0.2, 0.1, 0.1]), np.array([0.2, 0.1, 0.1])
    assert mean == pytest.approx(np.average(losses, weights=weights))
    assert variance == pytest.approx(np.average((losses - mean) ** 2, weights=weights))
    unlikely = loss_interval(np.zeros(50), np.ones(50, bool), (100.0, 0.0), 3 * np.log(2))
    assert unlikely == (0, pytest.approx(wilson(0.0, 50)[1] * 3 * np.log(2)))
    assert expected_of_wrong(np.ones((3, 1)), np.zeros_like) == (0, 0)


def test_a_mistake_not_seen_costs_what_an_eighth_for_its_label_does_and_more_of_many_classes() -> None:
    p = np.array([0.125, 0.875])
    two = {"log_loss": pytest.approx(-np.log(p[0])), "brier": pytest.approx((p[0] - 1) ** 2 + p[1] ** 2)}
    assert most_of_wrong(2) == two
    assert most_of_wrong(100)["log_loss"] == pytest.approx(3.66 * np.log(2), abs=0.01)
    y, p = np.zeros(20, np.int64), np.full((20, 100), 0.1 / 99)
    p[:, 0] = 0.9  # too sure: of a head that is right for 9 of 10 rows and so sure of 99 classes, the loss is 0.39
    log_loss, brier = mean_losses(p, y).closed()
    seen, rate = ((p[0] - (np.arange(100) == 0)) ** 2).sum(), wilson(0.0, 20)[1]
    assert log_loss[1] > 0.39 and brier[1] == pytest.approx(seen + rate * (2 * (7 / 8) ** 2 - seen))


def test_intervals_of_losses_need_little_memory_beside_the_probabilities() -> None:
    p = np.random.default_rng(0).dirichlet(np.full(500, 0.1), 12_000)  # 46 MiB, several blocks
    y = np.random.default_rng(1).integers(0, 500, len(p))
    tracemalloc.start()
    statistic = mean_losses(p, y)
    assert statistic.closed is not None
    statistic.closed()
    assert tracemalloc.get_traced_memory()[1] < 16 * 2**20
    tempered(p, 1.5)
    assert tracemalloc.get_traced_memory()[1] < p.nbytes + 16 * 2**20
    tracemalloc.stop()
    whole = np.where(np.arange(500) == p.argmax(1)[:, None], 0, p)
    losses = -np.log(np.maximum(p, 1e-9))
    mean = (whole * losses).sum() / whole.sum()
    variance = (whole * (losses - mean) ** 2).sum() / whole.sum()
    found = expected_of_wrong(p, lambda each: -np.log(np.maximum(each, 1e-9)))
    np.testing.assert_allclose(found, (mean, variance), rtol=1e-12)


def test_a_loss_of_rows_that_are_all_wrong_has_an_interval() -> None:
    low, high = loss_interval(np.array([2.0, 2.5, 3.0]), np.zeros(3, bool), (2.0, 0.5), 3 * np.log(2))
    assert 0 < low < 2.5 < high


def test_a_head_that_is_too_sure_is_not_called_calibrated() -> None:
    y = (np.arange(1000) < 700).astype(np.int64)
    found = bootstrap([calibration_error(np.tile([0.1, 0.9], (1000, 1)), y)], 1000, seed=0)[0][0]
    low, high = ends(found)
    deviation = (0.7 * 0.3 / 1000) ** 0.5
    assert (found.value, low, high) == pytest.approx((0.2, 0.2 - 1.96 * deviation, 0.2 + 1.96 * deviation), abs=0.003)


def test_the_calibration_error_of_a_head_not_sure_enough_reaches_as_far_as_accuracy_may() -> None:
    y = (np.arange(20) < 18).astype(np.int64)
    low, high = ends(bootstrap([calibration_error(np.tile([0.4, 0.6], (20, 1)), y)], 20, seed=0)[0][0])
    fewest, most = wilson(0.9, 20)
    assert low <= fewest - 0.6 + 1e-9 and high >= most - 0.6  # accuracy may be at either end, too


def test_a_class_that_is_predicted_and_not_tested_leaves_macro_f1_no_interval() -> None:
    y, predicted = np.repeat([0, 1], 20), np.repeat([0, 1, 2], [20, 19, 1])
    balanced, macro, weighted = average_intervals(y, predicted)
    assert macro == TOO_FEW and isinstance(balanced, tuple) and isinstance(weighted, tuple)
    assert isinstance(average_intervals(y, np.minimum(predicted, 1))[1], tuple)  # never predicted: it does not count


def test_a_reversed_ranking_has_the_mirrored_interval() -> None:
    rng = np.random.default_rng(0)
    own = np.arange(400) < 200
    score = rng.standard_normal(400) + 3.0 * own
    low, high = mean_area_interval([(score, own)])
    assert mean_area_interval([(-score, own)]) == pytest.approx((1 - high, 1 - low), abs=1e-9)


@pytest.mark.parametrize("turned", [1, -1])
def test_very_many_rows_in_order_leave_an_interval(turned: int) -> None:
    own = np.arange(40_000) < 20_000
    low, high = mean_area_interval([(turned * own.astype(float), own)])
    assert 0 <= low < high <= 1 and high - low < 0.01
