"""Fit: scaling, class weights and folds mean what scikit-learn means by them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from frostline.stages.datasets.sampling import folds, hold_out
from frostline.stages.errors import DataError
from frostline.stages.fit import fit, fit_rows
from frostline.stages.fit.training_rows import TrainingRows
from frostline.stages.heads import head_spec
from frostline.stages.store import Features
from support.features import features

GRID = (0.001, 0.1, 10.0)


def probabilities(model: Any, data: Features, new: np.ndarray) -> np.ndarray:
    return model.fit(data.X.astype(np.float64), data.y).predict_proba(new.astype(np.float64))


def logistic(C: float = 0.1, **more: Any) -> LogisticRegression:
    return LogisticRegression(C=C, tol=1e-9, max_iter=100_000, **more)


@pytest.mark.parametrize(
    ("spec", "model"),
    [
        ({}, logistic()),
        ({"scaling": "standardize"}, make_pipeline(StandardScaler(), logistic())),
        ({"scaling": "l2"}, make_pipeline(Normalizer(), logistic())),
        ({"class_weight": "balanced"}, logistic(class_weight="balanced")),
        (
            {"scaling": "standardize", "class_weight": "balanced"},
            make_pipeline(StandardScaler(), logistic(class_weight="balanced")),
        ),
    ],
    ids=str,
)
def test_one_c_gives_scikit_learns_probabilities(spec: dict[str, Any], model: Any) -> None:
    data, new = features(), features(seed=1).X
    head, selection = fit([data], head_spec("logreg", (0.1,), **spec))
    np.testing.assert_allclose(head.decision_values(new), probabilities(model, data, new), atol=5e-3)
    assert selection.accuracy == () and selection.by == "" and selection.final_converged


def test_rows_of_zeros_and_a_constant_feature_are_no_trouble() -> None:
    data = features()
    data.X[5] = 0
    for scaling in ("standardize", "l2"):
        head, _ = fit([data], head_spec("logreg", (0.1,), scaling=scaling))
        assert np.isfinite(head.decision_values(data.X)).all()


def test_a_choice_by_balanced_accuracy_records_plain_accuracy_too() -> None:
    data, specs = features(), [head_spec("logreg", GRID, folds=5, criterion=by) for by in ("", "balanced_accuracy")]
    (_, usual), (_, balanced) = (fit([data], spec) for spec in specs)
    assert balanced.accuracy == usual.accuracy and not usual.scores
    assert balanced.by_score == "balanced_accuracy" and balanced.shown != balanced.accuracy


def test_a_scale_is_learned_from_the_rows_that_are_fitted_on_alone() -> None:
    data = features()
    spec = head_spec("logreg", GRID, scaling="standardize", hold_out=0.1)
    held = hold_out(data.y, data.digests, 4, spec.hold_out, spec.seed)
    data.X[held] *= 50  # would show in the mean and the deviation
    _, selection = fit([data], spec)
    for C, found in zip(GRID, selection.accuracy, strict=True):
        model = make_pipeline(StandardScaler(), logistic(C)).fit(data.X[~held].astype(np.float64), data.y[~held])
        assert abs(model.score(data.X[held].astype(np.float64), data.y[held]) - found) <= 1.5 / held.sum()


@pytest.mark.parametrize("scaling", ["none", "standardize"])
def test_folds_score_every_row_once_by_a_head_that_has_not_seen_it(scaling: Any) -> None:
    data = features()
    spec = head_spec("logreg", GRID, folds=5, scaling=scaling)
    _, selection = fit([data], spec)
    fold = folds(data.y, data.digests, 4, 5, spec.seed)
    for C, found in zip(GRID, selection.accuracy, strict=True):
        model = logistic(C) if scaling == "none" else make_pipeline(StandardScaler(), logistic(C))
        right = 0
        for k in range(5):
            model.fit(data.X[fold != k].astype(np.float64), data.y[fold != k])
            right += (model.predict(data.X[fold == k].astype(np.float64)) == data.y[fold == k]).sum()
        assert abs(right - found * 400) <= 2
    assert (selection.folds, selection.held_out_rows, selection.fitted_rows) == (5, 400, 320)
    assert selection.log_loss[GRID.index(selection.value)] == min(selection.log_loss)


def test_folds_are_stratified_keep_equal_content_together_and_ignore_the_order() -> None:
    data = features()
    data.digests[10] = data.digests[11]
    fold = folds(data.y, data.digests, 4, 3, seed=7)
    assert fold[10] == fold[11]
    for label in range(4):
        sizes = np.bincount(fold[data.y == label], minlength=3)
        assert sizes.max() - sizes.min() <= 2
    order = np.random.default_rng(0).permutation(400)
    assert np.array_equal(folds(data.y[order], data.digests[order], 4, 3, seed=7), fold[order])
    assert not np.array_equal(folds(data.y, data.digests, 4, 3, seed=8), fold)


def test_a_class_smaller_than_the_folds_is_said() -> None:
    data = features(40)
    least = int(np.bincount(data.y).min())
    with pytest.raises(DataError, match=rf"a class of {least} different training samples can't be split into 30 folds"):
        fit([data], head_spec("logreg", GRID, folds=30))


def test_test_features_can_not_be_fitted_on() -> None:
    with pytest.raises(DataError, match="can't be fitted on test features"):
        fit([features(split="test")], head_spec("logreg", GRID))


def test_a_selection_is_shown_in_a_line() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 3)), np.arange(40) % 2
    digests = rng.integers(0, 256, (40, 32), np.uint8)
    for grid, start in ((GRID, "Selection(C="), ((1.0,), "Selection(C=1, by='', at_edge=False)")):
        _, selection = fit_rows(TrainingRows(X, y, 2, head_spec("logreg", grid)), digests, ("a", "b"))
        assert repr(selection).startswith(start) and len(repr(selection)) < 120
    assert "accuracy=" in repr(fit_rows(TrainingRows(X, y, 2, head_spec("knn", (1, 3))), digests, ("a", "b"))[1])
