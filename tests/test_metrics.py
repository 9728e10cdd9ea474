"""Scores and intervals agree with scikit-learn and with resampling the rows themselves."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support

from stages.metrics import accuracy, bootstrap, by_class, confusion, macro_f1


@pytest.fixture
def labels() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 5, 400)
    return y, np.where(rng.random(400) < 0.7, y, rng.integers(0, 5, 400))


def test_scores_are_scikit_learns(labels: tuple[np.ndarray, np.ndarray]) -> None:
    y, predicted = labels
    counts = confusion(y, predicted, 5)
    assert accuracy(counts) == pytest.approx(accuracy_score(y, predicted))
    assert macro_f1(counts) == pytest.approx(f1_score(y, predicted, average="macro"))
    expected = precision_recall_fscore_support(y, predicted)
    found = [(c.precision, c.recall, c.f1, c.support) for c in by_class(counts, tuple("abcde"))]
    np.testing.assert_allclose(found, np.transpose(expected))


def test_a_class_absent_from_labels_and_predictions_does_not_lower_macro_f1() -> None:
    y, predicted = np.array([0, 1, 1, 0]), np.array([0, 1, 1, 1])
    assert macro_f1(confusion(y, predicted, 4)) == pytest.approx(f1_score(y, predicted, average="macro"))


def test_the_interval_is_that_of_resampled_rows(labels: tuple[np.ndarray, np.ndarray]) -> None:
    y, predicted = labels
    rng = np.random.default_rng(1)
    drawn = []
    for _ in range(1000):
        rows = rng.integers(0, len(y), len(y))
        drawn.append(f1_score(y[rows], predicted[rows], average="macro"))
    score = bootstrap(confusion(y, predicted, 5), seed=0, resamples=4000)["macro_f1"]
    np.testing.assert_allclose((score.low, score.high), np.quantile(drawn, (0.025, 0.975)), atol=0.006)


def test_intervals_are_seeded_and_hold_the_score(labels: tuple[np.ndarray, np.ndarray]) -> None:
    counts = confusion(*labels, 5)
    assert bootstrap(counts, 0) == bootstrap(counts, 0) != bootstrap(counts, 1)
    for score in bootstrap(counts, 0).values():
        assert score.low < score.value < score.high


def test_a_thousand_classes_fit_in_memory() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 1000, 2000)
    predicted = np.where(rng.random(2000) < 0.9, y, 0)
    score = bootstrap(confusion(y, predicted, 1000), 0, resamples=20)["accuracy"]
    assert 0.85 < score.low < score.high < 0.95


def test_rows_that_are_all_right_still_leave_doubt() -> None:
    y = np.array([0, 1] * 5)
    score = bootstrap(confusion(y, y, 2), 0)["accuracy"]
    assert (score.value, score.high) == (1, 1)
    assert score.low == pytest.approx(0.7225, abs=1e-3)  # Wilson's bound for 10 of 10
