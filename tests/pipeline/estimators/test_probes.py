"""Probes that choose are scikit-learn estimators, and find what ``frostline fit`` finds."""

from __future__ import annotations

import doctest
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, ShuffleSplit, StratifiedKFold, cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

import frostline
from frostline.pipeline.estimators import probe_classifiers, probe_regressor
from frostline.pipeline.estimators.probe_classifiers import LogisticProbeCV, RidgeClassifierProbeCV
from frostline.pipeline.estimators.probe_regressor import RidgeProbeCV
from support.target_table import pictures_table

# scikit-learn asks for seven digits of a fit to repeated rows; heads are float32, so the values are few and apart.
CLOSE = LogisticProbeCV([1e-2, 1.0], tol=1e-9, dtype="float64")
CHECKED = [CLOSE, RidgeClassifierProbeCV([1e-2, 1.0, 1e2]), RidgeProbeCV([1e-2, 1.0, 1e2])]


@parametrize_with_checks(CHECKED)
def test_scikit_learns_own_checks_pass(estimator: BaseEstimator, check: Callable[[BaseEstimator], None]) -> None:
    check(estimator)


def fitted(settings: frostline.HeadSettings) -> tuple[frostline.Fitted, frostline.Features]:
    """Return the head that the command fits, and the rows that it was fitted to."""
    train = next(one for one in frostline.extract(settings) if one.split == "train")
    (found,) = frostline.fit(settings)
    return found, frostline.open_features(train.folder)


DIGITS = {"dataset": "digits", "backbone": "pixels"}
PICTURES = {"backbone": "pixels", "resize": "8x8", "device": "cpu"}


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize(
    ("given", "how"),
    [
        ({}, {}),
        ({"class_weight": "balanced", "seed": 3}, {"class_weight": "balanced", "random_state": 3}),
        ({"hold_out": 0.2, "scaling": "standardize"}, {"cv": 0.2, "scaling": "standardize"}),
        ({"folds": 3, "scaling": "l2", "criterion": "balanced_accuracy"},
         {"cv": 3, "scaling": "l2", "criterion": "balanced_accuracy"}),
        ({"grid": "C=0.1,1", "head_params": "tolerance=1e-7"}, {"Cs": (0.1, 1.0), "tol": 1e-7}),
    ],
)  # fmt: skip
def test_logistic_regression_is_what_the_command_fits_to_the_bit(given: dict, how: dict) -> None:
    expected, rows = fitted(frostline.HeadSettings(**DIGITS, **given))
    probe = LogisticProbeCV(**how).fit(rows.X, rows.y, digests=rows.digests)
    assert probe.selection_ == expected.selection and expected.selection.value == probe.C_
    np.testing.assert_array_equal(probe.head_.weight, expected.head.weight)
    np.testing.assert_array_equal(probe.head_.bias, expected.head.bias)
    np.testing.assert_array_equal(probe.coef_, expected.head.weight)
    np.testing.assert_array_equal(probe.predict_proba(rows.X), expected.head.decision_values(rows.X))


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize(("given", "how"), [({}, {}), ({"folds": "loo"}, {"cv": "loo"})])
def test_ridge_of_classes_is_what_the_command_fits_to_the_bit(given: dict, how: dict) -> None:
    expected, rows = fitted(frostline.HeadSettings(**DIGITS, head=("ridge",), **given))
    probe = RidgeClassifierProbeCV(**how).fit(rows.X, rows.y, digests=rows.digests)
    assert probe.selection_ == expected.selection and probe.alpha_ == expected.selection.value
    np.testing.assert_array_equal(probe.head_.weight, expected.head.weight)


