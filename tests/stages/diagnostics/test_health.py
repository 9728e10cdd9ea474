"""Health: defects put into a copy of the digits are found, and what is sound is left alone."""

from __future__ import annotations

import hashlib
import sys
import warnings
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.metrics.pairwise import cosine_similarity

from frostline.stages.datasets.sampling import folds
from frostline.stages.diagnostics import (
    DuplicatePair,
    auroc,
    copies,
    find_near_duplicates,
    label_issues,
    out_of_fold,
    shift,
    values,
)
from frostline.stages.store import Features
from frostline.stages.targets.values import Targets

CLASSES = tuple("0123456789")


def cached(X: np.ndarray, y: np.ndarray, split: str) -> Features:
    """Rows as if they were cached: their content is their values."""
    digests = np.array([list(hashlib.sha256(row.tobytes()).digest()) for row in X], np.uint8)
    ids = tuple(f"{split}/{i:04d}" for i in range(len(X)))
    return Features(X.astype(np.float32), Targets(CLASSES, y.astype(np.int64)), ids, digests, split, "key")


def row(name: str) -> int:
    return int(name.rpartition("/")[2])


def rows(pair: DuplicatePair) -> tuple[int, int]:
    return row(pair.id), row(pair.nearest)


def digits() -> tuple[Features, Features]:
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    return cached(X[order[:1300]], y[order[:1300]], "train"), cached(X[order[1300:]], y[order[1300:]], "test")


