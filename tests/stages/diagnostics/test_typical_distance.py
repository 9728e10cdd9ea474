"""The scale by which near duplicates are measured is not set by the copies themselves."""

from __future__ import annotations

import numpy as np
import pytest

from frostline.stages.diagnostics.near_duplicates import find_near_duplicates
from frostline.stages.diagnostics.typical_distance import typical_distance
from frostline.stages.store import Features
from frostline.stages.targets.values import Targets

THRESHOLD = 0.13


def directions(X: np.ndarray) -> np.ndarray:
    rows = X.astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def rows_of(n: int, d: int = 64) -> np.ndarray:
    return np.abs(np.random.default_rng(0).normal(size=(n, d)))


def copied(X: np.ndarray, times: int, noise: float) -> np.ndarray:
    rng = np.random.default_rng(times)
    return np.concatenate([X, *(X + noise * rng.normal(size=X.shape) for _ in range(times))])


def typical(X: np.ndarray, labels: np.ndarray) -> float:
    return typical_distance(directions(X), labels, THRESHOLD)


def plain_median(X: np.ndarray) -> float:
    U = directions(X)
    return float(np.median(np.sort(1 - U @ U.T, axis=1)[:, 1]))


def features(X: np.ndarray, y: np.ndarray, split: str, start: int = 0) -> Features:
    digests = np.zeros((len(X), 32), np.uint8)
    digests[:, :4] = (start + np.arange(len(X), dtype=np.uint32)).view(np.uint8).reshape(-1, 4)
    ids = tuple(map(str, range(start, start + len(X))))
    return Features(X.astype(np.float32), Targets(("a", "b", "c"), y), ids, digests, split, split)


@pytest.mark.parametrize("times", [1, 3, 12])
@pytest.mark.parametrize("noise", [0.01, 0.05])
def test_copies_of_every_row_hardly_move_it(times: int, noise: float) -> None:
    X = rows_of(300)
    y = np.arange(300) % 3
    alone, among = typical(X, y), typical(copied(X, times, noise), np.tile(y, times + 1))
    assert alone == pytest.approx(plain_median(X), rel=1e-3)
    assert 0.3 * alone < among < 1.2 * alone
    assert plain_median(copied(X, times, noise)) < 0.05 * alone, "the copies set no scale, so the test shows nothing"


@pytest.mark.parametrize("per_class", [4, 10, 30])
def test_classes_that_a_backbone_draws_together_are_no_copies(per_class: int) -> None:
    rng = np.random.default_rng(1)
    y = np.arange(40 * per_class) // per_class
    X = 3 * rng.normal(size=(40, 64))[y] + 0.3 * rng.normal(size=(len(y), 64))
    assert typical(X, y) == pytest.approx(plain_median(X), rel=0.05)


def test_frames_of_films_are_seen_though_no_gap_parts_them() -> None:
    rng = np.random.default_rng(2)
    steps = np.cumsum(0.02 * rng.normal(size=(30, 20, 64)), axis=1)  # 30 films of 20 frames
    X = (np.abs(rng.normal(size=(30, 1, 64))) + steps).reshape(600, 64)
    y = np.arange(600) // 20 % 3
    found = find_near_duplicates(features(X[::2], y[::2], "train"), features(X[1::2], y[1::2], "test", 1000))
    assert len({pair.id for pair in found.across}) > 250


def test_near_copies_of_every_row_are_found_within_and_across() -> None:
    X, y = rows_of(240), np.arange(240) % 3
    again = copied(X, 1, 0.03)[240:]
    found = find_near_duplicates(
        features(np.concatenate([X, again[:120]]), np.concatenate([y, y[:120]]), "train"),
        features(again[120:], y[120:], "test", 1000),
    )
    assert {(int(pair.id) - 880, int(pair.nearest)) for pair in found.across} == {(row, row) for row in range(120, 240)}
    assert len(found.train) == 120 and not found.test


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_handful_of_rows_has_a_scale_or_none(n: int) -> None:
    found = typical(rows_of(n), np.zeros(n, int))
    assert found == (0 if n == 1 else pytest.approx(found)) and np.isfinite(found)
