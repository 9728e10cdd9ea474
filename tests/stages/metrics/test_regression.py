"""Scores of numbers are scikit-learn's and scipy's: of rows drawn several times, with values missing, in groups."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from frostline.stages.metrics import bootstrap
from frostline.stages.metrics.rank_correlation import kendall, spearman
from frostline.stages.metrics.regression import BOUNDS, regression_scores, statistic
from frostline.stages.metrics.statistic import _resamples

NAMES = ("age", "weight", "height")


def numbers(n: int, outputs: int, ties: bool = False, missing: bool = False) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(n)
    y = rng.standard_normal((n, outputs)) * 10 ** np.arange(outputs) + 50
    predicted = y + rng.standard_normal((n, outputs)) * 10 ** np.arange(outputs)
    if ties:
        y, predicted = np.round(y), np.round(predicted)
    if missing:
        y[rng.random(y.shape) < 0.2] = np.nan
    return y, predicted


def peer(name: str, y: np.ndarray, predicted: np.ndarray) -> float:
    """Return a score by scikit-learn or scipy, of one output."""
    found = {
        "r2": r2_score,
        "mae": mean_absolute_error,
        "rmse": root_mean_squared_error,
        "pearson": lambda a, b: stats.pearsonr(a, b).statistic,
        "spearman": lambda a, b: stats.spearmanr(a, b).statistic,
        "kendall": lambda a, b: stats.kendalltau(a, b).statistic,
    }[name](y, predicted)
    return float(found)


@pytest.mark.parametrize("name", BOUNDS)
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("missing", [False, True])
def test_scores_of_rows_drawn_several_times_are_those_of_the_rows_written_out(
    name: str, ties: bool, missing: bool
) -> None:
    y, predicted = numbers(60, 3, ties, missing)
    counts = np.concatenate([np.ones((60, 1)), next(iter(_resamples(60, 0, 5)))], axis=1)
    found = statistic(name, y, predicted).of(counts)
    for b in range(counts.shape[1]):
        rows = np.repeat(np.arange(60), counts[:, b].astype(int))
        known = ~np.isnan(y[rows])
        expected = [peer(name, y[rows, k][known[:, k]], predicted[rows, k][known[:, k]]) for k in range(3)]
        np.testing.assert_allclose(found[:, b], [np.mean(expected), *expected], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("n", [2, 3, 5, 16, 17, 1000])
def test_rank_correlations_of_any_number_of_rows_are_scipys(n: int) -> None:
    rng = np.random.default_rng(n)
    for levels in (3, 10**6):
        x, y = rng.integers(0, levels, (2, n)).astype(np.float64)
        if len(set(x)) > 1 and len(set(y)) > 1:
            one = np.ones((n, 1))
            assert kendall(x, y)(one)[0] == pytest.approx(stats.kendalltau(x, y).statistic, abs=1e-12)
            assert spearman(x, y)(one)[0] == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)


def test_large_offsets_cost_no_digits() -> None:
    y, predicted = numbers(500, 1)
    for name in BOUNDS:
        moved = statistic(name, y + 2.0**40, predicted + 2.0**40).of(np.ones((500, 1)))[1, 0]
        exact = statistic(name, (y + 2.0**40) - 2.0**40, (predicted + 2.0**40) - 2.0**40).of(np.ones((500, 1)))[1, 0]
        assert moved == pytest.approx(exact, rel=1e-9)


def test_all_scores_come_at_once_with_a_row_per_output() -> None:
    y, predicted = numbers(80, 3, missing=True)
    means, outputs = regression_scores(y, predicted, NAMES)
    assert list(means) == list(BOUNDS)
    assert [output.name for output in outputs] == list(NAMES)
    assert [output.rows for output in outputs] == (~np.isnan(y)).sum(0).tolist()
    for name, score in means.items():
        each = [getattr(output, name) for output in outputs]
        assert score.value == pytest.approx(np.mean([one.value for one in each]))
        assert all(one.low < one.value < one.high and one.resamples == 1000 for one in [score, *each])


def test_intervals_are_those_of_resampled_rows() -> None:
    y, predicted = numbers(100, 1)
    found = regression_scores(y, predicted, ("age",))[0]
    rng = np.random.default_rng(1)
    drawn = [rng.integers(0, 100, 100) for _ in range(600)]
    for name in BOUNDS:
        values = [peer(name, y[rows, 0], predicted[rows, 0]) for rows in drawn]
        low, high = np.quantile(values, (0.025, 0.975))
        assert found[name].low == pytest.approx(low, abs=0.25 * (high - low))
        assert found[name].high == pytest.approx(high, abs=0.25 * (high - low))


def test_the_interval_over_groups_holds_the_score_on_new_groups() -> None:
    def of_subjects(seed: int, subjects: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        groups = np.repeat(np.arange(subjects), 10)
        y = rng.standard_normal((len(groups), 1))
        return y, y + rng.standard_normal((subjects, 1))[groups] + 0.5 * rng.standard_normal(y.shape), groups

    truth = {name: statistic(name, *of_subjects(0, 20_000)[:2]).of(np.ones((200_000, 1)))[0, 0] for name in BOUNDS}
    hits, by_rows = dict.fromkeys(BOUNDS, 0), dict.fromkeys(BOUNDS, 0)
    for seed in range(1, 101):
        y, predicted, groups = of_subjects(seed, 12)
        parts = [statistic(name, y, predicted) for name in BOUNDS]
        over_groups, over_rows = (bootstrap(parts, len(y), seed, 100, each) for each in (groups, None))
        for name, one, other in zip(BOUNDS, over_groups, over_rows, strict=True):
            hits[name] += one[0].low <= truth[name] <= one[0].high
            by_rows[name] += other[0].low <= truth[name] <= other[0].high
    assert min(hits.values()) >= 85, hits  # 87 to 93 here, where rows alone hold as few as 46
    assert by_rows["mae"] <= 80 and by_rows["rmse"] <= 80, by_rows


def test_a_score_that_is_undefined_may_be_anything() -> None:
    y, predicted = numbers(30, 2)
    predicted[:, 0] = 5.0
    means, (first, second) = regression_scores(y, predicted, NAMES[:2])
    for name in ("pearson", "spearman", "kendall"):
        assert (getattr(first, name).value, getattr(first, name).low, getattr(first, name).high) == (0, -1, 1)
        assert means[name].value == getattr(second, name).value
    assert first.r2.value <= 0


def test_an_output_without_known_values_is_left_out() -> None:
    y, predicted = numbers(30, 2)
    y[:, 1] = np.nan
    means, (first, second) = regression_scores(y, predicted, NAMES[:2])
    assert {name: score.value for name, score in means.items()} == {name: getattr(first, name).value for name in BOUNDS}
    assert second.rows == 0


def test_costly_ranks_are_resampled_less_often_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from frostline.stages.metrics import regression

    monkeypatch.setattr(regression, "COST", 200 * 150)
    y, predicted = numbers(150, 1)
    found = regression_scores(y, predicted, ("age",))[0]
    assert (found["spearman"].resamples, found["kendall"].resamples) == (200, 200)
