from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier, RidgeClassifierCV

from frostline.stages.heads.solvers.ridge import RidgeSolver
from support.rows import (
    Data,
    a_class_of_one_row,
    badly_scaled,
    constant_column,
    duplicate_columns,
    half_precision,
    scored,
)

ALPHAS = (1e-3, 0.3, 1e2, 1e5)


def plain(n=120, d=16, classes=4) -> Data:
    return scored(n, d, classes, noise=3.0, centre=0.5)


def few_rows() -> Data:
    return plain(n=30, d=80)


def few_rows_some_twice() -> Data:
    X, y = few_rows()
    return np.concatenate((X, X[:5])), np.concatenate((y, (y[:5] + 1) % 4))


HARD = {
    "plain": plain(),
    "constant_column": constant_column(plain()),
    "duplicate_columns": duplicate_columns(plain()),
    "badly_scaled": badly_scaled(plain(), 3),
    "few_rows": few_rows(),
    "few_rows_some_twice": few_rows_some_twice(),
    "as_many_rows_as_columns": plain(n=16, d=16, classes=3),
    "a_class_of_one_row": a_class_of_one_row(plain(classes=3)),
    "two_classes": plain(classes=2),
    "half_precision": half_precision(plain()),
}


def scikit_learns(X, y, alpha, weights=None) -> np.ndarray:
    """Decision values of every class, by the exact solver in float64."""
    model = RidgeClassifier(alpha=alpha, solver="svd").fit(X.astype(np.float64), y, weights)
    scores = model.decision_function(X.astype(np.float64))
    return np.stack((-scores, scores), 1) if scores.ndim == 1 else scores


def solver(X, y) -> RidgeSolver:
    return RidgeSolver(X, y, int(y.max()) + 1)


def refitted(X, y, weights, row) -> np.ndarray:
    """The row's scores (k, classes) by heads fitted on the other rows."""
    path = solver(X, y).fit(ALPHAS, weights * (np.arange(len(y)) != row))
    return (X[row].astype(np.float64) @ np.swapaxes(path.weight, 1, 2)) + path.bias


@pytest.mark.parametrize("name", HARD)
def test_scores_are_those_of_scikit_learns_exact_solver(name: str) -> None:
    X, y = HARD[name]
    path = solver(X, y).fit(ALPHAS, np.ones(len(y)))
    scores = path.decision_values(X.astype(np.float64))
    for index, alpha in enumerate(ALPHAS):
        np.testing.assert_allclose(scores[index], scikit_learns(X, y, alpha), atol=1e-5)


@pytest.mark.parametrize("rows", [plain, few_rows])
def test_row_weights_are_scikit_learns_sample_weights(rows: Callable[[], Data]) -> None:
    X, y = rows()
    weights = np.random.default_rng(1).uniform(0.1, 4, len(y))
    scores = solver(X, y).fit(ALPHAS, weights).decision_values(X.astype(np.float64))
    for index, alpha in enumerate(ALPHAS):
        np.testing.assert_allclose(scores[index], scikit_learns(X, y, alpha, weights), atol=1e-6)


@pytest.mark.parametrize("name", HARD)
def test_leave_one_out_scores_are_those_of_refitting_without_the_row(name: str) -> None:
    X, y = HARD[name]
    weights = np.random.default_rng(2).uniform(0.5, 2, len(y))
    scores = solver(X, y).leave_one_out(ALPHAS, weights)
    assert scores.shape == (4, len(y), y.max() + 1)
    for row in range(0, len(y), 7):
        alone = refitted(X, y, weights, row)
        expected = np.where(np.isfinite(alone), alone, -1)  # no rows of the class left: a target of -1 for all
        np.testing.assert_allclose(scores[:, row], expected, atol=1e-5)


def test_leave_one_out_scores_are_those_of_ridge_classifier_cv() -> None:
    X, y = plain()
    theirs = RidgeClassifierCV(alphas=ALPHAS, scoring="accuracy", store_cv_results=True).fit(X.astype(np.float64), y)
    ours = solver(X, y).leave_one_out(ALPHAS, np.ones(len(y)))
    np.testing.assert_allclose(ours, np.moveaxis(theirs.cv_results_, -1, 0), atol=1e-6)


def test_heads_through_all_their_rows_still_have_exact_leave_one_out_scores() -> None:
    X, y = few_rows()
    X = 1e4 * X  # the hat diagonal is 1 to within a rounding error
    scores = solver(X, y).leave_one_out((1e-6,), np.ones(len(y)))[0]
    for row in range(0, len(y), 7):
        rest = np.arange(len(y)) != row
        exact = X[rest].astype(np.float64) - X[rest].mean(0, dtype=np.float64)
        target = np.where(y[rest][:, None] == np.arange(4), 1.0, -1.0)
        weight = np.linalg.lstsq(exact, target - target.mean(0), rcond=1e-12)[0]
        expected = (X[row] - X[rest].mean(0, dtype=np.float64)) @ weight + target.mean(0)
        np.testing.assert_allclose(scores[row], expected, atol=1e-6)