@pytest.mark.parametrize("head", ["logreg", "ridge"])
@pytest.mark.parametrize("per_label", [False, True])
def test_several_labels_and_groups_are_what_the_command_fits_to_the_bit(work: Path, head: str, per_label: bool) -> None:
    table = pictures_table(work.parent)
    own = {"dataset": f"csv:{table}", "target": ("tags",), "group": "patient", "head": (head,)}
    expected, rows = fitted(frostline.HeadSettings(**PICTURES, **own, per_label=per_label))
    made = LogisticProbeCV if head == "logreg" else RidgeClassifierProbeCV
    probe = made(per_label=per_label).fit(rows.X, rows.y, groups=rows.targets.groups, digests=rows.digests)
    assert probe.selection_ == expected.selection and probe.selection_.by == "folds"
    np.testing.assert_array_equal(probe.head_.weight, expected.head.weight)
    assert probe.coef_.shape == (3, 192) and probe.predict(rows.X).dtype == rows.y.dtype
    above = expected.head.decision_values(rows.X) > np.array(expected.head.thresholds)
    np.testing.assert_array_equal(probe.predict(rows.X), above)
    chosen = probe.C_ if head == "logreg" else probe.alpha_
    assert np.shape(chosen) == ((3,) if per_label else ())


@pytest.mark.parametrize("criterion", ["r2", "mae"])
def test_numbers_are_what_the_command_fits_to_the_bit(work: Path, criterion: str) -> None:
    table = pictures_table(work.parent)
    own = {"dataset": f"csv:{table}", "target": ("redness", "greenness"), "task": "regression"}
    expected, rows = fitted(frostline.HeadSettings(**PICTURES, **own, head=("ridge",), criterion=criterion))
    probe = RidgeProbeCV(criterion=criterion).fit(rows.X, rows.y, digests=rows.digests)
    assert probe.selection_ == expected.selection
    np.testing.assert_array_equal(probe.coef_, expected.head.weight)
    assert RidgeProbeCV().fit(rows.X, rows.y[:, 0], digests=rows.digests).coef_.shape == (192,)


def test_vectors_of_a_file_need_no_digests_of_their_own(work: Path, tmp_path: Path) -> None:
    X, y = digits(300)
    np.savez(tmp_path / "vectors.npz", features=X, labels=y, split=np.where(np.arange(300) % 5, "train", "test"))
    expected, rows = fitted(frostline.HeadSettings(dataset=f"vectors:{tmp_path / 'vectors.npz'}"))
    probe = LogisticProbeCV().fit(rows.X, rows.y)
    assert probe.selection_ == expected.selection
    np.testing.assert_array_equal(probe.head_.weight, expected.head.weight)


def digits(n: int) -> tuple[np.ndarray, np.ndarray]:
    X, y = load_digits(return_X_y=True)
    return (X[:n] / 16).astype(np.float32), y[:n]


def test_neither_the_order_of_rows_nor_the_names_of_classes_change_the_choice() -> None:
    X, y = digits(300)
    order = np.random.default_rng(0).permutation(300)
    named = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
    plain, other = LogisticProbeCV().fit(X, y), LogisticProbeCV().fit(X[order], y[order])
    assert plain.C_ == other.C_ and plain.selection_.log_loss == pytest.approx(other.selection_.log_loss, rel=1e-6)
    assert LogisticProbeCV().fit(X, named[y]).classes_.tolist() == sorted(named.tolist())


@pytest.mark.parametrize("probe", [CLOSE, RidgeClassifierProbeCV()], ids=["logistic", "ridge"])
@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_a_row_of_weight_two_is_two_rows(probe: BaseEstimator, class_weight: str | None) -> None:
    X, y = digits(200)
    weights = np.random.default_rng(1).integers(0, 3, 200)
    probe = clone(probe).set_params(class_weight=class_weight)
    weighed = clone(probe).fit(X, y, weights)
    copied = clone(probe).fit(np.repeat(X, weights, 0), np.repeat(y, weights))
    np.testing.assert_allclose(weighed.selection_.accuracy, copied.selection_.accuracy, rtol=1e-9)
    np.testing.assert_allclose(weighed.coef_, copied.coef_, atol=1e-5)
    assert not np.allclose(weighed.coef_, clone(probe).fit(X, y).coef_, atol=1e-3)


