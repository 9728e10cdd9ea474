"""The learning curve: its law is recovered, its intervals hold, and it is silent where it knows nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.optimize import least_squares
from sklearn.datasets import load_digits

from frostline.stages.heads.solvers.ridge import RidgeSolver
from frostline.stages.metrics.learning_curve import learning_curve, power_laws

SIZES = [50, 100, 200, 400, 800]


def law(n: np.ndarray, a: float, b: float, c: float) -> np.ndarray:
    return a + b * np.asarray(n, float) ** -c


def fitted(errors: np.ndarray, weights: np.ndarray, sizes: np.ndarray | None = None) -> tuple[float, ...]:
    """Return the a, b and c of one curve's law."""
    n = np.asarray(SIZES if sizes is None else sizes, float)
    return tuple(float(found[0]) for found in power_laws(n, errors[None], np.asarray(weights, float)))


def drawn(truth: np.ndarray, noise: float | np.ndarray, draws: int, seed: int) -> list[list[float]]:
    rng = np.random.default_rng(seed)
    noises = np.broadcast_to(noise, len(truth))
    return [np.clip(1 - e + rng.normal(0, one, draws), 0, 1).tolist() for e, one in zip(truth, noises, strict=True)]


def test_an_exact_power_law_is_recovered_and_continued() -> None:
    truth = law(np.array(SIZES), 0.05, 2.0, 0.5)
    found = learning_curve(SIZES, [[1 - error] * 3 for error in truth])
    assert fitted(truth, np.square(SIZES)) == pytest.approx((0.05, 2.0, 0.5), rel=0.06)
    assert found.forecast is not None
    assert found.forecast.size == 1600
    assert found.forecast.accuracy[0] == pytest.approx(1 - law(1600, 0.05, 2.0, 0.5), abs=1e-3)
    gain, low, high = found.forecast.gain
    assert gain == pytest.approx(law(800, 0.05, 2.0, 0.5) - law(1600, 0.05, 2.0, 0.5), abs=1e-3)
    assert 0.5 * gain < low < 0.7 * gain < 1.3 * gain < high < 1.5 * gain  # the law itself is in doubt
    assert found.sentence == (
        "Twice as many labels (1,600 instead of 800) would gain about 2.1 points of accuracy "
        f"(95 % interval {100 * low:.1f} to {100 * high:.1f})."
    )


@pytest.mark.parametrize("seed", range(4))
def test_the_fit_is_at_least_as_good_as_scipys_bounded_least_squares(seed: int) -> None:
    accuracies = drawn(law(np.array(SIZES), 0.1, 1.5, 0.4), 0.02, 4, seed)
    accuracies[-1] = accuracies[-1][:1]
    errors, weights = np.array([1 - np.mean(d) for d in accuracies]), np.sqrt([len(d) for d in accuracies])
    weights *= np.array(SIZES) / 800
    found = fitted(errors, weights**2)

    def residuals(p: np.ndarray) -> np.ndarray:
        return weights * (law(np.array(SIZES), *p) - errors)

    best = min(
        least_squares(residuals, [a, 1, c], bounds=([0, 0, 0.02], [1, 50, 2])).cost for a in (0, 0.1) for c in (0.2, 1)
    )
    own = 0.5 * (residuals(np.array(found)) ** 2).sum()
    assert own <= best * 1.02 + 1e-7


