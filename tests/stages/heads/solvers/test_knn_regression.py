"""A neighbour's mean is what a search in plain NumPy gives."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsRegressor

from frostline.stages.heads.solvers.knn_regression import NeighbourRegressionSolver

GRID = (1, 5, 60, 500)


def values(n: int = 90, missing: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 8)).astype(np.float32)
    y = X[:, :3].astype(np.float64) + 10
    y[rng.random(y.shape) < missing] = np.nan
    return X, y


def plain(X: np.ndarray, y: np.ndarray, query: np.ndarray, k: int, temperature: float) -> np.ndarray:
    rows, query = X / np.linalg.norm(X, axis=1)[:, None], query / np.linalg.norm(query)
    found = []
    for column in y.T:
        known = ~np.isnan(column)
        cosine = (rows @ query)[known]
        nearest = np.argsort(-cosine)[:k]
        share = np.exp(cosine[nearest].astype(np.float64) / temperature)
        found.append((share * column[known][nearest]).sum() / share.sum())
    return np.array(found)


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_predictions_are_weighted_means_of_the_nearest_known_rows(missing: float) -> None:
    X, y = values(missing=missing)
    found = NeighbourRegressionSolver(X, y, 3, temperature=0.1).fit(GRID, np.ones(90)).decision_values(X[:20] + 0.1)
    for i, k in enumerate(GRID):
        expected = [plain(X, y, query, k, 0.1) for query in X[:20] + 0.1]
        np.testing.assert_allclose(found[i], expected, rtol=1e-5)


def test_at_a_high_temperature_it_is_scikit_learns_on_rows_of_unit_length() -> None:
    X, y = values()
    unit = X / np.linalg.norm(X, axis=1)[:, None]
    found = NeighbourRegressionSolver(X, y, 3, temperature=1e9).fit((5,), np.ones(90)).decision_values(X)[0]
    np.testing.assert_allclose(found, KNeighborsRegressor(5).fit(unit, y).predict(unit), rtol=1e-6)


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_a_row_left_out_is_predicted_from_the_others(missing: float) -> None:
    X, y = values(missing=missing)
    found = NeighbourRegressionSolver(X, y, 3).leave_one_out(GRID, np.ones(90))
    for row in range(0, 90, 11):
        others = NeighbourRegressionSolver(X, y, 3).fit(GRID, (np.arange(90) != row).astype(float))
        np.testing.assert_allclose(found[:, row], others.decision_values(X[[row]])[:, 0], rtol=1e-6)


def test_weights_count_as_often_as_rows_do() -> None:
    X, y = values()
    weights = np.ones(90)
    weights[:30] = 2
    twice = np.concatenate([X, X[:30]]), np.concatenate([y, y[:30]])
    one = NeighbourRegressionSolver(X, y, 3).fit((500,), weights).decision_values(X)
    other = NeighbourRegressionSolver(*twice, 3).fit((500,), np.ones(120)).decision_values(X)
    np.testing.assert_allclose(one, other, rtol=1e-6)


def test_what_can_not_be_used_is_refused() -> None:
    X, y = values()
    with pytest.raises(ValueError, match="whole numbers"):
        NeighbourRegressionSolver(X, y, 3).fit((1.5,), np.ones(90))
    with pytest.raises(ValueError, match="temperature is 0"):
        NeighbourRegressionSolver(X, y, 3, temperature=0)
    with pytest.raises(ValueError, match="no known value"):
        NeighbourRegressionSolver(X, np.where(np.arange(3) == 1, np.nan, y), 3).fit((5,), np.ones(90))
