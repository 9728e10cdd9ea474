from __future__ import annotations

import inspect

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import RidgeClassifier as Peer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from frostline.stages.heads.estimators import (
    AdamWClassifier,
    CentroidClassifier,
    KNNClassifier,
    KNNRegressor,
    LDAClassifier,
    LinearSGDClassifier,
    LinearSGDRegressor,
    LogisticClassifier,
    RidgeClassifier,
    RidgeRegressor,
    SVMClassifier,
)
from frostline.stages.heads.kinds import head_kind

QUICK = {"steps": 150, "batch": 32, "lr": 0.1}
LINEAR = [
    LogisticClassifier(),
    RidgeClassifier(),
    LDAClassifier(),
    CentroidClassifier(),
    SVMClassifier(),
    LinearSGDClassifier(**QUICK),
    AdamWClassifier(batch=32, epochs=100),
]
ALL = [*LINEAR, KNNClassifier()]
# Some processors sum one row's float32 product in another order than many rows'; at the default temperature the
# last digit of a cosine is then the sixth of a vote, and scikit-learn asks for seven.
# It also asks for seven digits of a fit to repeated rows, so fits to a tolerance are close ones.
CLOSE = {"tol": 1e-9, "dtype": "float64"}
CHECKED = [clone(head).set_params(**CLOSE) if hasattr(head, "tol") else head for head in LINEAR]
CHECKED += [KNNClassifier(temperature=1.0)]
WEIGHTED = [head for head in ALL if "class_weight" in head.get_params()]
Data = tuple[np.ndarray, np.ndarray]


def expected_failures(head) -> dict[str, str]:
    repeated = "check_sample_weight_equivalence_on_dense_data"
    reasons = {
        KNNClassifier: {repeated: "k counts rows: two copies of one fill two places, a row of weight 2 one"},
        LinearSGDClassifier: {repeated: "batches are drawn from rows: a row of weight 2 is drawn once an epoch"},
        AdamWClassifier: {repeated: "batches are drawn from rows: a row of weight 2 is drawn once an epoch"},
    }
    return reasons.get(type(head), {})


@parametrize_with_checks(CHECKED, expected_failed_checks=expected_failures)
def test_scikit_learns_own_checks_pass(estimator, check) -> None:
    check(estimator)


def named(n: int = 120) -> Data:
    rng = np.random.default_rng(0)
    names = np.array(["ant", "bee", "cat"])
    y = np.minimum(np.arange(n) % 10, 2)  # most are cats
    X = rng.standard_normal((n, 8)) + 1.0 * rng.standard_normal((3, 8))[y]
    return X.astype(np.float32), names[y]


@pytest.mark.parametrize("head", ALL, ids=repr)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_names_are_predicted_from_features_of_any_precision(head, dtype: type) -> None:
    X, y = named()
    head = clone(head).fit(X.astype(dtype), y)
    assert head.classes_.tolist() == ["ant", "bee", "cat"] and head.n_features_in_ == 8
    assert (head.predict(X.astype(dtype)) == y).mean() > 0.8


@pytest.mark.parametrize("head", WEIGHTED, ids=repr)
def test_balanced_classes_are_sample_weights_by_class(head) -> None:
    X, y = named()
    _, index, counts = np.unique(y, return_inverse=True, return_counts=True)
    balanced = clone(head).set_params(class_weight="balanced").fit(X, y)
    by_hand = clone(head).fit(X, y, len(y) / (3 * counts[index]))
    plain = clone(head).fit(X, y)
    np.testing.assert_allclose(_values(balanced, X), _values(by_hand, X), atol=1e-5)
    assert not np.allclose(_values(balanced, X), _values(plain, X), atol=1e-3)


def _values(head, X: np.ndarray) -> np.ndarray:
    return head.predict_proba(X) if hasattr(head, "predict_proba") else head.decision_function(X)


@pytest.mark.parametrize("head", LINEAR, ids=repr)
@pytest.mark.parametrize("classes", [2, 3])
def test_coefficients_are_what_decides(head, classes: int) -> None:
    X, y = named()
    X, y = (X, y) if classes == 3 else (X[y != "bee"], y[y != "bee"])
    head = clone(head).fit(X, y)
    rows = 1 if classes == 2 else 3
    assert head.coef_.shape == (rows, 8) and head.intercept_.shape == (rows,) and head.coef_.dtype == np.float64
    given = X / np.linalg.norm(X, axis=1, keepdims=True) if isinstance(head, CentroidClassifier) else X
    scores = given.astype(np.float64) @ head.coef_.T + head.intercept_
    np.testing.assert_allclose(head.decision_function(X).reshape(scores.shape), scores, rtol=1e-4, atol=1e-4)
    index = (scores[:, 0] > 0).astype(int) if rows == 1 else scores.argmax(1)
    assert np.array_equal(head.predict(X), head.classes_[index])
    assert hasattr(head, "n_iter_") == isinstance(
        head, LogisticClassifier | SVMClassifier | LinearSGDClassifier | AdamWClassifier
    )