SHAPES: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "a power law": lambda n, rng: law(n, rng.uniform(0, 0.2), rng.uniform(0.8, 2), rng.uniform(0.2, 0.8)),
    "exponential": lambda n, rng: rng.uniform(0, 0.2) + 0.5 * np.exp(-n / rng.uniform(200, 800)),
    "soon saturated": lambda n, rng: rng.uniform(0.05, 0.3) + 0.5 * np.exp(-n / rng.uniform(40, 100)),
    "straight in log n": lambda n, rng: 0.9 - rng.uniform(0.02, 0.1) * np.log(n),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_about_as_many_intervals_as_claimed_hold_the_gain_and_the_accuracy_of_a_curve_that_is(shape: str) -> None:
    rng, held, reached = np.random.default_rng(0), 0, 0
    for trial in range(40):
        truth = SHAPES[shape](np.array([*SIZES, 1600]), rng)
        accuracies = drawn(truth[:-1], 0.2 / np.sqrt(SIZES), 5, trial)
        forecast = learning_curve(SIZES, accuracies, seed=trial).forecast
        assert forecast is not None
        held += forecast.gain[1] <= truth[-2] - truth[-1] <= forecast.gain[2]
        reached += forecast.accuracy[1] <= 1 - truth[-1] <= forecast.accuracy[2]
    print(f"{shape}: {held} of 40 intervals hold the gain, {reached} the accuracy")
    assert held >= 36 and reached >= 36


@pytest.mark.parametrize("shape", SHAPES)
def test_the_accuracy_forecast_is_the_last_one_measured_plus_the_gain(shape: str) -> None:
    truth = SHAPES[shape](np.array(SIZES), np.random.default_rng(1))
    found = learning_curve(SIZES, drawn(truth, 0.02, 3, 0))
    assert found.forecast is not None
    now = found.accuracies[-1].mean
    assert found.forecast.accuracy == pytest.approx([now + gain for gain in found.forecast.gain])
    gain, low, high = found.forecast.gain
    assert low <= gain <= high <= 1 - now


def test_a_law_that_misses_the_last_step_is_trusted_less() -> None:
    truth = law(np.array(SIZES), 0.05, 2.0, 0.6)
    kinked = [*truth[:-2], truth[-2] - 0.05, truth[-1]]
    widths = []
    for errors in (truth, np.array(kinked)):
        forecast = learning_curve(SIZES, drawn(errors, 0.002, 5, 0)).forecast
        assert forecast is not None
        widths.append(forecast.gain[2] - forecast.gain[1])
    assert widths[1] > 2 * widths[0]


def test_noisier_draws_mean_a_wider_interval_and_the_sentence_says_so() -> None:
    truth = law(np.array(SIZES), 0.05, 2.0, 0.6)
    sure, unsure = (learning_curve(SIZES, drawn(truth, noise, 5, 0)) for noise in (0.002, 0.02))
    assert sure.forecast is not None and unsure.forecast is not None
    widths = [high - low for _, low, high in (sure.forecast.gain, unsure.forecast.gain)]
    assert widths[1] > 2 * widths[0]
    _, low, high = unsure.forecast.gain
    assert f"(95 % interval {100 * low:.1f} to {100 * high:.1f})" in unsure.sentence


def test_fewer_than_three_sizes_or_single_draws_give_points_and_a_reason_but_no_forecast() -> None:
    two = learning_curve([100, 50], [[0.8, 0.82], [0.7, 0.72]])
    assert two.sizes == (50, 100) and two.accuracies[0].mean == pytest.approx(0.71)
    assert two.forecast is None and "2 of the 3" in two.sentence
    once = learning_curve(SIZES, [[0.5], [0.6], [0.7], [0.75], [0.78]])
    assert once.forecast is None and "drawn only once" in once.sentence
    assert once.accuracies[0].low is None


def test_a_curve_that_does_not_rise_forecasts_no_gain() -> None:
    found = learning_curve([100, 200, 400], [[0.80, 0.82], [0.79, 0.81], [0.80, 0.78]])
    assert found.forecast is not None and found.forecast.gain[0] == 0 and "can't be predicted" in found.sentence
    assert found.forecast.gain[1] < 0 < found.forecast.gain[2]


