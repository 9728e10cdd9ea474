"""Probes that choose are scikit-learn estimators, and find what ``frostline fit`` finds."""

from __future__ import annotations

import doctest
import inspect
import subprocess
import sys
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
from frostline.pipeline.estimators import probe_classifiers, probe_regressor, words
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


PICTURES = {"backbone": "pixels", "resize": "8x8", "device": "cpu"}


@pytest.fixture
def vectors(work: Path) -> str:
    """A file of 300 digits, of which a fifth is for testing, as a dataset."""
    X, y = digits(300)
    np.savez(work.with_name("vectors.npz"), features=X, labels=y, split=np.where(np.arange(300) % 5, "train", "test"))
    return f"vectors:{work.with_name('vectors.npz')}"


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
def test_logistic_regression_is_what_the_command_fits_to_the_bit(vectors: str, given: dict, how: dict) -> None:
    expected, rows = fitted(frostline.HeadSettings(dataset=vectors, **given))
    probe = LogisticProbeCV(**how).fit(rows.X, rows.y, digests=rows.digests)
    assert probe.selection_ == expected.selection and expected.selection.value == probe.C_
    np.testing.assert_array_equal(probe.head_.weight, expected.head.weight)
    np.testing.assert_array_equal(probe.head_.bias, expected.head.bias)
    np.testing.assert_array_equal(probe.coef_, expected.head.weight)
    np.testing.assert_array_equal(probe.predict_proba(rows.X), expected.head.decision_values(rows.X))


@pytest.mark.parametrize(("given", "how"), [({}, {}), ({"folds": "loo"}, {"cv": "loo"})])
def test_ridge_of_classes_is_what_the_command_fits_to_the_bit(vectors: str, given: dict, how: dict) -> None:
    expected, rows = fitted(frostline.HeadSettings(dataset=vectors, head=("ridge",), **given))
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