def a_pixel_changed(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    changed = X.copy()
    pixels = rng.integers(0, X.shape[1], len(X))
    here = changed[np.arange(len(X)), pixels]
    changed[np.arange(len(X)), pixels] = np.where(here > 8, here - 2, here + 2)
    return changed


@dataclass
class Defects:
    """The digits with defects, and where they are: rows, or pairs of rows."""

    train: Features
    test: Features
    within: set[tuple[int, int]] = field(default_factory=set)
    across: set[tuple[int, int]] = field(default_factory=set)
    conflicting: set[tuple[int, int]] = field(default_factory=set)
    near: set[tuple[int, int]] = field(default_factory=set)
    near_across: set[tuple[int, int]] = field(default_factory=set)
    flipped: set[int] = field(default_factory=set)


@pytest.fixture(scope="module")
def defects() -> Defects:
    """20 copies within train, 20 of train in test, 10 under another label, 30 + 30 near ones, 5 % of labels flipped."""
    rng = np.random.default_rng(1)
    train, test = digits()
    rows = rng.permutation(len(train))
    again, twice, near, leaked, near_leaked, flipped = np.split(rows, [20, 30, 60, 80, 110])[:6]
    flipped = flipped[: round(0.05 * len(train))]
    y = train.y.copy()
    y[flipped] = (y[flipped] + rng.integers(1, 10, len(flipped))) % 10
    n, m = len(train), len(test)
    X = np.vstack([train.X, train.X[again], train.X[twice], a_pixel_changed(train.X[near], rng)])
    labels = np.concatenate([y, y[again], (y[twice] + 1) % 10, y[near]])
    tested = np.vstack([test.X, train.X[leaked], a_pixel_changed(train.X[near_leaked], rng)])
    return Defects(
        cached(X, labels, "train"),
        cached(tested, np.concatenate([test.y, y[leaked], y[near_leaked]]), "test"),
        within={(int(row), n + i) for i, row in enumerate(again)},
        conflicting={(int(row), n + 20 + i) for i, row in enumerate(twice)},
        near={(int(row), n + 30 + i) for i, row in enumerate(near)},
        across={(int(row), m + i) for i, row in enumerate(leaked)},
        near_across={(m + 20 + i, int(row)) for i, row in enumerate(near_leaked)},
        flipped=set(flipped.tolist()),
    )


def say(what: str, found: set, wanted: set, flagged: int) -> None:
    print(f"{what}: {len(found & wanted)} of {len(wanted)} found, {flagged} named in all")


def test_all_exact_copies_are_found_and_nothing_else(defects: Defects) -> None:
    found = copies(defects.train, defects.test)
    within = {tuple(map(row, c.train)) for c in found if len(c.train) == 2 and not c.conflicting}
    conflicting = {tuple(map(row, c.train)) for c in found if c.conflicting}
    across = {(row(c.train[0]), row(c.test[0])) for c in found if c.leaks}
    say("copies within train", within, defects.within, len(within))
    say("copies in train and test", across, defects.across, len(across))
    say("copies under two labels", conflicting, defects.conflicting, len(conflicting))
    assert within == defects.within and across == defects.across and conflicting == defects.conflicting
    assert copies(*digits()) == ()


def test_nine_of_ten_near_duplicates_are_found_and_few_besides(defects: Defects) -> None:
    found = find_near_duplicates(defects.train, defects.test)
    near = {tuple(sorted(rows(pair))) for pair in found.train}
    across = set(map(rows, found.across))
    say("near duplicates within train", near, defects.near, len(near))
    say("near duplicates of train in test", across, defects.near_across, len(across))
    assert len(near & defects.near) >= 27 and len(across & defects.near_across) >= 27
    assert len(near - defects.near) <= 5 and len(across - defects.near_across) <= 5
    distances = [pair.distance for pair in found.across]
    assert distances == sorted(distances) and distances[-1] <= 0.13


def test_the_nearest_rows_are_those_of_all_cosines_over_many_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[find_near_duplicates.__module__], "_BLOCK", 100)
    train, test = digits()
    usual = find_near_duplicates(train, test).typical_distance
    found = find_near_duplicates(train, test, threshold=1.0)
    cosines = cosine_similarity(train.X.astype(np.float64))
    np.fill_diagonal(cosines, -2)
    assert usual == pytest.approx(np.median(1 - cosines.max(1)), rel=1e-3)
    for own, nearest in map(rows, found.train):
        assert cosines[own, nearest] == pytest.approx(cosines[own].max(), abs=1e-6)
    reached = {one for pair in found.train for one in rows(pair)}
    assert reached >= set(np.flatnonzero(1 - cosines.max(1) < 0.999 * found.typical_distance))
    between = cosine_similarity(test.X.astype(np.float64), train.X.astype(np.float64))
    wanted = np.flatnonzero(1 - between.max(1) < 0.999 * found.typical_distance)
    near = dict(map(rows, found.across))
    assert all(between[one, near[one]] == pytest.approx(between[one].max(), abs=1e-6) for one in wanted)


@pytest.mark.parametrize("d", [1, 2, 3, 8, 32, 128])
def test_rows_that_are_drawn_alone_are_no_near_duplicates_in_any_dimension(d: int) -> None:
    rng = np.random.default_rng(d)
    train, test = (cached(rng.normal(size=(n, d)), np.zeros(n), split) for n, split in ((1500, "train"), (500, "test")))
    found = find_near_duplicates(train, test)
    assert len(found.train) + len(found.test) + len(found.across) <= 2
    again = cached(train.X[:50] * (1 + 0.01 * rng.normal(size=(50, d))), np.zeros(50), "test")
    reached = [pair for pair in map(rows, find_near_duplicates(train, again).across) if pair[0] == pair[1]]
    assert len(reached) == 50 or d < 8


def test_equal_features_of_different_content_are_near_even_where_most_are_equal() -> None:
    X = np.vstack([np.ones((6, 4)), np.eye(4)])
    digests = np.arange(10, dtype=np.uint8)[:, None].repeat(32, 1)
    train = replace(cached(X, np.arange(10) % 2, "train"), digests=digests)
    test = cached(np.array([[0.0, 0, 0, 2], [1, 2, 3, 4]]), np.array([0, 1]), "test")
    found = find_near_duplicates(train, test)
    assert found.typical_distance <= 1e-6 and len(found.train) >= 3
    assert list(map(rows, found.across)) == [(0, 9)]


