from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from frostline.stages.heads.estimators import LogisticClassifier
from frostline.stages.heads.kinds import DINOV2_GRID
from frostline.stages.heads.newton.penalised import prepare
from frostline.stages.heads.solvers.logistic import logistic_path
from support.hard_rows import GRID, HARD, plain, separable
from support.rows import Data, half_precision


def objective(X, y, weight, bias, C, row_weights=1.0):
    """C sum_i w_i CE_i + 1/2 ||W||^2 in float64, with every digit of a small loss."""
    rows = np.arange(len(y))
    logits = X.astype(np.float64) @ weight.T + bias
    logits -= logits[rows, y][:, None]
    logits[rows, y] = -np.inf
    top = np.maximum(logits.max(1), 0)
    loss = top + np.log1p(np.exp(logits - top[:, None]).sum(1) + np.expm1(-top))
    return C * np.sum(row_weights * loss) + 0.5 * np.sum(weight**2)


def two_rows(weight, bias):
    """scikit-learn's one row of two classes as two rows with the same penalty 1/2 ||u||^2 = ||W||^2."""
    if len(bias) > 1:
        return weight, bias
    return np.concatenate((-weight, weight)) / 2, np.concatenate((-bias, bias)) / 2


def sklearn_objective(X, y, C, row_weights=None):
    """The least objective scikit-learn's solvers reach, and that solver's probabilities of the rows."""
    reached = []
    for solver, iterations in (("lbfgs", 2000), ("newton-cholesky", 200)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on the hard rows of this file they all complain
            model = LogisticRegression(C=C, solver=solver, tol=1e-10, max_iter=iterations)
            model.fit(X.astype(np.float64), y, row_weights)
        weight, bias = two_rows(model.coef_, model.intercept_)
        penalty = 2 if len(model.classes_) == 2 else 1
        value = objective(X, y, weight, bias, C, 1.0 if row_weights is None else row_weights)
        value += (penalty - 1) * 0.5 * np.sum(weight**2)
        if np.isfinite(value):
            reached.append((value, model.predict_proba(X.astype(np.float64))))
    return min(reached, key=lambda pair: pair[0])


def path_objective(X, y, path, index, row_weights=1.0):
    weight = path.weight[index]
    value = objective(X, y, weight, path.bias[index], path.C[index], row_weights)
    return value + (0.5 * np.sum(weight**2) if len(weight) == 2 else 0.0)


@pytest.mark.parametrize("name", HARD)
def test_each_objective_is_within_1e_5_of_the_best_solver(name: str) -> None:
    X, y = HARD[name]
    path = logistic_path(X, y, GRID)
    assert path.converged.all(), path.gap
    for index, C in enumerate(GRID):
        best, _ = sklearn_objective(X, y, C)
        assert path_objective(X, y, path, index) <= best * (1 + 1e-5), C


@pytest.mark.parametrize("name", HARD)
def test_no_objective_is_further_from_a_tight_float64_one_than_its_gap_says(name: str) -> None:
    X, y = HARD[name]
    loose = logistic_path(X, y, GRID, tolerance=1e-2)
    tight = logistic_path(X, y, GRID, tolerance=1e-8, dtype="float64")
    assert tight.converged.all(), tight.gap
    above = loose.objective / tight.objective - 1
    assert (above <= loose.gap + 1e-12).all(), above


@pytest.mark.parametrize("noise", [0.5, 3.0])
@pytest.mark.parametrize("tolerance", [1e-2, 1e-4])
def test_where_columns_outnumber_what_is_remembered_the_gap_still_holds(noise: float, tolerance: float) -> None:
    X, y = plain(n=900, d=200, classes=5, noise=noise)
    grid = tuple(np.logspace(0, 5, 11))
    loose = logistic_path(X, y, grid, tolerance=tolerance)
    tight = logistic_path(X, y, grid, tolerance=1e-9, dtype="float64")
    assert loose.converged.all() and tight.converged.all(), (loose.gap, tight.gap)
    above = loose.objective / tight.objective - 1
    assert (above <= loose.gap + 1e-9).all(), above / loose.gap
    assert (tight.objective - 1e-9 <= loose.objective).all()


def test_the_gradient_norm_is_that_of_the_objective() -> None:
    X, y = plain()
    path = logistic_path(X.astype(np.float64), y, (0.1, 10.0), tolerance=1e-2, dtype="float64")
    centred = torch.as_tensor(X.astype(np.float64) - X.astype(np.float64).mean(0))
    for index, C in enumerate(path.C):
        W, b = (torch.tensor(v[index], requires_grad=True) for v in (path.weight, path.bias))
        shifted = b + (W @ torch.as_tensor(X.astype(np.float64).mean(0))).detach()
        shifted.retain_grad()
        loss = torch.nn.functional.cross_entropy(centred @ W.T + shifted, torch.as_tensor(y), reduction="sum")
        (C * loss + 0.5 * W.square().sum()).backward()
        norm = torch.sqrt(W.grad.square().sum() + shifted.grad.square().sum())
        np.testing.assert_allclose(path.gradient_norm[index], norm.item(), rtol=1e-6)


@pytest.mark.parametrize("name", HARD)
def test_the_reported_objective_is_that_of_the_returned_heads(name: str) -> None:
    X, y = HARD[name]
    path = logistic_path(X, y, GRID)
    computed = [path_objective(X, y, path, index) for index in range(len(GRID))]
    np.testing.assert_allclose(path.objective, computed, rtol=1e-9)


def test_a_thousand_classes_reach_a_tight_float64_objective() -> None:
    rng = np.random.default_rng(4)
    y = np.repeat(np.arange(1000), 2)
    X = (rng.standard_normal((1000, 12))[y] + 0.7 * rng.standard_normal((2000, 12))).astype(np.float32)
    path = logistic_path(X, y, 1.0)
    tight = logistic_path(X, y, 1.0, tolerance=1e-7, dtype="float64")
    assert path.converged.all() and tight.converged.all()
    assert (path.objective <= tight.objective * (1 + 1e-5)).all()


def test_a_thousand_classes_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(4)
    y = np.repeat(np.arange(1000), 2)
    X = (rng.standard_normal((1000, 6))[y] + 0.7 * rng.standard_normal((2000, 6))).astype(np.float32)
    path = logistic_path(X, y, 1e-2)
    model = LogisticRegression(C=1e-2, tol=1e-6, max_iter=500).fit(X.astype(np.float64), y)
    theirs = objective(X, y, model.coef_, model.intercept_, 1e-2)
    assert path.objective[0] <= theirs * (1 + 1e-5)


def test_the_default_grid_gives_scikit_learns_probabilities() -> None:
    X, y = plain(n=150, d=8, classes=3)
    path = logistic_path(X, y)
    assert path.converged.all() and np.array_equal(path.C, DINOV2_GRID)
    logits = path.scores(X.astype(np.float64))
    for index in range(0, 45, 11):
        _, theirs = sklearn_objective(X, y, path.C[index])
        ours = torch.as_tensor(logits[index].copy()).softmax(1).numpy()
        np.testing.assert_allclose(ours, theirs, atol=2e-4)


def test_a_grid_in_any_order_with_repeats_gives_each_value_its_own_head() -> None:
    X, y = plain()
    shuffled = logistic_path(X, y, (10.0, 1e-4, 10.0, 0.1), tolerance=1e-9)
    for index, C in enumerate(shuffled.C):
        alone = logistic_path(X, y, C, tolerance=1e-9)
        np.testing.assert_allclose(shuffled.weight[index], alone.weight[0], atol=1e-4)


def test_row_weights_are_scikit_learns_sample_weights() -> None:
    X, y = plain()
    weights = np.random.default_rng(5).uniform(0.1, 4, len(y))
    path = logistic_path(X, y, (1e-3, 1.0, 1e3), row_weights=weights)
    for index, C in enumerate(path.C):
        best, _ = sklearn_objective(X, y, C, weights)
        assert path_objective(X, y, path, index, weights) <= best * (1 + 1e-5)


@pytest.mark.parametrize("kept", [0.9, 0.3, 0.05])
def test_a_row_of_weight_zero_is_a_row_left_out(kept: float) -> None:
    X, y = plain(n=600, d=40)
    used = np.random.default_rng(6).random(len(y)) < kept
    path = prepare(X, y).fit((1e-3, 1.0, 1e3), row_weights=used)
    alone = logistic_path(X[used], y[used], (1e-3, 1.0, 1e3))
    assert path.converged.all()
    np.testing.assert_allclose(path.objective, alone.objective, rtol=1e-5)


def test_tasks_come_first_and_each_is_its_own_fit() -> None:
    X, y = plain(n=300)
    folds = (np.arange(300) % 3 != np.arange(3)[:, None]).astype(np.float64)
    rows = prepare(X, y)
    together = rows.fit((1e-2, 1.0), row_weights=folds, tolerance=1e-10)
    assert together.weight.shape == (3, 2, 4, 16) and together.bias.shape == (3, 2, 4)
    assert together.scores(X[:5]).shape == (3, 2, 5, 4)
    for task, fold in enumerate(folds):
        alone = rows.fit((1e-2, 1.0), row_weights=fold, tolerance=1e-10)
        np.testing.assert_allclose(together.weight[task], alone.weight, atol=1e-5)


@pytest.mark.parametrize("kept", [0.9, 0.3])
def test_a_class_without_weight_gets_probability_zero_and_changes_nothing_else(kept: float) -> None:
    X, y = plain(n=400, classes=4)
    used = (y != 2) & (np.random.default_rng(7).random(len(y)) < kept)
    path = logistic_path(X, y, (1e-2, 1.0), row_weights=used)
    alone = logistic_path(X[used], y[used] - (y[used] > 2), (1e-2, 1.0))
    assert path.converged.all() and (path.bias[:, 2] == -np.inf).all() and (path.weight[:, 2] == 0).all()
    np.testing.assert_allclose(path.objective, alone.objective, rtol=1e-5)


def test_weights_sum_to_zero_over_classes() -> None:
    X, y = plain()
    assert np.abs(logistic_path(X, y, GRID).weight.sum(1)).max() < 1e-9


def test_a_second_run_gives_the_same_bits() -> None:
    X, y = plain()
    first, second = logistic_path(X, y, GRID), logistic_path(X, y, GRID)
    assert np.array_equal(first.weight, second.weight) and np.array_equal(first.bias, second.bias)


def test_too_few_iterations_are_not_called_converged() -> None:
    X, y = separable()
    path = logistic_path(X, y, GRID, max_iterations=2)
    tight = logistic_path(X, y, GRID, tolerance=1e-8)
    off = path.objective > tight.objective * (1 + 1e-5)
    assert off.any() and not path.converged[off].any()


def test_a_tolerance_beyond_rounding_ends_and_is_not_called_converged() -> None:
    X, y = plain()
    path = logistic_path(X, y, (1.0,), tolerance=1e-40)
    assert not path.converged[0] and path.iterations[0] < 200
    assert path.objective[0] == pytest.approx(logistic_path(X, y, (1.0,)).objective[0], rel=1e-5)


def test_a_small_working_set_gives_the_same_objectives() -> None:
    X, y = separable()
    rows = prepare(X, y)
    np.testing.assert_allclose(rows.fit(GRID, working_set=1).objective, rows.fit(GRID).objective, rtol=1e-5)


def test_half_precision_and_read_only_rows_are_kept_as_they_are() -> None:
    X, y = half_precision(plain())
    X.flags.writeable = False
    rows = prepare(X, y)
    assert rows.features.original.dtype == torch.float16
    assert rows.features.original.data_ptr() == X.ctypes.data
    assert rows.features.rows.dtype == torch.float32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: (np.where(X > 2, np.nan, X), y), "rows of X hold NaN or infinity, the first is row"),
        (lambda X, y: (np.where(X > 2, np.inf, X), y), "rows of X hold NaN or infinity"),
        (lambda X, y: (X, y * 0), "only one class"),
        (lambda X, y: (X, y - 1), "labels -1 to 2; with 3 classes, expected 0 to 2"),
        (lambda X, y: (X, y.astype(float)), "expected integers"),
        (lambda X, y: (X, y[:-1]), r"expected integers of shape \(240,\)"),
        (lambda X, y: (X[:, 0], y), r"expected floats of shape \(n, d\)"),
        (lambda X, y: (X.astype(int), y), "expected floats"),
    ],
)  # fmt: skip
def test_rows_that_cannot_be_fitted_are_refused(change: Callable[..., Data], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        prepare(*change(*plain()))


def test_labels_beyond_the_given_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="labels 0 to 3; with 3 classes"):
        prepare(*plain(), classes=3)


