"""The linear support vector machine on the hard rows of logistic regression's tests."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from sklearn.svm import LinearSVC

from frostline.stages.heads.newton.penalised import PenalisedPath
from frostline.stages.heads.newton.preconditioner import _inverse_factor
from frostline.stages.heads.solvers.svm import SVMSolver
from support.hard_rows import GRID, HARD
from support.hinge import objective
from support.rows import clustered, scored

BEYOND = {"few_badly_scaled_rows": 1e3}  # the largest C that is certain to be reached, in any precision


def solved(name: str, **options) -> PenalisedPath:
    X, y = HARD[name]
    return SVMSolver(X, y, int(y.max()) + 1, **options).fit(GRID, np.ones(len(y)))


def least(X, y, C: float) -> float:
    """What the better of scikit-learn and scipy reaches in float64, summed over the classes."""
    return sum(one_against_the_rest(X.astype(float), np.where(y == label, 1, -1), C) for label in range(y.max() + 1))


def one_against_the_rest(X, target, C: float) -> float:
    rows = (X, target, C, np.ones(len(X)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # neither converges on all of these rows
        theirs = LinearSVC(C=C, dual=False, tol=1e-10, intercept_scaling=1e3, max_iter=1000).fit(X, target)
    start = np.append(theirs.coef_[0], theirs.intercept_)
    options = {"gtol": 1e-9, "ftol": 1e-15, "maxiter": 1000, "maxfun": 1000, "maxcor": 50}
    found = (minimize(objective, x, rows, jac=True, method="L-BFGS-B", options=options) for x in (start, 0 * start))
    return min(float(each.fun) for each in found)


@pytest.mark.parametrize("name", HARD)
def test_each_objective_is_within_1e_5_of_the_best_solver_and_says_so(name: str) -> None:
    X, y = HARD[name]
    path = solved(name)
    for index, C in enumerate(GRID):
        assert path.converged[index] or BEYOND.get(name, np.inf) < C, path.gap
        if path.converged[index]:
            assert path.objective[index] <= least(X, y, C) * (1 + 1e-5), C


@pytest.mark.parametrize("name", HARD)
@pytest.mark.parametrize("tolerance", [1e-2, 1e-5])
def test_no_objective_is_further_from_a_tight_float64_one_than_its_gap_says(name: str, tolerance: float) -> None:
    loose, tight = solved(name, tolerance=tolerance), solved(name, tolerance=1e-6, dtype="float64")
    above = loose.objective / tight.objective - 1
    assert (above <= loose.gap + 1e-8).all(), above
    known = np.array(GRID) <= BEYOND.get(name, np.inf)
    assert tight.converged[known].all() and (above[known] > -1e-6).all(), (tight.gap, above)


@pytest.mark.parametrize("noise", [0.0, 0.5, 3.0])
@pytest.mark.parametrize(("n", "d"), [(900, 200), (160, 400)])
def test_rows_that_can_be_told_apart_converge_and_their_gap_holds(n: int, d: int, noise: float) -> None:
    X, y = scored(n, d, 5, noise)
    grid = tuple(10.0 ** np.arange(-4, 4))
    weights = np.ones(n)
    loose, tight = (
        SVMSolver(X, y, 5, **options).fit(grid, weights)
        for options in ({"tolerance": 1e-3}, {"tolerance": 1e-8, "dtype": "float64"})
    )
    assert loose.converged.all() and tight.converged.all(), (loose.gap, tight.gap)
    assert (loose.objective / tight.objective - 1 <= loose.gap + 1e-9).all()


def test_many_classes_reach_a_tight_float64_objective() -> None:
    X, y = clustered(1200, 12, 300)
    path, tight = (
        SVMSolver(X, y, 300, **options).fit((0.1,), np.ones(1200))
        for options in ({}, {"tolerance": 1e-8, "dtype": "float64"})
    )
    assert path.converged.all() and tight.converged.all()
    assert (path.objective <= tight.objective * (1 + 1e-5)).all()


def test_a_class_whose_step_must_be_short_does_not_shorten_those_of_others() -> None:
    X, y = HARD["few_rows"]
    path = solved("few_rows")
    assert path.converged.all() and path.iterations.max() < 15, path.iterations
    again = SVMSolver(X, y, 4).fit(GRID[::-1], np.ones(len(y)))
    np.testing.assert_array_equal(again.objective[::-1], path.objective)


def test_few_rows_in_single_precision_have_a_factor_all_the_same() -> None:
    rows = torch.randn(30, 200, generator=torch.Generator().manual_seed(0))
    factor = _inverse_factor(rows, torch.ones(30), rows.square().sum(0))
    assert factor.isfinite().all() and factor.diagonal().min() > 0


@pytest.mark.parametrize("seed", range(6))
def test_weights_of_very_different_rows_converge(seed: int) -> None:
    X, y = clustered(150, 30, 4)
    weights = 10.0 ** np.random.default_rng(seed).uniform(-8, 4, len(y))
    path = SVMSolver(X, y, 4).fit((1e-4, 1e-2, 1.0, 1e2, 1e4), weights)
    assert path.converged.all(), path.gap
