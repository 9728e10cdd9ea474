"""Ridge regression is scikit-learn's for every alpha, also where values are missing; rows left out are exact."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge, RidgeCV

from frostline.stages.heads.solvers.ridge_regression import RidgeRegressionSolver
from support.rows import badly_scaled, constant_column, duplicate_columns, half_precision

ALPHAS = (1e-3, 0.3, 1e2, 1e5)
Data = tuple[np.ndarray, np.ndarray]


def values(n: int, d: int, outputs: int = 3, missing: float = 0.0) -> Data:
    rng = np.random.default_rng(n)
    X = rng.standard_normal((n, d)) + 0.5
    y = X @ rng.standard_normal((d, outputs)) + 3 * rng.standard_normal((n, outputs)) + 1000
    y[rng.random(y.shape) < missing] = np.nan
    return X, y


def in_single(rows: Data) -> Data:
    return rows[0].astype(np.float32), rows[1]


DATA = {
    "many rows": values(120, 16),
    "few rows": values(30, 80),
    "one output": values(120, 16, 1),
    "single precision": in_single(values(120, 16)),
    "half precision": half_precision(values(120, 16)),
    "constant columns": constant_column(values(120, 16)),
    "equal columns": duplicate_columns(values(120, 16)),
    "badly scaled": badly_scaled(values(120, 16), 2),
    "missing": values(120, 16, missing=0.2),
    "missing, few rows": values(30, 80, missing=0.2),
}


def peer(X: np.ndarray, y: np.ndarray, alpha: float, weights: np.ndarray) -> np.ndarray:
    """Return scikit-learn's predictions of every row, output by output, from the rows in which it is known."""
    X, found = X.astype(np.float64), []
    for column in y.T:
        known = ~np.isnan(column)
        found.append(Ridge(alpha, solver="svd").fit(X[known], column[known], weights[known]).predict(X))
    return np.stack(found, 1)


@pytest.mark.parametrize("name", DATA)
def test_predictions_are_scikit_learns(name: str) -> None:
    X, y = DATA[name]
    weights = np.random.default_rng(0).random(len(X)) + 0.5
    path = RidgeRegressionSolver(X, y, y.shape[1]).fit(ALPHAS, weights)
    found = path.decision_values(X.astype(np.float64))
    for a, alpha in enumerate(ALPHAS):
        np.testing.assert_allclose(found[a], peer(X, y, alpha, weights), rtol=1e-8)
        head = path.head(a, tuple("abc"[: y.shape[1]]))
        np.testing.assert_allclose(head.decision_values(X), found[a], rtol=1e-12)


@pytest.mark.parametrize("name", ["many rows", "few rows", "missing", "missing, few rows"])
def test_a_row_left_out_is_predicted_as_by_the_head_fitted_without_it(name: str) -> None:
    X, y = DATA[name]
    solver = RidgeRegressionSolver(X, y, y.shape[1])
    found = solver.leave_one_out(ALPHAS, np.ones(len(X)))
    for row in range(0, len(X), 7):
        others = RidgeRegressionSolver(X, y, y.shape[1]).fit(ALPHAS, (np.arange(len(X)) != row).astype(float))
        np.testing.assert_allclose(found[:, row], others.decision_values(X[[row]])[:, 0], rtol=1e-8)


def test_rows_left_out_are_predicted_as_by_scikit_learns_ridge_cv() -> None:
    X, y = DATA["many rows"]
    found = RidgeRegressionSolver(X, y, 3).leave_one_out(ALPHAS, np.ones(len(X)))
    for column, ours in zip(y.T, np.moveaxis(found, 2, 0), strict=True):
        theirs = RidgeCV(ALPHAS, store_cv_results=True, scoring="r2", gcv_mode="svd").fit(X, column)
        np.testing.assert_allclose(ours.T, theirs.cv_results_, rtol=1e-8)


def test_rows_of_no_weight_are_not_there() -> None:
    X, y = DATA["missing"]
    used = np.arange(len(X)) % 3 > 0
    one = RidgeRegressionSolver(X, y, 3).fit(ALPHAS, used.astype(float))
    other = RidgeRegressionSolver(X[used], y[used], 3).fit(ALPHAS, np.ones(used.sum()))
    np.testing.assert_allclose(one.decision_values(X), other.decision_values(X), rtol=1e-10)


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (np.ones(30), "values of shape"),
        (np.full((30, 1), np.inf), "infinite"),
        (np.full((30, 1), np.nan), "no row with a known value"),
    ],
)
def test_values_of_no_use_are_refused(y: np.ndarray, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        RidgeRegressionSolver(DATA["few rows"][0], y, 1).fit((1.0,), np.ones(30))
