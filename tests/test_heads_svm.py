from __future__ import annotations

import warnings

import numpy as np
import pytest
from rows import Data, clustered
from scipy.optimize import minimize
from sklearn.svm import LinearSVC

from stages.heads.svm import SVMSolver

GRID = (1e-3, 0.1)


def plain(n: int = 120, d: int = 6, classes: int = 4) -> Data:
    return clustered(n, d, classes)


def solver(X, y, **options) -> SVMSolver:
    return SVMSolver(X, y, int(y.max()) + 1, **options)


@pytest.mark.parametrize(("n", "d"), [(120, 6), (25, 40)])
@pytest.mark.parametrize("classes", [2, 4])
def test_each_class_minimises_the_squared_hinge_loss_against_the_rest(n: int, d: int, classes: int) -> None:
    X, y = plain(n, d, classes)
    weights = np.random.default_rng(1).uniform(0.5, 2, n)
    path = solver(X, y).fit(GRID, weights)
    assert path.converged.all() and not path.probabilistic
    rows = np.concatenate((X, np.ones((n, 1))), 1).astype(float)
    for index, C in enumerate(GRID):
        for label in range(classes):
            target = np.where(y == label, 1, -1)

            def objective(theta, target=target, C=C):
                slack = np.maximum(0, 1 - target * (rows @ theta))
                gradient = theta - 2 * C * rows.T @ (weights * target * slack)
                return 0.5 * theta @ theta + C * weights @ slack**2, gradient

            best = minimize(objective, np.zeros(d + 1), jac=True, options={"gtol": 1e-9}).fun
            reached = objective(np.append(path.weight[index, label], path.bias[index, label]))[0]
            assert reached <= best * (1 + 1e-3)


@pytest.mark.parametrize("classes", [2, 3])
def test_predictions_are_scikit_learns(classes: int) -> None:
    X, y = plain(classes=classes)
    scores = solver(X, y).fit(GRID, np.ones(len(y))).confidence(X)
    for index, C in enumerate(GRID):
        theirs = LinearSVC(C=C, random_state=0).fit(X.astype(float), y).predict(X.astype(float))
        np.testing.assert_array_equal(scores[index].argmax(1), theirs)


@pytest.mark.parametrize("left_out", [0, 2])
def test_a_row_of_weight_zero_is_a_row_left_out_and_its_class_never_chosen(left_out: int) -> None:
    X, y = plain(classes=3)
    path = solver(X, y).fit(GRID, (y != left_out).astype(float))
    two = np.delete(np.arange(3), left_out)
    alone = SVMSolver(X[y != left_out], np.searchsorted(two, y[y != left_out]), 2).fit(GRID, np.ones(80))
    np.testing.assert_allclose(path.weight[:, two], alone.weight)
    assert (path.bias[:, left_out] == -np.inf).all() and not path.weight[:, left_out].any()


def test_too_few_iterations_are_told_by_converged_and_not_by_warnings() -> None:
    X, y = plain()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = solver(1000 * X, y, max_iter=1).fit((1e-6, 1e3), np.ones(len(y)))
    assert not path.converged[1]


def test_a_constant_column_and_half_precision_are_taken() -> None:
    X, y = plain()
    X[:, 3] = 7
    path = solver(X.astype(np.float16), y).fit(GRID, np.ones(len(y)))
    assert np.isfinite(path.weight).all() and (path.confidence(X)[1].argmax(1) == y).mean() > 0.6


def test_rows_of_one_class_and_a_strength_of_zero_are_refused() -> None:
    X, y = plain()
    with pytest.raises(ValueError, match="rows of 1 class"):
        solver(X, y).fit(GRID, (y == 1).astype(float))
    with pytest.raises(ValueError, match="C is"):
        solver(X, y).fit((0.0,), np.ones(len(y)))
