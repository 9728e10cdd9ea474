"""Labels worth a second look, where it is known which are wrong and what the head should have said."""

from __future__ import annotations

import numpy as np
import pytest

from frostline.stages.diagnostics import label_issues, out_of_fold
from frostline.stages.diagnostics.noisy_labels import calibrated

CLASSES = 10


def drawn(n: int, sure: float, seed: int, wrong: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what a perfect head says, labels drawn from it of which a share is flipped, and which are."""
    rng = np.random.default_rng(seed)
    logits = sure * rng.normal(size=(n, CLASSES))
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    y = (p.cumsum(1) < rng.random(n)[:, None]).sum(1).clip(max=CLASSES - 1)
    flipped = rng.random(n) < wrong
    return p, np.where(flipped, (y + rng.integers(1, CLASSES, n)) % CLASSES, y), flipped


def heated(p: np.ndarray, T: float) -> np.ndarray:
    powers = p ** (1 / T)
    return powers / powers.sum(1, keepdims=True)


@pytest.mark.parametrize("wrong", [0.0, 0.05])
@pytest.mark.parametrize("T", [0.5, 2.0])
def test_a_head_that_is_too_sure_or_not_sure_enough_is_mended_though_labels_are_wrong(T: float, wrong: float) -> None:
    p, y, _ = drawn(4000, 3.0, 0, wrong)
    np.testing.assert_allclose(calibrated(heated(p, T), y), p, atol=0.05)


@pytest.mark.parametrize("sure", [1.0, 2.0, 4.0])
def test_of_right_labels_as_many_are_doubted_as_is_said_and_one_in_a_hundred_at_most(sure: float) -> None:
    counts = np.array([(len(f.rows), f.expected) for f in (label_issues(*drawn(1000, sure, s)[:2]) for s in range(20))])
    found, expected = counts.mean(0)
    assert found == pytest.approx(expected, rel=0.25, abs=0.5) and found <= 12


def test_the_expected_count_is_of_the_right_labels_among_those_that_are_doubted() -> None:
    p, y, flipped = drawn(4000, 4.0, 1, 0.05)
    found = label_issues(heated(p, 2.0), y)
    sound = np.count_nonzero(~flipped[list(found.rows)])
    assert len(found.rows) > 100 and sound == pytest.approx(found.expected, abs=3 * found.expected**0.5)


def test_the_evidence_orders_and_the_tail_of_a_label_decides() -> None:
    p = np.tile([0.9, 0.0955, 0.004, 0.0005], (2000, 1))
    y = np.arange(2000) % 1000
    y = np.select([y < 900, y < 996, y < 999], [0, 1, 2], 3)
    found = label_issues(p, y)
    assert set(found.given[:2]) == {3} and set(found.given) == {2, 3} and set(found.suggested) == {0}
    assert found.agreement == np.mean(y == 0) and list(found.chance) == sorted(found.chance)


def test_a_class_that_no_row_has_is_never_suggested() -> None:
    found = label_issues(np.array([[0.1, 0.2, 0.7], [0.6, 0.1, 0.3], [0.1, 0.6, 0.3]]), np.array([0, 0, 1]))
    assert found.rows == ()


@pytest.mark.parametrize("spread", [1.2, 2.0, 4.0], ids=["weak", "fair", "good"])
def test_most_of_the_first_twenty_are_wrong_labels_whatever_the_head(spread: float) -> None:
    rng = np.random.default_rng(3)
    true = rng.integers(0, CLASSES, 1500)
    X = spread * rng.normal(size=(CLASSES, 16))[true] * 0.5 + rng.normal(size=(1500, 16))
    flipped = np.zeros(1500, bool)
    flipped[rng.permutation(1500)[:75]] = True
    y = np.where(flipped, (true + rng.integers(1, CLASSES, 1500)) % CLASSES, true)
    digests = np.zeros((1500, 32), np.uint8)
    digests[:, :4] = np.arange(1500, dtype=np.uint32).view(np.uint8).reshape(-1, 4)
    found = label_issues(out_of_fold(X, y, digests, CLASSES), y)
    clean = label_issues(out_of_fold(X, true, digests, CLASSES), true)
    first = flipped[list(found.rows[:20])]
    print(
        f"agrees with {found.agreement:.0%}: {first.sum()} of the first {len(first)}, clean {len(clean.rows)} of 1,500"
    )
    assert len(first) == 20 and first.mean() >= 0.5 and len(clean.rows) <= 0.03 * 1500
