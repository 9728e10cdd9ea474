"""Calibration error and temperature, against the definition and against a search."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import log_loss

from frostline.stages.metrics import calibration_error, reliability_bins, steady_temperature, temperature, tempered
from support.scores import of, resample, rows


def by_definition(p: np.ndarray, y: np.ndarray) -> float:
    """Return Guo et al.'s equation 3, bin by bin."""
    confidence, right = p.max(1), p.argmax(1) == y
    error = 0.0
    for m in range(15):
        inside = (confidence > m / 15) & (confidence <= (m + 1) / 15)
        if inside.any():
            error += inside.sum() / len(y) * abs(right[inside].mean() - confidence[inside].mean())
    return error


def test_the_calibration_error_is_that_of_the_definition() -> None:
    y, p = rows()
    drawn, counts = resample(len(y))
    statistic = calibration_error(p, y)
    assert of(statistic, np.ones(len(y))) == pytest.approx(by_definition(p, y))
    assert of(statistic, counts) == pytest.approx(by_definition(p[drawn], y[drawn]))


def test_the_bins_hold_every_row_and_give_the_error() -> None:
    y, p = rows()
    bins = reliability_bins(p, y)
    assert sum(b.rows for b in bins) == len(y)
    assert all(b.low < b.confidence <= b.high for b in bins)
    error = sum(b.rows * abs(b.accuracy - b.confidence) for b in bins) / len(y)
    assert error == pytest.approx(by_definition(p, y))


def test_a_bin_holds_its_upper_edge() -> None:
    p = np.array([[0.6, 0.4], [1.0, 0.0]])
    assert [(round(15 * b.low), round(15 * b.high)) for b in reliability_bins(p, np.zeros(2, int))] == [
        (8, 9),
        (14, 15),
    ]


@pytest.mark.parametrize("sharpness", [0.2, 1.0, 5.0])
def test_the_temperature_undoes_what_was_done_to_the_probabilities(sharpness: float) -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(4), 20_000).clip(1e-4)
    p /= p.sum(1, keepdims=True)
    y = (rng.random((len(p), 1)) > p.cumsum(1)).sum(1).clip(max=3)
    assert temperature(tempered(p, 1 / sharpness), y) == pytest.approx(sharpness, rel=0.05)


def test_no_other_temperature_has_less_log_loss() -> None:
    y, p = rows()
    T = temperature(p, y)
    losses = [log_loss(y, softmax(np.log(p) / (T * factor), axis=1)) for factor in (0.99, 1, 1.01)]
    assert losses[1] < min(losses[0], losses[2])


def test_weights_count_as_repeated_rows() -> None:
    y, p = rows()
    drawn, counts = resample(len(y))
    assert temperature(p, y, counts.astype(float)) == pytest.approx(temperature(p[drawn], y[drawn]))


def test_rows_that_are_all_right_do_not_make_the_head_surer() -> None:
    y, p = rows()
    right = p.argmax(1) == y
    assert temperature(p[right], y[right]) == 1
    assert temperature(p, y, right.astype(float)) == 1


def test_rows_that_are_all_wrong_end_at_the_highest_temperature() -> None:
    p = rows()[1]
    assert temperature(p, p.argmin(1)) == 100


def test_a_head_that_is_hardly_sure_and_hardly_wrong_ends_at_the_lowest_temperature() -> None:
    p = np.array([[0.5005, 0.4995]] * 50 + [[0.4999, 0.5001]])
    assert temperature(p, np.zeros(51, int)) == 0.01


def test_impossible_classes_stay_finite() -> None:
    p, y = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.2, 0.3, 0.5]]), np.array([0, 0, 2])
    T = temperature(p, y)
    assert 1 < T < 100
    assert np.isfinite(tempered(p, T)).all()


def test_a_temperature_changes_no_prediction_and_one_changes_nothing() -> None:
    _, p = rows()
    np.testing.assert_allclose(tempered(p, 1.0), p)
    for T in (0.01, 3.0):
        found = tempered(p, T)
        np.testing.assert_allclose(found.sum(1), 1)
        np.testing.assert_array_equal(found.argmax(1), p.argmax(1))


def drawn(n: int, sharpness: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are ``sharpness`` times as sure as they should be, and labels."""
    rng = np.random.default_rng(seed)
    logs = rng.normal(size=(n, 4)) * 2
    chances = np.exp(logs) / np.exp(logs).sum(1, keepdims=True)
    y = (rng.random((n, 1)) > chances.cumsum(1)).sum(1)
    sharp = np.exp(sharpness * logs)
    return sharp / sharp.sum(1, keepdims=True), y


def test_a_temperature_that_few_rows_can_not_tell_from_one_is_one() -> None:
    found = [steady_temperature(*drawn(70, 1.0, seed)) for seed in range(100)]
    assert np.mean(np.array(found) == 1) > 0.9
    assert np.std([temperature(*drawn(70, 1.0, seed)) for seed in range(100)]) > 5 * np.std(found)


@pytest.mark.parametrize("sharpness", [0.5, 2.0])
def test_a_temperature_that_many_rows_call_for_is_taken_nearly_whole(sharpness: float) -> None:
    p, y = drawn(20_000, sharpness)
    assert abs(steady_temperature(p, y) - temperature(p, y)) < 0.01
    assert abs(steady_temperature(p, y) - sharpness) < 0.06


def test_in_between_it_lies_between_one_and_the_best() -> None:
    p, y = drawn(200, 1.8)
    assert 1 < steady_temperature(p, y) < temperature(p, y)


def test_the_standard_error_is_that_of_a_jackknife() -> None:
    p, y = drawn(200, 1.8)
    n, away = len(y), 1 / temperature(p, y) - 1
    others = np.array([1 / temperature(np.delete(p, i, 0), np.delete(y, i)) for i in range(n)])
    error = (others - others.mean()) @ (others - others.mean()) * (n - 1) / n
    assert abs(1 / steady_temperature(p, y) - 1 - away * (1 - 4 * error / away**2)) < 0.1 * abs(away)


def test_rows_scored_again_make_it_no_surer() -> None:
    p, y = drawn(200, 1.8)
    again = np.tile(np.arange(200), 5)
    weights = np.ones(1000)
    assert np.isclose(steady_temperature(p[again], y[again], weights, again), steady_temperature(p, y))
    assert steady_temperature(p[again], y[again]) > steady_temperature(p, y)


def test_rows_that_are_all_right_call_for_none() -> None:
    p = np.full((50, 2), [0.9, 0.1])
    assert steady_temperature(p, np.zeros(50, np.int64)) == 1