def test_flipped_labels_are_named_and_sound_ones_are_not(defects: Defects) -> None:
    train = defects.train
    probabilities = out_of_fold(train.X, train.y, train.digests, 10)
    found = label_issues(probabilities, train.y)
    wanted = defects.flipped | {row for pair in defects.conflicting for row in pair}
    say("flipped labels", set(found.rows), defects.flipped, len(found.rows))
    assert len(set(found.rows) & defects.flipped) >= 0.7 * len(defects.flipped)
    assert len(set(found.rows) & wanted) >= 0.9 * len(found.rows)
    assert list(found.chance) == sorted(found.chance) and max(found.chance) <= 0.01
    clean = digits()[0]
    right = [s == clean.y[row] for row, s in zip(found.rows, found.suggested, strict=True) if row in defects.flipped]
    assert np.mean(right) >= 0.95


def test_out_of_fold_probabilities_are_those_of_heads_fitted_without_the_fold() -> None:
    train, _ = digits()
    got = out_of_fold(train.X, train.y, train.digests, 10, count=4, seed=5)
    fold = folds(train.y, train.digests, 10, 4, 5)
    C = 3 / train.X.astype(np.float64).var(0).sum()
    wanted = np.zeros_like(got)
    for k in range(4):
        head = LogisticRegression(C=C, tol=1e-8, max_iter=10_000)
        wanted[fold == k] = head.fit(train.X[fold != k], train.y[fold != k]).predict_proba(train.X[fold == k])
    np.testing.assert_allclose(got, wanted, atol=0.04)
    assert np.abs(got - wanted).mean() < 5e-4


def test_rows_and_dimensions_that_are_odd_are_named() -> None:
    X = np.random.default_rng(0).normal(size=(9000, 20)).astype(np.float32)
    X[[50, 5000]] *= np.array([[60.0], [1 / 90]], np.float32)
    X[:, 4], X[:, 7] = 0, 0.01
    X[[10, 8000], 3] = np.nan, np.inf
    found = values(X)
    assert (found.not_finite, found.dead, found.constant) == ((10, 8000), (4,), (7,))
    assert set(found.outliers) == {50, 5000} and list(found.distances) == sorted(found.distances, reverse=True)
    assert min(found.distances) > 8


def test_odd_rows_and_dimensions_put_into_the_digits_are_all_found_and_nothing_else() -> None:
    rng = np.random.default_rng(2)
    train, _ = digits()
    sound = values(train.X)
    rows, dimensions = rng.permutation(len(train)), rng.permutation(np.flatnonzero(train.X.std(0) > 3))
    nan, infinite, far, short = (set(part.tolist()) for part in np.split(rows[:50], [10, 20, 35]))
    dead, constant = (set(part.tolist()) for part in np.split(dimensions[:9], [5]))
    X = train.X.copy()
    X[:, list(dead)], X[:, list(constant)] = 0, 5
    X[list(far)] *= 20
    X[list(short)] /= 20
    X[:, list(constant)] = 5
    for row in nan | infinite:
        X[row, rng.integers(X.shape[1])] = np.nan if row in nan else np.inf
    found = values(X)
    say("rows with NaN or infinity", set(found.not_finite), nan | infinite, len(found.not_finite))
    say("dead dimensions", set(found.dead), dead, len(found.dead) - len(sound.dead))
    say("constant dimensions", set(found.constant), constant, len(found.constant))
    say("rows of outlying length", set(found.outliers), far | short, len(found.outliers))
    assert set(found.not_finite) == nan | infinite and set(found.outliers) == far | short
    assert set(found.dead) == dead | set(sound.dead) and set(found.constant) == constant


