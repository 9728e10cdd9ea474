"""Labels and numbers that rows not seen speak against: planted ones are found, sound ones are left alone."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.linear_model import Ridge
from sklearn.model_selection import PredefinedSplit, cross_val_predict

from frostline.stages.datasets.draws import folds
from frostline.stages.diagnostics import (
    DoubtfulLabels,
    copies,
    doubtful_labels,
    limit,
    out_of_fold_of,
    unlikely_values,
)
from frostline.stages.heads import head_spec
from frostline.stages.store import Features
from frostline.stages.targets.values import Targets


def cached(X: np.ndarray, targets: Targets, split: str = "train") -> Features:
    digests = np.array([list(hashlib.sha256(row.tobytes()).digest()) for row in X], np.uint8)
    return Features(X.astype(np.float32), targets, tuple(f"{split}/{i}" for i in range(len(X))), digests, split, "key")


def rows(n: int = 400, d: int = 12) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d))
    return X, X[:, :3] @ rng.normal(size=(3, 2)) * 4


def test_turned_labels_are_found_for_each_label_by_itself() -> None:
    X, scores = rows()
    y = (scores > 0).astype(np.int8)
    turned = [(int(np.argmax(scores[:, 0])), 0), (int(np.argmin(scores[:, 1])), 1)]
    for place in turned:
        y[place] = 1 - y[place]
    y[5, 0] = -1
    train = cached(X, Targets(("a", "b"), y, "multi-label"))
    probabilities = out_of_fold_of(train, head_spec("logreg", (1.0,), target="multi-label"), 400)
    judged = doubtful_labels(probabilities, y)
    found = judged.found
    assert {(one.row, one.label) for one in found[:2]} == set(turned) and len(found) < 20
    assert all(one.given == bool(y[one.row, one.label]) and one.chance < 0.01 for one in found[:2])
    assert not any((one.row, one.label) == (5, 0) for one in found)
    assert judged.expected is not None and judged.expected < 8 and judged.agreement is not None
    assert judged.agreement > 0.9
    assert doubtful_labels(probabilities, np.ones_like(y)) == DoubtfulLabels((), None, None)


def test_out_of_fold_numbers_are_those_of_scikit_learn() -> None:
    X, numbers = rows(60)
    train = cached(X, Targets(("a", "b"), numbers, "regression"))
    found = out_of_fold_of(train, head_spec("ridge", (2.0,), target="regression"), 60, seed=3)
    split = PredefinedSplit(folds(train.targets, train.digests, 5, 3))
    np.testing.assert_allclose(found, cross_val_predict(Ridge(2.0), X, numbers, cv=split), atol=1e-4)


def test_rows_of_one_group_are_in_one_fold() -> None:
    X, numbers = rows(60)
    targets = Targets(("a", "b"), numbers, "regression", groups=np.arange(60) // 6)
    fold = folds(targets, cached(X, targets).digests, 5, 0)
    assert set(fold.tolist()) == set(range(5)) and all(len(set(fold[i : i + 6].tolist())) == 1 for i in range(0, 60, 6))


def test_values_far_from_what_is_expected_are_found_and_normal_noise_is_not() -> None:
    rng = np.random.default_rng(1)
    expected = rng.normal(size=(300, 2)) * 50
    y = expected + rng.normal(size=(300, 2))
    sound = unlikely_values(expected, y)
    noise = (expected + np.random.default_rng(seed).normal(size=(300, 2)) for seed in range(20))
    assert sum(len(unlikely_values(expected, y)) for y in noise) <= 20
    y[7, 1] += 20
    y[9, 0] = np.nan
    found = unlikely_values(expected, y)
    assert (found[0].row, found[0].output) == (7, 1) and found[0].z == pytest.approx(20, rel=0.2)
    assert found[0].given == y[7, 1] and found[0].expected == expected[7, 1]
    assert len(found) == len(sound) + 1
    assert unlikely_values(expected[:9], y[:9]) == ()


def test_a_value_that_is_explained_exactly_is_not_odd() -> None:
    y = np.linspace(0, 1, 50)[:, None]
    assert unlikely_values(y + 1e-16, y) == ()


def test_the_limit_is_chauvenets_where_that_is_larger() -> None:
    assert limit(10) == 3.5
    assert 2 * 100_000 * norm.sf(limit(100_000)) == pytest.approx(0.5)


def test_copies_conflict_where_what_is_known_of_them_differs() -> None:
    X = np.repeat(np.arange(4.0)[:, None], 2, 0)
    labels = np.array([[1, -1], [1, 0], [1, 0], [1, 1], [0, 0], [0, 0], [-1, -1], [1, 1]], np.int8)
    nothing = cached(X[:0], Targets(("a", "b"), labels[:0], "multi-label"), "test")
    found = copies(cached(X, Targets(("a", "b"), labels, "multi-label")), nothing)
    assert [one.conflicting for one in found] == [False, True, False, False]
    numbers = np.array([[1.0], [np.nan], [2.0], [2.5], [3.0], [3.0], [np.nan], [np.nan]])
    nothing = cached(X[:0], Targets(("a",), numbers[:0], "regression"), "test")
    found = copies(cached(X, Targets(("a",), numbers, "regression")), nothing)
    assert [one.conflicting for one in found] == [False, True, False, False]
