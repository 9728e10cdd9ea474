"""What rows can't tell apart, and the value that is taken of it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import sem

from frostline.stages.fit import fit_rows
from frostline.stages.fit.alike import UnitLosses, alike
from frostline.stages.fit.training_rows import TrainingRows
from frostline.stages.heads import head_spec
from frostline.stages.heads.protocols import PROTOCOLS


def taken(losses: np.ndarray, errors: np.ndarray | None = None, units: np.ndarray | None = None) -> UnitLosses:
    k, n = losses.shape
    found = UnitLosses(k, np.arange(n) if units is None else units)
    zeros = np.zeros_like(losses) if errors is None else errors
    for part in np.array_split(np.random.default_rng(0).permutation(n), 3):
        found.add(slice(None), part, (losses[:, part], zeros[:, part]), np.ones(len(part)))
    return found


LOSSES = np.random.default_rng(1).exponential(size=(6, 40)) + np.linspace(0, 0.5, 6)[:, None]


def test_the_standard_error_is_that_of_paired_differences() -> None:
    found = taken(LOSSES)
    np.testing.assert_allclose(found.error(2), sem(LOSSES - LOSSES[2], axis=1), rtol=1e-12)


def test_rows_of_one_sample_count_as_one() -> None:
    once, twice = taken(LOSSES), taken(np.repeat(LOSSES, 2, 1), units=np.repeat(np.arange(40), 2))
    np.testing.assert_allclose(twice.error(0), once.error(0), rtol=1e-12)
    np.testing.assert_allclose(twice.mean(), once.mean(), rtol=1e-12)


def test_the_calmest_of_those_that_can_not_be_told_from_the_best_is_taken() -> None:
    drawn = np.random.default_rng(2).normal(size=(5, 200))
    noise = np.concatenate([drawn, -drawn], axis=1)  # which moves no mean
    losses = np.array([2.0, 1.001, 1.0, 1.001, 2.0])[:, None] + np.array([0.1, 0.5, 0.1, 0.5, 0.1])[:, None] * noise
    assert [alike(taken(losses), calmer)[1].tolist() for calmer in (-1, 0, 1)] == [[1, 2, 3]] * 3
    assert [alike(taken(losses), calmer)[0] for calmer in (-1, 1)] == [1, 3]
    assert alike(taken(losses), 0)[0] == 2


def test_one_that_is_surely_worse_is_not_taken_however_little() -> None:
    common = np.random.default_rng(3).exponential(size=200)
    assert alike(taken(np.stack([common + 1e-3, common])), -1) == (1, np.array([1]))


def test_the_surest_head_is_not_the_best_for_few_rows_that_are_all_right() -> None:
    margin = np.array([1.0, 4.0, 16.0, 64.0])[:, None] * np.ones(50)
    losses, errors = np.log1p(np.exp(-margin)), np.log1p(np.exp(margin))
    assert losses.mean(1).argmin() == 3
    assert alike(taken(losses, errors), -1)[0] == 1


@pytest.mark.parametrize("seed", range(3))
def test_separable_rows_do_not_choose_the_edge_of_the_grid(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = np.arange(245) % 2
    X = (3 * rng.normal(size=(2, 32))[y] + rng.normal(size=(245, 32))).astype(np.float32)
    spec = head_spec("logreg")
    _, selection = fit_rows(TrainingRows(X, y, 2, spec), contents(245), ("a", "b"))
    assert selection.accuracy[selection.grid.index(selection.value)] == 1
    assert spec.grid[0] < selection.value < 100 and not selection.at_edge


def test_a_published_protocol_keeps_its_rule_and_one_value_has_none() -> None:
    assert PROTOCOLS["dinov2-logreg"].spec().rule == "best"
    assert head_spec("logreg").rule == "stable" and head_spec("logreg", (1.0,)).rule == ""


def contents(n: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (n, 32), np.uint8)


def test_a_value_whose_loss_overflows_is_not_alike() -> None:
    losses = UnitLosses(3, np.arange(20))
    rng = np.random.default_rng(0)
    own = np.stack([rng.random(20), rng.random(20), np.full(20, 1e180)])
    losses.add(slice(0, 3), np.arange(20), (own, np.ones((3, 20))), np.ones(20))
    taken, among = alike(losses, 1)
    assert taken in (0, 1) and 2 not in among