def test_a_test_split_that_differs_is_told_from_one_that_is_drawn_alike() -> None:
    rng = np.random.default_rng(3)
    train, test = digits()
    pictures = test.X.reshape(-1, 8, 8)
    shifts = {
        "darker": test.X * 0.8,
        "noisier": np.clip(test.X + rng.normal(0, 3, test.X.shape), 0, 16),
        "inverted": 16 - test.X,
        "mirrored": pictures[:, :, ::-1].reshape(test.X.shape),
        "moved by a pixel": np.roll(pictures, 1, 2).reshape(test.X.shape),
        "without five of the classes": test.X[test.y < 5],
    }
    found = {name: shift(train, cached(X, np.zeros(len(X)), "test")) for name, X in shifts.items()}
    told = {name for name, one in found.items() if one and one.found}
    drawn = 0
    for seed in range(10):
        order = np.random.default_rng(seed).permutation(len(train) + len(test))
        X = np.vstack([train.X, test.X])[order]
        one = shift(cached(X[:1300], np.zeros(1300), "train"), cached(X[1300:], np.zeros(len(X) - 1300), "test"))
        drawn += one is not None and one.found
    print(f"shifted test splits: {len(told)} of {len(shifts)} found; of 10 drawn alike {drawn} called shifted")
    assert told == set(shifts) and drawn <= 2


def test_sound_features_have_no_odd_rows_whatever_their_scale_and_type() -> None:
    train, _ = digits()
    for X in (train.X, train.X * 1e-6, train.X.astype(np.float16) * np.float16(100)):
        found = values(X)
        assert (found.not_finite, found.outliers, found.constant) == ((), (), ())
        assert found.dead == tuple(np.flatnonzero((train.X == 0).all(0)))
    unit = train.X / np.linalg.norm(train.X, axis=1, keepdims=True)
    assert values(unit).outliers == ()
    nothing = values(np.full((3, 2), np.nan))
    assert nothing.not_finite == (0, 1, 2) and nothing.outliers == () and nothing.dead == ()


@pytest.mark.parametrize(("longer", "outliers"), [(1.05, ()), (1.2, (3,))])
def test_among_rows_of_one_length_a_few_per_cent_are_no_outlier(longer: float, outliers: tuple[int, ...]) -> None:
    X = np.eye(8)
    X[3] *= longer
    assert values(X).outliers == outliers


def test_a_row_of_zeros_among_others_is_an_outlier() -> None:
    X = np.random.default_rng(0).normal(size=(100, 8))
    X[3] = 0
    assert values(X).outliers == (3,)


def test_shift_needs_ten_rows_of_each_and_uses_no_more_than_asked() -> None:
    train, test = digits()
    few = test.masked(np.arange(len(test)) < 9)
    assert shift(train, few) is None
    found = shift(train, test, max_rows=60)
    assert found is not None and found.rows == (60, 60)


def test_the_interval_of_the_shift_holds_one_half_where_there_is_none() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(30):
        X = rng.normal(size=(200, 4))
        split = cached(X[:100], np.zeros(100), "train"), cached(X[100:], np.zeros(100), "test")
        found = shift(*split)
        assert found is not None
        held += found.low <= 0.5 <= found.high
    print(f"{held} of 30 intervals hold one half")
    assert held >= 26


def test_auroc_is_scikit_learns_with_ties_and_its_variance_is_that_of_repeated_draws() -> None:
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(400):
        up, down = rng.normal(0.8, 1, 60).round(1), rng.normal(0, 1, 90).round(1)
        value, variance = auroc(up, down)
        drawn.append((value, variance))
    assert value == pytest.approx(roc_auc_score(np.repeat([1, 0], [60, 90]), np.concatenate([up, down])))
    spread, claimed = np.var([v for v, _ in drawn]), np.mean([v for _, v in drawn])
    assert claimed == pytest.approx(spread, rel=0.2)


def test_nothing_warns_on_a_split_of_one_row() -> None:
    one = cached(np.ones((1, 4)), np.zeros(1), "train")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find_near_duplicates(one, one).train == () and values(one.X).outliers == () and shift(one, one) is None