def test_groups_are_never_on_both_sides() -> None:
    X, _ = digits(200)
    rng = np.random.default_rng(0)
    group = rng.integers(0, 40, 200)
    telling = np.concatenate((X * 0.01, 3 * rng.standard_normal((40, 30))[group].astype(np.float32)), 1)
    of_group = rng.integers(0, 10, 40)[group]  # which a head learns by heart, group by group
    alone = LogisticProbeCV().fit(telling, of_group)
    together = LogisticProbeCV().fit(telling, of_group, groups=[f"patient {g}" for g in group])
    assert max(alone.selection_.accuracy) > 0.95 and max(together.selection_.accuracy) < 0.6


def test_a_splitter_of_scikit_learns_holds_out_what_it_says() -> None:
    X, y = digits(200)
    halves = StratifiedKFold(2)
    probe = LogisticProbeCV([0.01, 1.0], cv=halves).fit(X, y)
    right = [
        LogisticProbeCV([C]).fit(X[a], y[a]).predict(X[b]) == y[b] for C in (0.01, 1.0) for a, b in halves.split(X, y)
    ]
    expected = [np.concatenate(right[:2]).mean(), np.concatenate(right[2:]).mean()]
    np.testing.assert_allclose(probe.selection_.accuracy, expected)
    assert probe.selection_.folds == 2 and probe.selection_.held_out_rows == 200
    with pytest.raises(ValueError, match="rows on neither side"):
        LogisticProbeCV(cv=ShuffleSplit(2, train_size=0.3, test_size=0.3)).fit(X, y)


def test_it_is_searched_and_scored_as_any_estimator() -> None:
    X, y = digits(200)
    assert cross_val_score(LogisticProbeCV(), X, y, cv=3).mean() > 0.8
    search = GridSearchCV(LogisticProbeCV(), {"scaling": ["none", "l2"], "Cs": [(0.1, 1.0), (1e-4,)]}, cv=2).fit(X, y)
    assert search.best_params_["Cs"] == (0.1, 1.0)


@pytest.mark.parametrize(
    ("probe", "said"),
    [
        (LogisticProbeCV(cv="loo"), "Leave-one-out is available for ridge"),
        (LogisticProbeCV(cv=1), "cv=1; expected 'auto'"),
        (LogisticProbeCV(cv=True), "cv=True"),
        (LogisticProbeCV(Cs=[-1.0, 1.0]), "numbers above 0"),
        (LogisticProbeCV(scaling="max"), "scaling='max'; expected"),
        (LogisticProbeCV(per_label=True), "they share one value"),
        (LogisticProbeCV(criterion="f1"), "unknown criterion 'f1'"),
        (RidgeClassifierProbeCV(alphas=[0.0, 1.0]), "above 0"),
    ],
    ids=repr,
)
def test_what_cannot_be_fitted_is_refused_in_words(probe: BaseEstimator, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        probe.fit(*digits(100))


def test_labels_and_lengths_that_cannot_be_are_refused_in_words() -> None:
    X, y = digits(100)
    with pytest.raises(ValueError, match="class_weight='balanced' with several labels"):
        LogisticProbeCV(class_weight="balanced").fit(X, np.eye(10, dtype=int)[y])
    with pytest.raises(ValueError, match=r"y of shape .* holds other values"):
        LogisticProbeCV().fit(X, 2 * np.eye(10, dtype=int)[y])
    with pytest.raises(ValueError, match="digests float64 of shape"):
        LogisticProbeCV().fit(X, y, digests=np.zeros((100, 32)))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        LogisticProbeCV().fit(X, y, groups=y[:50])


def test_a_fit_that_ended_early_warns() -> None:
    with pytest.warns(ConvergenceWarning, match="LogisticProbeCV did not converge; raise max_iter"):
        assert LogisticProbeCV([1e4], max_iter=1).fit(*digits(100)).n_iter_ == 1


@pytest.mark.parametrize("module", [probe_classifiers, probe_regressor])
def test_the_examples_are_true(module: object) -> None:
    done = doctest.testmod(module)
    assert done.attempted >= 4 and not done.failed
