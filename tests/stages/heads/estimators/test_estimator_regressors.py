"""The heads that predict numbers are scikit-learn regressors by scikit-learn's own checks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from frostline.stages.heads.estimators import KNNRegressor, LinearSGDRegressor, RidgeRegressor

# As in test_classifiers.py: a float32 product may be summed in another order for one row than for many.
CHECKED = [RidgeRegressor(), KNNRegressor(temperature=1.0), LinearSGDRegressor(steps=200, batch=32)]


def expected_failures(head: BaseEstimator) -> dict[str, str]:
    repeated = "check_sample_weight_equivalence_on_dense_data"
    reasons: dict[type, dict[str, str]] = {
        KNNRegressor: {repeated: "k counts rows: two copies of one fill two places, a row of weight 2 one"},
        LinearSGDRegressor: {repeated: "batches are drawn from rows: a row of weight 2 is drawn once an epoch"},
    }
    return reasons.get(type(head), {})


@parametrize_with_checks(CHECKED, expected_failed_checks=expected_failures)
def test_scikit_learns_own_checks_pass(estimator: BaseEstimator, check: Callable[[BaseEstimator], None]) -> None:
    check(estimator)


def rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 8)).astype(np.float32)
    return X, X[:, :2] * 10.0 + rng.standard_normal((200, 2)) + 50


@pytest.mark.parametrize("head", CHECKED, ids=repr)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_one_or_several_numbers_are_predicted_from_features_of_any_precision(head: BaseEstimator, dtype: type) -> None:
    X, y = rows()
    several = clone(head).fit(X.astype(dtype), y)
    assert several.predict(X.astype(dtype)).shape == (200, 2) and several.score(X.astype(dtype), y) > 0.3
    assert clone(head).fit(X.astype(dtype), y[:, 0]).predict(X.astype(dtype)).shape == (200,)


def test_ridge_is_scikit_learns_in_a_pipeline_and_a_search() -> None:
    X, y = rows()
    X, grid = X.astype(np.float64), (1e-2, 1.0, 1e2)
    ours = GridSearchCV(make_pipeline(StandardScaler(), RidgeRegressor()), {"ridgeregressor__alpha": grid})
    theirs = GridSearchCV(make_pipeline(StandardScaler(), Ridge()), {"ridge__alpha": grid})
    np.testing.assert_allclose(ours.fit(X, y).predict(X), theirs.fit(X, y).predict(X), rtol=1e-8)


@pytest.mark.parametrize("head", [RidgeRegressor(), LinearSGDRegressor(steps=200, batch=32)], ids=repr)
def test_coefficients_give_the_predictions(head: BaseEstimator) -> None:
    X, y = rows()
    X = X.astype(np.float64)
    several, one = clone(head).fit(X, y), clone(head).fit(X, y[:, 1])
    assert several.coef_.shape == (2, 8) and several.intercept_.shape == (2,)
    assert one.coef_.shape == (8,) and one.intercept_.shape == ()
    np.testing.assert_allclose(several.predict(X), X @ several.coef_.T + several.intercept_, rtol=1e-9)
    np.testing.assert_allclose(one.predict(X), X @ one.coef_ + one.intercept_, rtol=1e-9)