@pytest.mark.parametrize("rows", [plain, few_rows])
def test_a_row_of_weight_zero_is_a_row_left_out(rows: Callable[[], Data]) -> None:
    X, y = rows()
    used = np.random.default_rng(3).random(len(y)) < 0.7
    path = solver(X, y).fit(ALPHAS, used.astype(float))
    alone = RidgeSolver(X[used], y[used], 4).fit(ALPHAS, np.ones(used.sum()))
    np.testing.assert_allclose(path.weight, alone.weight, atol=1e-12)
    scores = solver(X, y).leave_one_out(ALPHAS, used.astype(float))
    np.testing.assert_allclose(scores[:, ~used], path.decision_values(X[~used].astype(np.float64)), atol=1e-9)


def test_a_class_without_weight_is_never_chosen_and_has_no_weight_vector() -> None:
    X, y = plain()
    weights = (y != 2).astype(float)
    path = solver(X, y).fit(ALPHAS, weights)
    assert (path.bias[:, 2] == -np.inf).all() and not path.weight[:, 2].any()
    assert (solver(X, y).leave_one_out(ALPHAS, weights)[..., 2] == -np.inf).all()


def test_a_constant_column_gets_no_weight_and_equal_columns_share_theirs() -> None:
    X, y = HARD["constant_column"]
    assert not np.abs(solver(X, y).fit(ALPHAS, np.ones(len(y))).weight[..., [3, 5]]).max() > 1e-12
    X, y = HARD["duplicate_columns"]
    weight = solver(X, y).fit(ALPHAS, np.ones(len(y))).weight
    np.testing.assert_allclose(weight[..., :16], weight[..., 16:32], atol=1e-9)


def test_rows_that_are_all_equal_give_the_classes_frequencies() -> None:
    X, y = np.ones((8, 3), np.float32), np.arange(8) % 4 // 3
    path = solver(X, y).fit((1.0,), np.ones(8))
    assert not path.weight.any()
    np.testing.assert_allclose(path.bias, [[0.5, -0.5]])


def test_a_second_weighting_does_not_see_the_first_ones_factors() -> None:
    X, y = plain()
    rows, weights = solver(X, y), np.ones(len(y))
    first = rows.fit(ALPHAS, weights)
    weights[:60] = 0
    second = rows.fit(ALPHAS, weights)
    assert not np.allclose(first.weight, second.weight)
    np.testing.assert_array_equal(second.weight, solver(X, y).fit(ALPHAS, weights).weight)


def test_a_head_of_the_path_scores_as_the_path_does() -> None:
    X, y = plain()
    path = solver(X, y).fit(ALPHAS, np.ones(len(y)))
    head = path.head(1, ("a", "b", "c", "d"))
    assert not head.probabilistic and path.converged.all()
    np.testing.assert_allclose(head.decision_values(X), path.decision_values(X)[1], atol=1e-5)


@pytest.mark.parametrize(
    ("grid", "weights", "message"),
    [
        ((0.0,), np.ones(120), r"alpha is \[0.0\]; expected at least one finite value above 0"),
        ((), np.ones(120), "expected at least one"),
        ((np.inf,), np.ones(120), "finite"),
        ((1.0,), np.ones(7), r"row_weights of shape \(7,\); expected 120"),
        ((1.0,), -np.ones(120), "0 or more"),
        ((1.0,), np.zeros(120), "rows of 0 class"),
        ((1.0,), (plain()[1] == 1).astype(float), "rows of 1 class have a weight above 0"),
    ],
)  # fmt: skip
def test_grids_and_weights_that_cannot_be_used_are_refused(grid, weights, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        solver(*plain()).fit(grid, weights)


@pytest.mark.parametrize("case", ["plain", "constant_column", "duplicate_columns", "badly_scaled", "two_classes"])
@pytest.mark.parametrize("alpha", [1e-15, 1e-3, 1.0, 1e5])
def test_one_alpha_is_fitted_as_among_others(case: str, alpha: float) -> None:
    X, y = HARD[case]
    weights = np.random.default_rng(0).integers(0, 3, len(y)).astype(np.float64)
    alone, among = solver(X, y).fit([alpha], weights), solver(X, y).fit([alpha, 7.0], weights)
    apart = np.abs(alone.scores(X.astype(np.float64))[0] - among.scores(X.astype(np.float64))[0])
    assert apart.max() < 1e-6
