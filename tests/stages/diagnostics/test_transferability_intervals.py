"""Intervals of transferability scores hold what many more samples would give, about as often as they claim."""

from __future__ import annotations

import numpy as np
import pytest

from frostline.stages.diagnostics.transferability import leep, transferability
from frostline.stages.diagnostics.transferability_intervals import transferability_intervals
from frostline.stages.targets.values import Targets

NAMES = ("a", "b", "c")


def drawn(n: int, seed: int) -> tuple[np.ndarray, Targets, np.ndarray, np.ndarray]:
    """Features (n, 8), labels, digests and source probabilities (n, 5)."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % 3)
    X = (rng.standard_normal((n, 8)) + np.eye(3, 8)[y]) * np.geomspace(0.2, 5, 8)
    source = np.exp(np.pad(X[:, :4], ((0, 0), (0, 1))))
    return X, Targets(NAMES, y), rng.integers(0, 256, (n, 32), np.uint8), source / source.sum(1, keepdims=True)


def test_about_as_many_intervals_as_claimed_hold_the_score_of_as_many_samples_again_and_again() -> None:
    """Of scores that depend on how many samples there are, the mean of samples of that size."""
    samples = [drawn(200, seed) for seed in range(40)]
    scores = [transferability(X, targets.values, source) for X, targets, _, source in samples]
    for name in ("logme", "h_score", "h_score_shrunk", "gbc", "leep", "nce"):
        truth, held = float(np.mean([getattr(one, name) for one in scores])), 0
        for (X, targets, digests, source), one in zip(samples, scores, strict=True):
            low, high = transferability_intervals(X, targets, digests, one, source)[name]
            assert low <= getattr(one, name) <= high
            held += low <= truth <= high
        print(f"{name}: {held} of 40 intervals hold {truth:.4f}")
        assert held >= 35


def test_of_a_mean_over_samples_the_interval_is_students() -> None:
    """LEEP of probabilities that are the same for all samples of a class is one."""
    X, targets, digests, _ = drawn(300, 0)
    scores = transferability(X, targets.values)
    assert set(transferability_intervals(X, targets, digests, scores)) == {"logme", "h_score", "h_score_shrunk", "gbc"}
    source = np.full((300, 2), 0.5)
    with_source = transferability(X, targets.values, source)
    low, high = transferability_intervals(X, targets, digests, with_source, source)["leep"]
    assert low == pytest.approx(high) == pytest.approx(leep(source, targets.values))


def test_groups_are_left_out_whole_and_make_intervals_wider() -> None:
    rng = np.random.default_rng(0)
    of = np.repeat(np.arange(40), 5)
    y = np.arange(40)[of] % 2
    X = (rng.standard_normal((40, 6)) + np.eye(2, 6)[np.arange(40) % 2])[of] + 0.05 * rng.standard_normal((200, 6))
    digests = rng.integers(0, 256, (200, 32), np.uint8)
    scores = transferability(X, y)
    alone, grouped = (
        transferability_intervals(X, Targets(NAMES[:2], y, groups=groups), digests, scores)["logme"]
        for groups in (None, of)
    )
    assert grouped[1] - grouped[0] > 1.5 * (alone[1] - alone[0])


def test_there_are_none_where_a_tenth_of_the_samples_can_not_be_spared() -> None:
    X, digests = np.random.default_rng(0).standard_normal((3, 4)), np.arange(96, dtype=np.uint8).reshape(3, 32)
    y = np.array([0, 1, 1])
    assert transferability_intervals(X, Targets(NAMES[:2], y), digests, transferability(X, y)) == {}


def test_where_rows_are_no_more_than_features_the_h_score_has_no_interval() -> None:
    rng = np.random.default_rng(0)
    y, X = np.arange(60) % 3, rng.standard_normal((60, 54))
    digests = rng.integers(0, 256, (60, 32), np.uint8)
    assert transferability(X, y).h_score == pytest.approx(2, abs=0.2)
    for width, wanted in ((54, False), (53, True)):
        found = transferability_intervals(X[:, :width], Targets(NAMES, y), digests, transferability(X[:, :width], y))
        assert "h_score_shrunk" in found and ("h_score" in found) is wanted