def test_vectors_of_a_file_need_no_digests_of_their_own(vectors: str) -> None:
    expected, rows = fitted(frostline.HeadSettings(dataset=vectors))
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
    assert plain.C_ == other.C_ and plain.selection_.grid == other.selection_.grid
    assert plain.selection_.log_loss == pytest.approx(other.selection_.log_loss, rel=2e-3)  # some are rough
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
        (LogisticProbeCV(cv="loo"), "^cv='loo' with LogisticProbeCV; leave-one-out is for RidgeClassifierProbeCV and"),
        (LogisticProbeCV(cv=1), "cv=1; expected 'auto'"),
        (LogisticProbeCV(cv=True), "cv=True"),
        (LogisticProbeCV(Cs=[-1.0, 1.0]), "numbers above 0"),
        (LogisticProbeCV(scaling="max"), "scaling='max'; expected"),
        (LogisticProbeCV(scaling=None), "scaling=None; expected"),
        (LogisticProbeCV(dtype="float16"), "dtype='float16'; expected 'float32' or 'float64'"),
        (LogisticProbeCV(per_label=True), "^per_label=True with single-label y; expected multi-label y"),
        (LogisticProbeCV(criterion="f1"), "^criterion='f1'; expected None, 'log_loss' or 'balanced_accuracy'$"),
        (LogisticProbeCV(criterion="accuracy"), "^criterion='accuracy'; expected None, 'log_loss' or"),
        (RidgeClassifierProbeCV(criterion="log_loss"), "expected None, 'accuracy' or 'balanced_accuracy'$"),
        (LogisticProbeCV(Cs=10), r"^Cs=10; expected a list of numbers above 0"),
        (LogisticProbeCV(Cs=[]), r"^Cs is empty; expected a list"),
        (LogisticProbeCV(Cs=[[1.0, 2.0]]), r"^Cs holds \[1.0, 2.0\]; expected"),
        (RidgeClassifierProbeCV(alphas=3), r"^alphas=3; expected a list of numbers above 0"),
        (LogisticProbeCV(tol=-1), r"^tol=-1; expected a number between 0 and 1"),
        (LogisticProbeCV(max_iter=0), r"^max_iter=0; expected"),
        (LogisticProbeCV(random_state="a"), r"^random_state='a'; expected"),
        (LogisticProbeCV(cv=30), r"^a class of 8 different training samples.*expected cv=8 at most, or cv='auto'$"),
        (RidgeClassifierProbeCV(cv="loo", scaling="standardize"), r"with scaling='standardize' would leak.*use cv=5$"),
        (RidgeClassifierProbeCV(alphas=[0.0, 1.0]), "above 0"),
    ],
    ids=repr,
)
def test_what_cannot_be_fitted_is_refused_in_words(probe: BaseEstimator, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        probe.fit(*digits(100))


def test_labels_and_lengths_that_cannot_be_are_refused_in_words() -> None:
    X, y = digits(100)
    with pytest.raises(ValueError, match="class_weight='balanced' with multi-label y"):
        LogisticProbeCV(class_weight="balanced").fit(X, np.eye(10, dtype=int)[y])
    with pytest.raises(ValueError, match=r"y of shape .* holds other values"):
        LogisticProbeCV().fit(X, 2 * np.eye(10, dtype=int)[y])
    with pytest.raises(ValueError, match="digests float64 of shape"):
        LogisticProbeCV().fit(X, y, digests=np.zeros((100, 32)))
    with pytest.raises(ValueError, match="criterion='accuracy'; expected None with multi-label y"):
        RidgeClassifierProbeCV(criterion="accuracy").fit(X, np.eye(10, dtype=int)[y])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        LogisticProbeCV().fit(X, y, groups=y[:50])


def test_a_fit_that_ended_early_warns() -> None:
    with pytest.warns(ConvergenceWarning, match="LogisticProbeCV did not converge; raise max_iter .*standardize"):
        assert LogisticProbeCV([1e4], max_iter=1).fit(*digits(100)).n_iter_ == 1


def test_a_choice_between_fits_that_ended_early_is_said_to_mean_little() -> None:
    said = (
        r"did not converge on held-out rows for \d+ of \d+ values, so that the choice C=.* means little; raise max_iter"
    )
    with pytest.warns(ConvergenceWarning, match=said):
        LogisticProbeCV(max_iter=1, tol=1e-9).fit(*digits(100))


def test_the_reason_why_nothing_can_be_chosen_is_true_and_in_the_words_of_python() -> None:
    X, y = digits(150)
    with pytest.raises(ValueError, match=r"^all 150 training samples are identical.*or one value in Cs$"):
        LogisticProbeCV().fit(np.zeros_like(X), y)
    with pytest.raises(
        ValueError, match=r"^150 training rows in 10 groups: to hold out groups would leave a class wit"
    ):
        LogisticProbeCV().fit(X, y, groups=y)
    said = r"of groups with rows on the other side; expected .*StratifiedGroupKFold"
    with pytest.warns(UserWarning, match="ignored by StratifiedKFold"), pytest.raises(ValueError, match=said):
        LogisticProbeCV(cv=StratifiedKFold(3)).fit(X, y, groups=y)
    with pytest.raises(
        ValueError, match=r"^10 training samples, one per class.* RidgeClassifierProbeCV\(cv='loo'\), or"
    ):
        LogisticProbeCV().fit(X[:10], np.arange(10))
    with pytest.raises(ValueError, match=r"copies of 1 training sample would leak: .*use cv=5, where copies"):
        RidgeClassifierProbeCV(cv="loo").fit(np.concatenate((X, X[:1])), np.append(y, y[0]))


def test_the_usual_rule_has_a_name_and_a_state_of_numpy_is_a_seed() -> None:
    X, y = digits(150)
    usual, named = LogisticProbeCV().fit(X, y), LogisticProbeCV(criterion="log_loss").fit(X, y)
    assert usual.selection_ == named.selection_ and len(repr(usual.selection_)) < 150
    assert RidgeClassifierProbeCV(criterion="accuracy").fit(X, y).alpha_ == RidgeClassifierProbeCV().fit(X, y).alpha_
    drawn = LogisticProbeCV([1.0], random_state=np.random.RandomState(0)).fit(X, y)
    assert drawn.selection_.seed == np.random.RandomState(0).randint(2**31 - 1)
    assert LogisticProbeCV([1.0], random_state=None).fit(X, y).C_ == 1
    assert LogisticProbeCV(criterion="log_loss").fit(X, np.eye(10, dtype=int)[y]).selection_.scores


@pytest.mark.parametrize("made", [LogisticProbeCV, RidgeClassifierProbeCV, RidgeProbeCV])
def test_help_of_a_probe_names_its_rule_and_all_its_arguments(made: type) -> None:
    said = " ".join((inspect.getdoc(made) or "").split())
    arguments = said.partition("Args:")[2].partition("Attributes:")[0]
    assert all(f"{name}:" in arguments for name in inspect.signature(made).parameters)
    assert "within half a standard error of the lowest" in said and "as of" not in said and "feature_names_in_" in said


def test_ridge_is_chosen_without_torch() -> None:
    code = "import sys, numpy as np, frostline as fl\nX = np.random.default_rng(0).standard_normal((40, 3))\n"
    code += "fl.RidgeProbeCV().fit(X, X[:, 0]).predict(X); fl.RidgeClassifierProbeCV().fit(X, X[:, 0] > 0)\n"
    subprocess.run([sys.executable, "-c", f"{code}fl.LogisticProbeCV; assert 'torch' not in sys.modules"], check=True)


@pytest.mark.parametrize(("module", "least"), [(probe_classifiers, 4), (probe_regressor, 4), (words, 1)])
def test_the_examples_are_true(module: object, least: int) -> None:
    done = doctest.testmod(module)
    assert done.attempted >= least and not done.failed
