from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.svm import LinearSVC

from frostline.stages.heads.solvers.svm import SVMSolver
from support.hinge import objective
from support.rows import Data, clustered

GRID = (1e-3, 0.1, 10.0)


def plain(n: int = 120, d: int = 6, classes: int = 4) -> Data:
    return clustered(n, d, classes)


def solver(X, y, **options) -> SVMSolver:
    return SVMSolver(X, y, int(y.max()) + 1, **options)


@pytest.mark.parametrize(("n", "d"), [(120, 6), (25, 40), (2000, 60)])
@pytest.mark.parametrize("classes", [2, 4])
def test_every_class_minimises_the_squared_hinge_loss_against_the_rest(n: int, d: int, classes: int) -> None:
    X, y = plain(n, d, classes)
    weights = np.random.default_rng(1).uniform(0.5, 2, n)
    path = solver(X, y).fit(GRID, weights)
    assert path.converged.all() and not path.probabilistic
    for index, C in enumerate(GRID):
        least = sum(optimum(X, np.where(y == label, 1, -1), C, weights) for label in range(classes))
        assert path.objective[index] == pytest.approx(least, rel=1.1e-5)
        reached = sum(
            objective(np.append(w, b), X, np.where(y == label, 1, -1), C, weights)[0]
            for label, (w, b) in enumerate(zip(path.weight[index], path.bias[index], strict=True))
        )
        assert path.objective[index] == pytest.approx(reached, rel=1e-9)


def optimum(X, target, C, weights) -> float:
    start = np.zeros(X.shape[1] + 1)
    options = {"gtol": 1e-9, "ftol": 1e-15, "maxiter": 100_000, "maxfun": 100_000, "maxcor": 50}
    found = minimize(objective, start, (X, target, C, weights), jac=True, method="L-BFGS-B", options=options)
    return float(found.fun)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_machines_are_scikit_learns_where_its_bias_is_hardly_penalised(classes: int) -> None:
    X, y = plain(classes=classes)
    path = solver(X, y, tolerance=1e-12, dtype="float64").fit(GRID, np.ones(len(y)))
    for index, C in enumerate(GRID):
        theirs = LinearSVC(C=C, dual=False, tol=1e-10, intercept_scaling=1e3, max_iter=10_000).fit(X.astype(float), y)
        own = slice(1, 2) if classes == 2 else slice(None)
        np.testing.assert_allclose(path.weight[index, own], theirs.coef_, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(path.bias[index, own], theirs.intercept_, rtol=1e-3, atol=1e-4)


def test_moved_features_are_told_apart_by_the_same_weights() -> None:
    X, y = plain()
    here, there = (solver(rows, y, tolerance=1e-10, dtype="float64").fit(GRID, np.ones(len(y))) for rows in (X, X + 5))
    np.testing.assert_allclose(there.weight, here.weight, rtol=1e-4, atol=1e-6)


def test_many_weightings_are_solved_together_as_they_are_alone() -> None:
    X, y = plain()
    weights = (np.random.default_rng(0).random((3, len(y))) > 0.3).astype(float)
    fit = solver(X, y)
    for together, own in zip(fit.fit_each(GRID, weights), weights, strict=True):
        np.testing.assert_allclose(together.objective, fit.fit(GRID, own).objective, rtol=2e-5)


@pytest.mark.parametrize("left_out", [0, 2])
def test_a_row_of_weight_zero_is_a_row_left_out_and_its_class_never_chosen(left_out: int) -> None:
    X, y = plain(classes=3)
    tight = {"tolerance": 1e-10, "dtype": "float64"}
    path = solver(X, y, **tight).fit(GRID, (y != left_out).astype(float))
    two = np.delete(np.arange(3), left_out)
    rows = y != left_out
    alone = SVMSolver(X[rows], np.searchsorted(two, y[rows]), 2, **tight).fit(GRID, np.ones(80))
    np.testing.assert_allclose(path.weight[:, two], alone.weight, rtol=1e-3, atol=1e-5)
    assert (path.bias[:, left_out] == -np.inf).all() and not path.weight[:, left_out].any()


def test_too_few_iterations_are_told_by_converged_and_not_by_warnings() -> None:
    X, y = plain()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = solver(1000 * X, y, max_iterations=1).fit((1e-6, 1e3), np.ones(len(y)))
    assert not path.converged[1]


def test_a_constant_column_and_half_precision_are_taken() -> None:
    X, y = plain()
    X[:, 3] = 7
    path = solver(X.astype(np.float16), y).fit(GRID, np.ones(len(y)))
    assert path.converged.all() and np.isfinite(path.weight).all()
    assert (path.decision_values(X)[1].argmax(1) == y).mean() > 0.6


def test_rows_without_an_error_to_make_converge() -> None:
    X = np.array([[-1.0, 0], [-2, 0], [1, 0], [2, 0]], np.float32)
    path = solver(X, np.array([0, 0, 1, 1])).fit((1e-3, 1.0, 1e6), np.ones(4))
    assert path.converged.all()
    np.testing.assert_allclose(path.weight[2], [[-1, 0], [1, 0]], atol=1e-4)
    np.testing.assert_allclose(path.bias[2], 0, atol=1e-4)


def test_rows_of_one_class_and_a_strength_of_zero_are_refused() -> None:
    X, y = plain()
    with pytest.raises(ValueError, match="fewer than two classes"):
        solver(X, y).fit(GRID, (y == 1).astype(float))
    with pytest.raises(ValueError, match="C is"):
        solver(X, y).fit((0.0,), np.ones(len(y)))
