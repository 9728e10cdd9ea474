"""The linear layer finds the least squares, in any unit, and leaves unknown values out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression

from frostline.stages.heads.solvers.sgd_regression import SgdRegressionSolver, SquaredError
from frostline.stages.heads.solvers.weighted_rows import unlabelled_rows


def values(missing: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 6)).astype(np.float32)
    y = (X @ rng.standard_normal((6, 2)) + 0.1 * rng.standard_normal((400, 2))) * [1, 1e6] + [5, -1e7]
    y[rng.random(y.shape) < missing] = np.nan
    return X, y


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_it_comes_close_to_the_least_squares_whatever_the_unit(missing: float) -> None:
    X, y = values(missing)
    path = SgdRegressionSolver(X, y, 2, steps=800).fit((0.01, 0.05), np.ones(400))
    assert path.converged.all() and not path.probabilistic
    for k, column in enumerate(y.T):
        known = ~np.isnan(column)
        exact = LinearRegression().fit(X[known], column[known]).predict(X)
        np.testing.assert_allclose(path.decision_values(X)[1, :, k], exact, atol=0.02 * np.nanstd(column))


def test_features_of_any_unit_and_origin_give_the_same_values() -> None:
    X, y = values()
    plain, moved = (
        SgdRegressionSolver(rows, y, 2, steps=100).fit((0.05,), np.ones(400)).decision_values(rows)[0]
        for rows in (X.astype(np.float64), X * 64.0 + 1024.0)
    )
    np.testing.assert_allclose(moved, plain, atol=2e-4 * y.std(0).max())


def test_a_rate_does_not_depend_on_the_others_nor_rows_of_no_weight_on_anything() -> None:
    X, y = values()
    one = SgdRegressionSolver(X, y, 2, steps=50).fit((0.01,), np.ones(400)).weight[0]
    np.testing.assert_allclose(
        SgdRegressionSolver(X, y, 2, steps=50).fit((0.001, 0.01), np.ones(400)).weight[1], one, rtol=1e-5
    )
    used = np.arange(400) % 2 > 0
    some = SgdRegressionSolver(X[used], y[used], 2, steps=50).fit((0.01,), np.ones(200)).weight
    same = SgdRegressionSolver(X, y, 2, steps=50).fit((0.01,), used.astype(float)).weight
    np.testing.assert_allclose(some, same, rtol=1e-6)


def test_a_rate_that_overflows_predicts_the_mean_and_says_so() -> None:
    X, y = values()
    path = SgdRegressionSolver(X, y, 2, steps=300).fit((0.01, 1e6), np.ones(400))
    assert path.converged.tolist() == [True, False]
    np.testing.assert_allclose(path.decision_values(X)[1], np.broadcast_to(y.mean(0), y.shape))


def test_an_output_that_is_constant_or_unknown() -> None:
    X, y = values()
    y[:, 0] = 7
    found = SgdRegressionSolver(X, y, 2, steps=100).fit((0.05,), np.ones(400)).decision_values(X)[0, :, 0]
    assert np.isfinite(found).all() and abs(found.mean() - 7) < 0.1
    y[:, 0] = np.nan
    with pytest.raises(ValueError, match="no known value"):
        SgdRegressionSolver(X, y, 2, steps=100).fit((0.05,), np.ones(400))


def test_the_gradient_of_an_output_is_that_of_the_rows_in_which_it_is_known() -> None:
    X, y = values(missing=0.4)
    theta = torch.randn(2, 7, generator=torch.Generator().manual_seed(0))
    rows = unlabelled_rows(X, np.ones(400))
    found = SquaredError(rows, 2.0, y / 1e6, "cpu").gradient(theta, torch.arange(400))
    x = np.concatenate([(X - X.mean(0)) / 2, np.ones((400, 1))], 1)
    for k in range(2):
        known = ~np.isnan(y[:, k])
        error = x[known] @ theta[k].numpy() - y[known, k] / 1e6
        np.testing.assert_allclose(found[k], error @ x[known] / known.sum(), rtol=1e-3, atol=1e-4)
