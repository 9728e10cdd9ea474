from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from frostline.stages.heads.solvers.centroid import CentroidSolver

Data = tuple[np.ndarray, np.ndarray]
ONCE = (0.0,)


def plain(classes: int = 4, n: int = 60) -> Data:
    rng = np.random.default_rng(0)
    y = np.arange(n) % classes
    X = rng.standard_normal((n, 8)) + rng.standard_normal((classes, 8))[y]
    return (X * rng.uniform(0.1, 10, (n, 1))).astype(np.float32), y


def similarity(X, y, weights) -> np.ndarray:
    """Cosines of all rows with the weighted means of normalised rows, one class after the other, in float64."""
    X = X.astype(np.float64)
    unit = X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1e-300)
    means = np.stack([(weights[y == c, None] * unit[y == c]).sum(0) for c in range(y.max() + 1)])
    return cosine_similarity(X, means)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_scores_are_cosines_with_the_means_of_normalised_rows(classes: int, dtype: type) -> None:
    X, y = plain(classes)
    X, weights = X.astype(dtype), np.random.default_rng(1).uniform(0.1, 3, len(y))
    path = CentroidSolver(X, y, classes).fit(ONCE, weights)
    np.testing.assert_allclose(path.decision_values(X)[0], similarity(X, y, weights), atol=1e-6)


def test_a_rows_length_counts_for_nothing() -> None:
    X, y = plain()
    longer = X * np.linspace(1, 1000, len(y), dtype=np.float32)[:, None]
    one, other = (CentroidSolver(rows, y, 4).fit(ONCE, np.ones(len(y))) for rows in (X, longer))
    np.testing.assert_allclose(one.weight, other.weight, atol=1e-6)


def test_a_row_of_weight_zero_is_a_row_left_out() -> None:
    X, y = plain()
    used = np.random.default_rng(2).random(len(y)) < 0.6
    path = CentroidSolver(X, y, 4).fit(ONCE, used.astype(float))
    alone = CentroidSolver(X[used], y[used], 4).fit(ONCE, np.ones(used.sum()))
    np.testing.assert_allclose(path.weight, alone.weight, atol=1e-7)


def test_a_class_without_weight_is_never_chosen() -> None:
    X, y = plain()
    scores = CentroidSolver(X, y, 4).fit(ONCE, (y != 2).astype(float)).decision_values(X)
    assert (scores[..., 2] == -np.inf).all() and (scores.argmax(-1) != 2).all()


def test_rows_of_zeros_and_means_of_zero_have_cosine_0_and_no_warning() -> None:
    X = np.array([[1, 0], [-1, 0], [0, 1], [0, 0]], np.float32)
    scores = CentroidSolver(X, np.array([0, 0, 1, 1]), 2).fit(ONCE, np.ones(4)).decision_values(X)[0]
    np.testing.assert_allclose(scores, [[0, 0], [0, 0], [0, 1], [0, 0]])


def test_the_head_alone_scores_features_as_they_are() -> None:
    X, y = plain()
    path = CentroidSolver(X, y, 4).fit(ONCE, np.ones(len(y)))
    head = path.head(0, ("a", "b", "c", "d"))
    assert head.normalized and not head.probabilistic
    np.testing.assert_allclose(head.decision_values(X), path.decision_values(X)[0], atol=1e-6)


def test_rows_of_one_class_are_refused() -> None:
    X, y = plain()
    with pytest.raises(ValueError, match="rows of 1 class"):
        CentroidSolver(X, y, 4).fit(ONCE, (y == 1).astype(float))
