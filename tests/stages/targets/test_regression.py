"""Targets of numbers: what is wrong with them, how rows are split, and what heads are chosen by."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import mean_absolute_error, r2_score

from frostline.stages.fit import fit_rows
from frostline.stages.fit.training_rows import TrainingRows
from frostline.stages.heads import head_spec
from frostline.stages.metrics.regression import BOUNDS, statistic
from frostline.stages.targets.base import no_sample
from frostline.stages.targets.registry import TARGETS, main_score
from frostline.stages.targets.regression import REGRESSION, Regression

GOOD = np.arange(10.0)[:, None]


def column(*values: float) -> np.ndarray:
    return np.array(values)[:, None]


def test_it_stands_behind_the_door_and_is_ordered_by_r2() -> None:
    assert TARGETS.load("regression") is REGRESSION
    assert main_score({"r2": 0.5, "mae": 3.0}, "regression") == 0.5
    assert not REGRESSION.exclusive


@pytest.mark.parametrize(
    ("train", "test", "said"),
    [
        (GOOD, GOOD, None),
        (column(1, 2, 3, np.nan), GOOD, None),
        (column(), GOOD, no_sample("training")),
        (GOOD, column(), no_sample("test")),
        (column(1, 2, np.nan), GOOD, "'age': 2 known training values; expected 3 or more"),
        (GOOD, column(np.nan, np.nan, 1), "'age': 1 known test value; expected 3 or more"),
        (column(5, 5, 5, np.nan), GOOD, "'age': all 3 known training values are 5; there is nothing to predict"),
        (GOOD, column(5, 5, 5), "'age': all 3 known test values are 5; there is nothing to predict"),
        (column(1, 2, 3, np.inf), GOOD, "'age': 1 infinite training value; expected finite numbers"),
    ],
)
def test_what_makes_splits_useless_is_said(train: np.ndarray, test: np.ndarray, said: str | None) -> None:
    assert REGRESSION.faults(("age",), train, test) == ([said] if said else [])


def test_all_faults_are_listed_by_output() -> None:
    train = np.stack([np.full(10, 2.0), np.full(10, np.nan)], axis=1)
    assert len(REGRESSION.faults(("age", "weight"), train, train)) == 4
    assert REGRESSION.faults((), np.zeros((3, 0)), np.zeros((3, 0))) == [
        "no column of numbers to predict; give at least one with --target"
    ]


def test_a_split_leaves_three_known_values_on_each_side() -> None:
    assert REGRESSION.split_faults(("age",), np.arange(20.0)[:, None], 0.2) == []
    (fault,) = REGRESSION.split_faults(("age",), GOOD, 0.2)
    assert fault.startswith("'age': 10 known values, about 2 of them for testing at the test fraction 0.2; expected 3")


def test_strata_are_quantiles_with_equal_values_together() -> None:
    values = np.random.default_rng(0).permutation(300.0 * np.arange(400))
    strata = REGRESSION.strata(values[:, None])
    np.testing.assert_array_equal(strata, np.argsort(np.argsort(values)) // 40)
    many_equal = np.concatenate([np.zeros(950), np.arange(1.0, 51)])
    assert np.unique(REGRESSION.strata(many_equal[:, None])).tolist() == [0]
    half_equal = np.concatenate([np.zeros(500), np.arange(1.0, 501)])
    sizes = np.bincount(REGRESSION.strata(half_equal[:, None]))
    assert sizes.tolist() == [500, 100, 100, 100, 100, 100]


@pytest.mark.parametrize("n", [1, 5, 19, 45, 210, 1000])
def test_strata_are_large_enough_to_be_dealt(n: int) -> None:
    rng = np.random.default_rng(n)
    for values in (rng.standard_normal((n, 1)), rng.integers(0, 5, (n, 1)) * 1.0, rng.standard_normal((n, 3))):
        sizes = np.bincount(REGRESSION.strata(values))
        assert sizes.min() >= min(n, 10) and len(sizes) <= 10


def test_strata_of_several_outputs_follow_what_they_share_and_not_their_units_or_the_rows_order() -> None:
    rng = np.random.default_rng(0)
    shared = rng.standard_normal(400)
    values = np.stack([shared + 0.1 * rng.standard_normal(400) for _ in range(3)], axis=1)
    values[rng.random(values.shape) < 0.1] = np.nan
    strata = REGRESSION.strata(values)
    assert spearmanr(strata, shared).statistic > 0.9
    assert (REGRESSION.strata(values * [1, 1e6, 1e-6] + [0, 5, 9]) == strata).mean() > 0.99
    order = rng.permutation(400)
    np.testing.assert_array_equal(REGRESSION.strata(values[order]), strata[order])


def candidates() -> tuple[np.ndarray, np.ndarray]:
    """Return values with some missing, and predictions of four candidates: good, better, constant, overflowed."""
    rng = np.random.default_rng(0)
    y = rng.standard_normal((90, 2)) + 1e6
    y[rng.random(y.shape) < 0.2] = np.nan
    full = np.where(np.isnan(y), 1e6, y)
    noise = rng.standard_normal(y.shape)
    return y, np.stack([full + noise, full + 0.5 * noise, np.full(y.shape, 1e6), np.full(y.shape, 1e200)])


@pytest.mark.parametrize("by", BOUNDS)
def test_a_criterion_is_the_score_of_all_rows_however_they_come(by: str) -> None:
    y, predicted = candidates()
    whole, parts, stretches = (Regression(by).criterion(4, probabilistic=False) for _ in range(3))
    whole.add(slice(None), predicted, y, np.ones(90))
    for rows in (slice(0, 7), slice(7, 50), slice(50, 90)):
        parts.add(slice(None), predicted[:, rows], y[rows], np.ones(len(y[rows])))
    for some in (slice(0, 3), slice(3, 6)):
        stretches.add(some, predicted[some], y, np.ones(90))
    judged = whole.judgement()
    for other in (parts, stretches):
        np.testing.assert_allclose(other.judgement().good, judged.good, rtol=1e-9)
    for k in (0, 1):
        expected = statistic(by, y, predicted[k]).of(np.ones((90, 1)))[0, 0]
        assert judged.record[by][k] == pytest.approx(expected, rel=1e-7)
    assert judged.good.argmax() == 1
    assert np.isfinite(judged.record[by]).all()
    assert judged.good[2] < judged.good[1] and judged.good[3] < judged.good[1]


def test_criteria_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    y, predicted = rng.standard_normal((2, 50, 3))
    for by, peer, sign in (("r2", r2_score, 1), ("mae", mean_absolute_error, -1)):
        criterion = Regression(by).criterion(1, probabilistic=False)
        criterion.add(slice(None), predicted[None], y, np.ones(50))
        assert criterion.judgement().good[0] == pytest.approx(sign * peer(y, predicted))


def test_an_unknown_criterion_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of r2, mae, rmse, pearson, spearman, kendall"):
        Regression("accuracy")


@pytest.mark.parametrize("folds", [0, 5, "loo"])
def test_the_value_that_is_chosen_has_the_best_r2(folds: int | str) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 30)).astype(np.float32)
    y = X[:, :2].astype(np.float64) + rng.standard_normal((200, 2))
    y[rng.random(y.shape) < 0.1] = np.nan
    digests = rng.integers(0, 256, (200, 32)).astype(np.uint8)
    spec = head_spec("ridge", (1e-3, 30.0, 1e7), folds=folds, target="regression")
    head, selection = fit_rows(TrainingRows(X, y, 2, spec, "regression"), digests, ("a", "b"))
    assert selection.value == 30.0
    assert selection.scores["r2"].index(max(selection.scores["r2"])) == 1
    assert not selection.accuracy and selection.temperature is None
    new = rng.standard_normal((500, 30)).astype(np.float32)
    assert r2_score(new[:, :2], head.decision_values(new)) > 0.7
