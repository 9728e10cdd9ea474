"""Logistic regression and SVM of many labels: each label as if it were fitted alone, by scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from frostline.stages.heads.kinds import DINOV2_GRID
from frostline.stages.heads.newton.binary import PenalisedLabelsPath
from frostline.stages.heads.solvers.logistic_labels import LogisticLabelsSolver
from frostline.stages.heads.solvers.svm import SVMSolver
from frostline.stages.heads.solvers.svm_labels import SVMLabelsSolver
from support.labels import labelled

X, Y = labelled(300, 12, 4)
ONES = np.ones(len(X))
GRID = (1e-4, 0.01, 1.0, 100.0)


def objective(path: PenalisedLabelsPath, value: int, label: int, weights: np.ndarray = ONES) -> float:
    """C times the weighted log-losses of the known rows, plus the penalty; in float64 from W and b alone."""
    known = Y[:, label] >= 0
    w, b = path.weight[value, label], path.bias[value, label]
    return of(w, b, X[known], Y[known, label], path.C[value], weights[known])


def of(w: np.ndarray, b: float, X: np.ndarray, y: np.ndarray, C: float, weights: np.ndarray) -> float:
    margins = (2.0 * y - 1) * (X.astype(np.float64) @ w + b)
    return float(C * (weights * np.logaddexp(0, -margins)).sum() + 0.5 * w @ w)


def theirs(C: float, label: int, weights: np.ndarray = ONES) -> LogisticRegression:
    known = (Y[:, label] >= 0) & (weights > 0)
    model = LogisticRegression(C=C, tol=1e-12, max_iter=100_000)
    return model.fit(X[known].astype(np.float64), Y[known, label], sample_weight=weights[known])


@pytest.mark.parametrize("label", range(4))
def test_each_label_is_scikit_learns_alone_over_the_rows_of_which_it_is_known(label: int) -> None:
    path = LogisticLabelsSolver(X, Y, 4).fit(GRID, ONES)
    assert path.converged.all() and (path.gaps <= 1e-5).all()
    for value, C in enumerate(GRID):
        model = theirs(C, label)
        best = of(model.coef_[0], model.intercept_[0], *known(label), C, ONES[Y[:, label] >= 0])
        found = objective(path, value, label)
        assert found <= best * (1 + 1e-5) and found == pytest.approx(path.objective[value, label], rel=1e-9)


def known(label: int) -> tuple[np.ndarray, np.ndarray]:
    rows = Y[:, label] >= 0
    return X[rows], Y[rows, label]


def test_at_a_small_tolerance_the_coefficients_are_scikit_learns() -> None:
    path = LogisticLabelsSolver(X, Y, 4, dtype="float64", tolerance=1e-12).fit(GRID, ONES)
    for label in range(4):
        for value, C in enumerate(GRID):
            model = theirs(C, label)
            np.testing.assert_allclose(path.weight[value, label], model.coef_[0], atol=2e-4, rtol=2e-4)
            np.testing.assert_allclose(path.bias[value, label], model.intercept_[0], atol=2e-4, rtol=2e-4)


def test_weightings_of_the_rows_are_fits_of_their_own() -> None:
    fold = np.arange(len(X)) % 3
    weights = np.stack([(fold != k) * (1.0 + k) for k in range(3)])
    solver = LogisticLabelsSolver(X, Y, 4)
    for one, path in zip(weights, solver.fit_each(GRID, weights), strict=True):
        alone = solver.fit(GRID, one)
        np.testing.assert_allclose(path.objective, alone.objective, rtol=2e-5)
        model = theirs(1.0, 2, one)
        rows = Y[:, 2] >= 0
        best = of(model.coef_[0], model.intercept_[0], X[rows], Y[rows, 2], 1.0, one[rows])
        assert objective(path, 2, 2, one) <= best * (1 + 1e-5)


def test_the_order_and_repetition_of_values_do_not_matter() -> None:
    solver = LogisticLabelsSolver(X, Y, 4)
    once, twice = solver.fit((0.01, 1.0), ONES), solver.fit((1.0, 0.01, 1.0), ONES)
    np.testing.assert_array_equal(twice.weight, once.weight[[1, 0, 1]])


def test_probabilities_are_of_each_label_by_itself() -> None:
    path = LogisticLabelsSolver(X, Y, 4).fit((1.0,), ONES)
    p = path.decision_values(X)[0]
    for label in range(4):
        np.testing.assert_allclose(p[:, label], theirs(1.0, label).predict_proba(X)[:, 1], atol=2e-3)


@pytest.mark.parametrize(("solver", "constants"), [(LogisticLabelsSolver, (0, 1, 0.5)), (SVMLabelsSolver, (-1, 1, 0))])
def test_a_label_that_all_or_none_or_no_known_rows_have_is_answered_by_its_base_rate(
    solver: Any, constants: tuple[float, ...]
) -> None:
    y = np.tile(np.array([0, 1, -1, 0], np.int8), (len(X), 1))
    y[:, 3] = Y[:, 3]
    path = solver(X, y, 4).fit(GRID, ONES)
    decision_values = path.decision_values(X)
    assert path.converged.all() and np.isfinite(decision_values).all()
    for label, constant in enumerate(constants):
        assert (decision_values[..., label] == constant).all()
    alone = solver(X, Y[:, 3:], 1).fit(GRID, ONES)
    np.testing.assert_allclose(path.objective[:, 3], alone.objective[:, 0], rtol=2e-5)


def test_few_rows_of_many_features_are_fitted_too() -> None:
    wide, y = labelled(40, 90, 3)
    path = LogisticLabelsSolver(wide, y, 3).fit(DINOV2_GRID, np.ones(40))
    assert path.converged.all()


def test_one_label_s_machine_is_that_of_a_class_against_the_rest() -> None:
    y = np.where(Y == 1, 1, 0).astype(np.int8)
    path = SVMLabelsSolver(X, y, 4, tolerance=1e-9, dtype="float64").fit(GRID, ONES)
    for label in range(4):
        alone = SVMSolver(X, y[:, label].astype(np.int64), 2, tolerance=1e-9, dtype="float64").fit(GRID, ONES)
        np.testing.assert_allclose(path.weight[:, label], alone.weight[:, 1], atol=1e-4, rtol=1e-4)
        np.testing.assert_allclose(path.bias[:, label], alone.bias[:, 1], atol=1e-4, rtol=1e-4)
    assert not path.probabilistic


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (Y[:, 0], "expected integers of shape"),
        (Y.astype(np.float64), "expected integers of shape"),
        (np.where(Y == 1, 2, Y), "y holds values from -1 to 2; expected 1, 0 and, for unknown labels, -1"),
    ],
)
def test_labels_that_are_none_are_said(y: np.ndarray, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        LogisticLabelsSolver(X, y, 4)


def test_weights_below_zero_are_said() -> None:
    with pytest.raises(ValueError, match="expected weights of 0 or more"):
        LogisticLabelsSolver(X, Y, 4).fit(GRID, -ONES)