def test_errors_that_fall_towards_less_than_nothing_are_fitted_with_a_limit_of_zero() -> None:
    sizes, errors = np.array([100, 200, 400]), np.array([0.6, 0.4, 0.2])
    a, b, c = fitted(errors, sizes**2, sizes)
    assert a == 0
    best = least_squares(lambda p: sizes * (p[0] * (sizes / 100) ** -p[1] - errors), [0.6, 1]).x
    assert (b * 100.0**-c, c) == pytest.approx(tuple(best), rel=0.03)


def test_the_same_seed_gives_the_same_forecast_and_the_order_of_sizes_does_not_matter() -> None:
    accuracies = drawn(law(np.array(SIZES), 0.05, 2.0, 0.6), 0.01, 3, 0)
    assert learning_curve(SIZES, accuracies) == learning_curve(SIZES[::-1], accuracies[::-1])


@pytest.mark.parametrize(
    ("sizes", "accuracies", "reason"),
    [
        ([0, 1], [[0.5], [0.5]], "positive"),
        ([5, 5], [[0.5], [0.5]], "once"),
        ([5, 6], [[0.5], []], "draws"),
        ([5, 6], [[50.0], [60.0]], "not percentages"),
        ([5, 6], [[float("nan")], [0.6]], "between 0 and 1"),
        ([5, 31], [[0.5], [0.6]], "exceed the pool"),
    ],
)
def test_sizes_and_accuracies_that_cannot_be_are_refused(
    sizes: list[int], accuracies: list[list[float]], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        learning_curve(sizes, accuracies, pool=30 if 31 in sizes else None)


def reached(X: np.ndarray, y: np.ndarray, new: np.ndarray, new_y: np.ndarray) -> float:
    path = RidgeSolver(X, y, 10).fit((30.0,), np.ones(len(y)))
    return float((path.decision_values(new)[0].argmax(1) == new_y).mean())


def test_real_curves_of_draws_from_one_pool_reach_what_is_forecast_as_often_as_claimed() -> None:
    """Digits with much noise: 320 labels of a pool, as many fresh ones, 400 test rows."""
    digits, held, wider, pool = load_digits(), 0, 0, 320
    for trial in range(20):
        rng = np.random.default_rng(trial)
        rows = rng.permutation(1797)[: 2 * pool + 400]
        X, y = digits.data[rows] / 4 + rng.normal(0, 2, (len(rows), 64)), digits.target[rows]
        test, sizes = (X[2 * pool :], y[2 * pool :]), [pool // 8, pool // 4, pool // 2]
        picked = [[rng.permutation(pool)[:n] for _ in range(6)] for n in sizes]
        accuracies = [[reached(X[few], y[few], *test) for few in draws] for draws in picked]
        accuracies.append([reached(X[:pool], y[:pool], *test)])
        came = reached(X[: 2 * pool], y[: 2 * pool], *test)
        told, untold = (learning_curve([*sizes, pool], accuracies, pool=of).forecast for of in (pool, None))
        assert told is not None and untold is not None
        held += told.accuracy[1] <= came <= told.accuracy[2]
        wider += told.accuracy[2] - told.accuracy[1] > untold.accuracy[2] - untold.accuracy[1]
    print(f"{held} of 20 intervals hold what came")
    assert held >= 18 and wider >= 18


def test_draws_that_are_the_whole_pool_say_nothing_of_how_much_draws_vary() -> None:
    accuracies = [[0.5, 0.6], [0.6, 0.64], [0.7, 0.7]]
    once = learning_curve([50, 100, 200], [*accuracies[:2], [0.7]], pool=200).forecast
    twice = learning_curve([50, 100, 200], accuracies, pool=200).forecast
    assert once is not None and twice is not None
    assert twice.gain[2] - twice.gain[1] == pytest.approx(once.gain[2] - once.gain[1], rel=0.2)
    all_of_it = learning_curve([198, 199, 200], [[0.5], [0.6], [0.7, 0.7]], pool=200)
    assert all_of_it.forecast is None and "drawn only once" in all_of_it.sentence
