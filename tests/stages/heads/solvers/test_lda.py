from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from frostline.stages.heads.solvers.lda import LDASolver
from support.rows import (
    Data,
    a_class_of_one_row,
    badly_scaled,
    constant_column,
    duplicate_columns,
    half_precision,
)

GRID = (1e-3, 0.1, 0.7, 1.0)


def plain(n=120, d=16, classes=4, spread=1.0) -> Data:
    rng = np.random.default_rng(0)
    y = np.arange(n) % classes
    y[: n // 4] = 0
    X = rng.standard_normal((n, d)) * np.linspace(0.5, 2, d) + spread * rng.standard_normal((classes, d))[y] + 3
    return X.astype(np.float32), y


def few_rows() -> Data:
    return plain(n=30, d=80, spread=0.3)


def column_constant_within_classes() -> Data:
    X, y = plain()
    X[:, 2] = 0.1 * y
    return X, y


HARD = {
    "plain": plain(),
    "constant_column": constant_column(plain()),
    "duplicate_columns": duplicate_columns(plain()),
    "column_constant_within_classes": column_constant_within_classes(),
    "badly_scaled": badly_scaled(plain(), 2),
    "few_rows": few_rows(),
    "a_class_of_one_row": a_class_of_one_row(plain(classes=3)),
    "two_classes": plain(classes=2, spread=0.3),
    "half_precision": half_precision(plain()),
}


def solver(X, y) -> LDASolver:
    return LDASolver(X, y, int(y.max()) + 1)


@pytest.mark.parametrize("name", HARD)
@pytest.mark.parametrize("theirs", ["lsqr", "eigen"])
@pytest.mark.filterwarnings("ignore:Only one sample available")
def test_probabilities_are_those_of_scikit_learn(name: str, theirs: str) -> None:
    X, y = HARD[name]
    proba = solver(X, y).fit(GRID, np.ones(len(y))).decision_values(X.astype(np.float64))
    for index, shrinkage in enumerate(GRID):
        model = LinearDiscriminantAnalysis(solver=theirs, shrinkage=shrinkage).fit(X.astype(np.float64), y)
        np.testing.assert_allclose(proba[index], model.predict_proba(X.astype(np.float64)), atol=1e-6)


def test_without_shrinkage_probabilities_are_scikit_learns_too() -> None:
    X, y = plain()
    proba = solver(X, y).fit((0.0,), np.ones(len(y))).decision_values(X.astype(np.float64))
    model = LinearDiscriminantAnalysis(solver="lsqr").fit(X.astype(np.float64), y)
    np.testing.assert_allclose(proba[0], model.predict_proba(X.astype(np.float64)), atol=1e-9)


def test_probabilities_are_bayes_rule_with_the_shrunk_gaussians_themselves() -> None:
    from scipy.stats import multivariate_normal

    X, y = plain()
    weights = np.random.default_rng(1).uniform(0.2, 3, len(y))
    means = np.stack([np.average(X[y == c], axis=0, weights=weights[y == c]) for c in range(4)])
    within = np.cov((X - means[y]).T, aweights=weights, bias=True)
    shrunk = 0.7 * within + 0.3 * np.trace(within) / 16 * np.eye(16)
    likelihood = np.stack([multivariate_normal(m, shrunk).pdf(X) for m in means], 1) * np.bincount(y, weights)
    proba = solver(X, y).fit((0.3,), weights).decision_values(X.astype(np.float64))[0]
    np.testing.assert_allclose(proba, likelihood / likelihood.sum(1, keepdims=True), atol=1e-9)


@pytest.mark.parametrize("rows", [plain, few_rows])
def test_a_row_of_weight_two_is_two_rows_and_one_of_weight_zero_none(rows: Callable[[], Data]) -> None:
    X, y = rows()
    counts = np.random.default_rng(2).integers(0, 3, len(y))
    weighted = solver(X, y).fit(GRID, counts.astype(float))
    repeated = LDASolver(np.repeat(X, counts, 0), np.repeat(y, counts), 4).fit(GRID, np.ones(counts.sum()))
    np.testing.assert_allclose(weighted.weight, repeated.weight, atol=1e-7)
    np.testing.assert_allclose(weighted.bias, repeated.bias, atol=1e-6)


def test_a_class_without_weight_has_probability_zero_and_no_weight_vector() -> None:
    X, y = plain()
    path = solver(X, y).fit(GRID, (y != 2).astype(float))
    assert (path.bias[:, 2] == -np.inf).all() and not path.weight[:, 2].any()
    assert not path.decision_values(X)[..., 2].any()


def test_a_constant_column_gets_no_weight() -> None:
    X, y = HARD["constant_column"]
    weight = solver(X, y).fit(GRID, np.ones(len(y))).weight
    assert np.abs(weight[..., [3, 5]]).max() < 1e-9


def test_a_head_of_the_path_has_the_probabilities_of_the_path() -> None:
    X, y = plain()
    path = solver(X, y).fit(GRID, np.ones(len(y)))
    proba = path.head(1, ("a", "b", "c", "d")).decision_values(X)
    np.testing.assert_allclose(proba, path.decision_values(X)[1], atol=1e-4)
    np.testing.assert_allclose(proba.sum(1), 1)


@pytest.mark.parametrize("name", ["constant_column", "duplicate_columns", "few_rows"])
def test_no_shrinkage_where_the_covariance_has_no_inverse_is_refused_with_a_remedy(name: str) -> None:
    X, y = HARD[name]
    with pytest.raises(ValueError, match=r"span \d+ of \d+ dimensions.*set a shrinkage above 0"):
        solver(X, y).fit((0.0, 0.5), np.ones(len(y)))


def test_rows_equal_to_their_class_means_are_refused() -> None:
    y = np.arange(8) % 4
    with pytest.raises(ValueError, match="no row differs from the mean of its class"):
        LDASolver(np.eye(4, 3, dtype=np.float32)[y], y, 4).fit((0.5,), np.ones(8))


@pytest.mark.parametrize("grid", [(-0.1,), (1.1,), (np.nan,), ()])
def test_a_shrinkage_beyond_0_to_1_is_refused(grid: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"shrinkage is .* finite value from 0, 1 at most"):
        solver(*plain()).fit(grid, np.ones(120))