def test_two_classes_have_scikit_learns_coefficients() -> None:
    X, y = named()
    X, y = X[y != "bee"].astype(np.float64), y[y != "bee"]
    ridge, machine = RidgeClassifier().fit(X, y), SVMClassifier(C=1.0, tol=1e-10, dtype="float64").fit(X, y)
    np.testing.assert_allclose(ridge.coef_.ravel(), Peer().fit(X, y).coef_.ravel(), rtol=1e-8)
    peer = LinearSVC(C=1.0, intercept_scaling=1e3, tol=1e-10, max_iter=100_000, dual=False).fit(X, y)
    np.testing.assert_allclose(machine.coef_, peer.coef_, atol=1e-4)


KINDS = {"logreg": LogisticClassifier, "ridge": RidgeClassifier, "lda": LDAClassifier, "svm": SVMClassifier}
KINDS |= {"centroid": CentroidClassifier, "linear": LinearSGDClassifier, "adamw": AdamWClassifier}
KINDS |= {"knn": KNNClassifier}
OF_NUMBERS = {"ridge": RidgeRegressor, "linear": LinearSGDRegressor, "knn": KNNRegressor}
CASES = [(name, "single-label", made) for name, made in KINDS.items()]
CASES += [(name, "regression", made) for name, made in OF_NUMBERS.items()]


@pytest.mark.parametrize(("name", "target", "made"), CASES)
def test_defaults_are_the_command_lines_own(name: str, target: str, made: type) -> None:
    kind = head_kind(name)
    solver = inspect.signature(kind.solver_class(target)).parameters
    names = {"tol": "tolerance", "max_iter": "max_iterations", "random_state": "seed"}
    given = {names.get(name, name): value for name, value in made().get_params().items()}
    expected = {option: solver[option].default for option in kind.options(target)}
    expected |= {kind.parameter: kind.default} if kind.parameter else {}
    assert {name: value for name, value in given.items() if name != "class_weight"} == expected


@pytest.mark.parametrize("head", ALL, ids=repr)
def test_a_row_of_weight_zero_is_not_there_and_nor_is_its_class(head) -> None:
    X, y = named()
    kept = (y != "bee").astype(float)
    head = clone(head).fit(X, y, kept)
    assert head.classes_.tolist() == ["ant", "cat"]
    alone = clone(head).fit(X[y != "bee"], y[y != "bee"])
    np.testing.assert_array_equal(head.predict(X), alone.predict(X))


def test_ridge_chooses_as_scikit_learns_does_in_its_own_pipeline_and_grid_search() -> None:
    X, y = named()
    own, theirs = (
        GridSearchCV(make_pipeline(StandardScaler(), head), {f"{name}__alpha": [1e-2, 1e2, 1e4]}, cv=3).fit(X, y)
        for head, name in ((RidgeClassifier(), "ridgeclassifier"), (Peer(), "ridgeclassifier"))
    )
    np.testing.assert_allclose(own.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"])


def test_two_classes_have_one_score_whose_sign_decides() -> None:
    X, y = named()
    X, y = X[y != "bee"], y[y != "bee"]
    ours, theirs = RidgeClassifier().fit(X, y), Peer().fit(X.astype(np.float64), y)
    assert ours.decision_function(X).shape == (len(y),)
    np.testing.assert_allclose(ours.decision_function(X), theirs.decision_function(X.astype(np.float64)), atol=1e-4)
    np.testing.assert_array_equal(ours.predict(X), np.where(ours.decision_function(X) > 0, "cat", "ant"))


def test_an_estimator_that_did_not_converge_warns() -> None:
    X, y = named()
    with pytest.warns(ConvergenceWarning, match="LinearSGDClassifier did not converge"):
        LinearSGDClassifier(lr=1e30, steps=50, batch=8, weight_decay=1.0).fit(X, y)


@pytest.mark.parametrize("head", ALL, ids=repr)
def test_what_cannot_be_fitted_is_refused_in_words(head) -> None:
    X, y = named()
    with pytest.raises(ValueError, match=r"(rows of 1|holds only one) class"):
        clone(head).fit(X, np.full(len(y), "cat"))
    with pytest.raises(ValueError, match="X has 5 features, but"):
        clone(head).fit(X, y).predict(X[:, :5])


@pytest.mark.parametrize("head", ALL, ids=repr)
def test_constant_and_equal_columns_warn_of_nothing_and_change_no_prediction(head) -> None:
    X, y = named()
    same = clone(head).fit(X, y).predict(X)
    wider = np.concatenate((X, np.zeros((len(y), 2), np.float32), X), 1)
    found = clone(head).fit(wider, y).predict(wider)
    assert (found == same).mean() > 0.95