@pytest.mark.parametrize("C", [0.0, -1.0, np.nan, np.inf, [[1.0]], []])
def test_a_strength_that_is_no_penalty_is_refused(C: object) -> None:
    with pytest.raises(ValueError, match="positive, finite"):
        logistic_path(*plain(), C)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(7), r"shape \(1, 7\)"),
        (-np.ones(240), "negative"),
        (np.full(240, np.nan), "non-finite"),
        (np.zeros((2, 240)), r"tasks \[0, 1\] have weight on fewer than two classes"),
    ],
)  # fmt: skip
def test_row_weights_that_mean_nothing_are_refused(weights: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        logistic_path(*plain(), row_weights=weights)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_the_estimator_predicts_what_scikit_learns_does(classes: int, class_weight: str | None) -> None:
    X, y = plain(classes=classes)
    names = np.array(["ant", "bee", "cat", "dog"])[y]
    ours = LogisticClassifier(C=0.3, class_weight=class_weight, tol=1e-9).fit(X, names)
    theirs = LogisticRegression(C=0.3, class_weight=class_weight, tol=1e-9, max_iter=2000)
    theirs.fit(X.astype(np.float64), names)
    assert np.array_equal(ours.classes_, theirs.classes_)
    assert ours.coef_.shape == theirs.coef_.shape and ours.intercept_.shape == theirs.intercept_.shape
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-4)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-4)
    np.testing.assert_allclose(ours.decision_function(X), theirs.decision_function(X), atol=1e-3)
    assert np.array_equal(ours.predict(X), theirs.predict(X))


def test_an_estimator_that_did_not_converge_says_so_and_warns() -> None:
    X, y = separable()
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        head = LogisticClassifier(C=1e3, max_iter=2).fit(X, y)
    assert head.n_iter_ == 2


def test_the_estimator_clones_and_scores_in_scikit_learns_cross_validation() -> None:
    from sklearn.model_selection import cross_val_score

    X, y = plain()
    assert cross_val_score(LogisticClassifier(C=0.1), X, y, cv=3).mean() > 0.35
