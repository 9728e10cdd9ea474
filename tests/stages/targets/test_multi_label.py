"""The target of many labels: what is wrong with it, how rows are dealt, and what a parameter is chosen by."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, log_loss

from frostline.stages.targets.base import no_sample
from frostline.stages.targets.iterative import iterative_parts, rarest_labels
from frostline.stages.targets.registry import TARGETS, main_score
from support.labels import labelled

TARGET = TARGETS.load("multi-label")
NAMES = ("sky", "sea", "sun")


def values(*rows: list[int]) -> np.ndarray:
    return np.array(rows, np.int8).reshape(-1, 3)


def lots(n: int, seed: int = 0) -> np.ndarray:
    return np.frombuffer(np.random.default_rng(seed).bytes(32 * n), "S32")


@pytest.mark.parametrize(
    ("train", "test", "said"),
    [
        ([[1, 0, 1], [0, 1, 0]], [[1, 0, 0]], []),
        ([[1, 0, 0], [0, 1, 0]], [[1, 0, 0]], ["label 'sun': no training sample has it"]),
        ([[1, 1, -1], [0, 1, -1]], [[1, 0, 0]], ["'sea': every training sample", "'sun': unknown for every training"]),
        ([[1, 0, 1], [0, 1, 0]], [[0, 0, -1]], ["no test sample has any of the labels"]),
        ([], [], [no_sample("training"), no_sample("test")]),
    ],
)
def test_labels_that_teach_nothing_are_faults(train: list[list[int]], test: list[list[int]], said: list[str]) -> None:
    found = TARGET.faults(NAMES, values(*train), values(*test))
    assert len(found) == len(said)
    for one, part in zip(found, said, strict=True):
        assert part in one


def test_one_label_is_enough_and_none_is_not() -> None:
    assert TARGET.number_faults(("sky",)) == []
    assert TARGET.number_faults(()) == ["no cell contains a label; a multi-label target needs at least one"]


def test_a_label_of_one_sample_can_not_be_on_both_sides() -> None:
    rows = np.tile(values([1, 1, 0]), (20, 1))
    rows[0, 2] = 1
    (said,) = TARGET.split_faults(NAMES, rows, 0.2)
    assert said == "label 'sun': 1 sample with it; add samples or leave the label out"
    assert "test fraction 0.001" in TARGET.split_faults(NAMES, rows, 0.001)[1]


def test_strata_are_the_rarest_labels() -> None:
    rows = values([1, 0, 0], [1, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 0], [0, 1, 1], [0, 0, -1])
    assert rarest_labels(rows).tolist() == [0, 0, 0, 1, 1, 2, 3]
    assert TARGET.strata(rows).tolist() == [0, 0, 0, 1, 1, 2, 3]
    assert TARGET.strata(rows[:3]).tolist() == [0, 0, 0]


def spread(y: np.ndarray, part: np.ndarray, shares: list[float]) -> np.ndarray:
    """How many rows of each label (labels,) the parts have more, or fewer, than their share, at most."""
    having = np.stack([(y[part == k] == 1).sum(0) for k in range(len(shares))])
    return np.abs(having - np.outer(shares, (y == 1).sum(0))).max(0)


@pytest.mark.parametrize("shares", [[0.2] * 5, [0.9, 0.1], [0.5, 0.3, 0.2]])
def test_every_label_is_dealt_in_the_shares(shares: list[float]) -> None:
    _, y = labelled(600, 8, 12)
    part = TARGET.dealt(y, lots(600), shares)
    assert part is not None
    assert spread(y, part, shares).max() <= 5
    assert np.abs(np.bincount(part) - np.multiply(shares, 600)).max() <= 5
    by_chance = np.random.default_rng(0).choice(len(shares), 600, p=shares)
    assert spread(y, part, shares).sum() < spread(y, by_chance, shares).sum() / 2


def test_the_rarest_label_is_dealt_evenly() -> None:
    y = np.zeros((100, 3), np.int8)
    y[:, 0], y[:50, 1], y[:5, 2] = 1, 1, 1
    part = iterative_parts(y, lots(100), [0.2] * 5)
    for label in range(3):
        assert set(np.bincount(part[y[:, label] == 1], minlength=5).tolist()) == {int(y[:, label].sum()) // 5}


def test_dealing_depends_on_lots_alone_and_keeps_equal_ones_together() -> None:
    _, y = labelled(200, 8, 5)
    drawn = lots(200).copy()
    drawn[10:14] = drawn[10]
    part = iterative_parts(y, drawn, [0.25] * 4)
    assert len(set(part[10:14].tolist())) == 1
    order = np.random.default_rng(2).permutation(200)
    np.testing.assert_array_equal(iterative_parts(y[order], drawn[order], [0.25] * 4), part[order])
    assert not np.array_equal(iterative_parts(y, lots(200, seed=9), [0.25] * 4), part)


def test_candidates_are_judged_by_macro_log_loss_then_by_map() -> None:
    rng = np.random.default_rng(0)
    y = (rng.random((80, 3)) < 0.4).astype(np.int8)
    y[::5, 1] = -1
    p = rng.random((2, 80, 3)).astype(np.float32)
    weights = rng.integers(1, 4, 80).astype(np.float64)
    criterion = TARGET.criterion(2, probabilistic=True)
    for rows in (slice(0, 30), slice(30, 80)):
        criterion.add(slice(None), p[:, rows], y[rows], weights[rows])
    found = criterion.judgement()
    for candidate in range(2):
        known = [y[:, label] >= 0 for label in range(3)]
        columns = [(y[own, k], p[candidate, own, k], weights[own]) for k, own in enumerate(known)]
        loss = [log_loss(a, b.astype(np.float64), sample_weight=w) for a, b, w in columns]
        precision = [average_precision_score(a, b, sample_weight=w) for a, b, w in columns]
        assert found.good[candidate] == pytest.approx(-np.mean(loss), rel=1e-6)
        assert found.cost[candidate] == pytest.approx(-np.mean(precision), abs=1e-12)
        assert found.good_each is not None and found.good_each[candidate] == pytest.approx(np.negative(loss), rel=1e-6)
    assert list(found.record) == ["macro_log_loss", "map"]


def test_candidates_in_stretches_are_judged_as_if_they_came_together() -> None:
    rng = np.random.default_rng(1)
    y, p = (rng.random((40, 3)) < 0.4).astype(np.int8), rng.normal(size=(5, 40, 3))
    whole, parts = (TARGET.criterion(5, probabilistic=False) for _ in range(2))
    whole.add(slice(None), p, y, np.ones(40))
    for stretch in (slice(0, 2), slice(2, 4), slice(4, 6)):
        parts.add(stretch, p[stretch], y, np.ones(40))
    np.testing.assert_array_equal(parts.judgement().good, whole.judgement().good)
    assert list(whole.judgement().record) == ["map"] and not whole.judgement().cost.any()


def test_a_label_that_no_held_out_row_has_or_is_known_of_is_left_out() -> None:
    y = values([1, 0, -1], [0, 0, -1], [1, 0, -1])
    p = np.full((1, 3, 3), 0.25)
    found = TARGET.criterion(1, probabilistic=True)
    found.add(slice(None), p, y, np.ones(3))
    loss = (2 * np.log(4) + np.log(4 / 3)) / 3, np.log(4 / 3)
    assert found.judgement().good[0] == pytest.approx(-np.mean(loss))
    assert found.judgement().cost[0] == pytest.approx(-2 / 3)


def test_an_impossible_answer_costs_36_nats_at_most() -> None:
    criterion = TARGET.criterion(1, probabilistic=True)
    criterion.add(slice(None), np.zeros((1, 1, 1)), np.ones((1, 1), np.int8), np.ones(1))
    assert criterion.judgement().good[0] == pytest.approx(-36.04, abs=0.01)


def test_the_main_score_is_map() -> None:
    assert (TARGET.main, TARGET.exclusive) == ("map", False)
    assert main_score({"macro_f1": 0.5, "map": 0.75}, "multi-label") == 0.75
