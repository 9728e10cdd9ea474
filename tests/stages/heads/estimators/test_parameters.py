"""Parameters that can't be are refused by the names that they have in Python, before anything is fitted."""

from __future__ import annotations

import inspect
import subprocess
import sys

import numpy as np
import pytest

from frostline.stages.heads import estimators
from frostline.stages.heads.estimators import (
    AdamWClassifier,
    KNNClassifier,
    LDAClassifier,
    LinearSGDRegressor,
    LogisticClassifier,
    SVMClassifier,
)
from frostline.stages.heads.estimators.parameters import checked_seed, checked_values
from frostline.stages.heads.kinds import head_kind

X, Y = np.random.default_rng(0).standard_normal((20, 3)), np.arange(20) % 2
PUBLIC = [found for name in estimators.__all__ if inspect.isclass(found := getattr(estimators, name))]


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (LogisticClassifier(C=0), r"^C=0; expected a number above 0$"),
        (LogisticClassifier(C="1"), r"^C='1'; expected a number above 0$"),
        (LogisticClassifier(C=np.nan), r"^C=nan; expected"),
        (LogisticClassifier(C=True), r"^C=True; expected"),
        (LogisticClassifier(tol=-1), r"^tol=-1; expected a number between 0 and 1"),
        (SVMClassifier(max_iter=0), r"^max_iter=0; expected a whole number of 1 or more"),
        (LDAClassifier(shrinkage=1.5), r"^shrinkage=1.5; expected a number from 0 to 1$"),
        (KNNClassifier(k=2.5), r"^k=2.5; expected a whole number from 1$"),
        (AdamWClassifier(random_state="a"), r"^random_state='a'; expected a whole number of 0 or more, None or a"),
        (LinearSGDRegressor(random_state=-1), r"^random_state=-1; expected"),
    ],
    ids=repr,
)
def test_a_value_that_cannot_be_is_named_as_the_estimator_names_it(head, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        head.fit(X, Y)


def test_numbers_of_numpy_are_numbers() -> None:
    made = LogisticClassifier(C=np.float32(2), tol=np.float32(1e-5), max_iter=np.int64(50)).fit(X, Y)
    np.testing.assert_allclose(made.coef_, LogisticClassifier(C=2.0).fit(X, Y).coef_, rtol=1e-4)


def test_values_to_choose_from_are_one_or_more_numbers() -> None:
    logreg = head_kind("logreg")
    for bad in (10, 1.0, "1", {1.0: 2}, [], [[1.0, 2.0]], ["a"], [1.0, -1.0], np.ones((2, 2)), np.array(3.0)):
        with pytest.raises(ValueError, match=r"^Cs.*expected a list of numbers above 0, such as \[1\.0\], or None"):
            checked_values(logreg, "Cs", bad)
    assert checked_values(logreg, "Cs", np.logspace(-1, 1, 3)) == pytest.approx([0.1, 1, 10])
    assert checked_values(logreg, "Cs", None) is None


def test_a_state_draws_the_seed() -> None:
    assert checked_seed(np.int64(7)) == 7
    first, again = (checked_seed(np.random.RandomState(3)) for _ in range(2))
    assert first == again != checked_seed(np.random.RandomState(4))
    quick = AdamWClassifier(epochs=2, random_state=np.random.RandomState(0)).fit(X, Y)
    assert quick.coef_.shape == AdamWClassifier(epochs=2, random_state=None).fit(X, Y).coef_.shape


@pytest.mark.parametrize("made", PUBLIC, ids=lambda made: made.__name__)
def test_help_says_all_by_itself(made: type) -> None:
    said = inspect.getdoc(made) or ""
    assert "Attributes:" in said and "n_features_in_" in said
    assert ":mod:" not in said and "see the module" not in said and "Args: " not in said
    arguments = said.partition("Args:")[2].partition("Attributes:")[0]
    assert all(name in arguments for name in inspect.signature(made).parameters)


def test_neighbours_are_fitted_without_torch() -> None:
    code = "import sys, numpy as np; from frostline.stages.heads.estimators import KNNClassifier, RidgeRegressor\n"
    code += "X = np.eye(4); KNNClassifier(k=1).fit(X, [0, 1, 0, 1]).predict(X); RidgeRegressor().fit(X, X[0])\n"
    subprocess.run([sys.executable, "-c", f"{code}assert 'torch' not in sys.modules"], check=True)
