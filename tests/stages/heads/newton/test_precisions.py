"""Heads are solved in low precision as long as that brings them nearer, and end where float64 would."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from frostline.stages.heads.newton import rotated_rows
from frostline.stages.heads.newton.c_path import ROUGH
from frostline.stages.heads.newton.losses import Softmax
from frostline.stages.heads.newton.minimise import PRODUCTS, Start, _Descent, minimise, newton_direction
from frostline.stages.heads.newton.penalised import prepare
from frostline.stages.heads.newton.preconditioner import Preconditioner
from frostline.stages.heads.newton.problem import Problem
from frostline.stages.heads.newton.rotated_rows import RotatedRows, rotate
from frostline.stages.heads.solvers.logistic import logistic_path
from support.rows import scored

ROOM = 2**26  # bytes, more than enough


def problem(features: RotatedRows, y: np.ndarray, penalty: float) -> Problem:
    n, classes = len(y), int(y.max()) + 1
    return Problem(
        loss=Softmax(),
        features=features,
        labels=torch.as_tensor(y),
        row_weights=torch.full((1, n), 1 / n, dtype=torch.float64),
        present=torch.ones((1, classes), dtype=torch.bool),
        penalty=torch.tensor([penalty], dtype=torch.float64),
        task=torch.zeros(1, dtype=torch.int64),
    )


def at_zero(of: Problem) -> Start:
    theta = torch.zeros((1, of.present.shape[1], len(of.features.mean) + 1), dtype=torch.float64)
    return Start(theta, theta, torch.full((1,), torch.inf, dtype=torch.float64))


def test_sums_are_float32_and_products_bf16_until_the_optimum_is_near(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotated_rows, "has_bf16", lambda _: True)
    sums, products, evaluate, hvp = [], [], Problem.evaluate, Problem.hvp
    monkeypatch.setattr(Problem, "evaluate", lambda of, *a: sums.append(of.features.exact) or evaluate(of, *a))
    monkeypatch.setattr(Problem, "hvp", lambda of, *a: products.append(of.features.rows.dtype) or hvp(of, *a))
    path = logistic_path(*scored(2000, 30, 4, noise=1.0), [0.01])
    assert path.converged.all() and set(products) == {torch.bfloat16}
    first = sums.index(torch.float64)
    assert first >= 2 and set(sums[:first]) == {torch.float32} and set(sums[first:]) == {torch.float64}


def test_products_that_mislead_are_left_for_better_ones() -> None:
    X, y = scored(600, 30, 4, noise=1.0)
    features = rotate(torch.as_tensor(X))
    misleading = replace(
        features, rows=features.rows[:, torch.randperm(31, generator=torch.Generator().manual_seed(0))]
    )
    heads = problem(features, y, 1e-4)
    limits = torch.tensor([1e-7]), 200, PRODUCTS, Preconditioner(ROOM)
    misled, good = (
        minimise(heads, at_zero(heads), *limits, precisions) for precisions in ([misleading], [misleading, features])
    )
    tight = logistic_path(X, y, [1 / (600 * 1e-4)], tolerance=1e-9, dtype="float64")
    assert float(misled.gap) > 1e-7 >= float(good.gap)
    assert float(good.objective) == pytest.approx(float(tight.objective[0]) * 1e-4, rel=1e-6)


@pytest.mark.parametrize("most", [1, 3, 200])
def test_the_objective_that_is_returned_is_a_float64_sum(most: int) -> None:
    X, y = scored(500, 20, 3, noise=1.0)
    path = logistic_path(X, y, [0.1], max_iterations=most)
    logits = X.astype(np.float64) @ path.weight[0].T + path.bias[0]
    losses = np.log(np.exp(logits - logits.max(1, keepdims=True)).sum(1)) + logits.max(1) - logits[np.arange(500), y]
    assert path.objective[0] == pytest.approx(0.1 * losses.sum() + 0.5 * (path.weight[0] ** 2).sum(), rel=1e-12)
    assert path.iterations[0] <= most


def test_rows_that_are_far_from_zero_in_one_narrow_direction_are_not_reduced_to_float32() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 20)) * 1e3
    X[:, 0] = 3e3 + rng.standard_normal(300)
    assert rotate(torch.as_tensor(X)).reduced.exact == torch.float64
    assert rotate(torch.as_tensor(X[:, 1:])).reduced.exact == torch.float32


@pytest.mark.parametrize("offset", [0.0, 3e5])
def test_heads_of_rows_of_very_different_scales_are_as_near_as_they_say(offset: float) -> None:
    rng = np.random.default_rng(1)
    y = rng.integers(0, 3, 200)
    X = (rng.standard_normal((200, 30)) + rng.standard_normal((3, 30))[y]) * 10 ** rng.uniform(0, 4, 30) + offset
    grid = [1e-3, 1e-1, 1.0]
    path = logistic_path(X.astype(np.float32), y, grid)
    tight = logistic_path(X.astype(np.float32), y, grid, tolerance=1e-9, dtype="float64")
    assert path.converged.all() and (path.objective <= tight.objective * (1 + 1e-5)).all()


@pytest.mark.parametrize("narrowest", [1e-2, 1e-6])
def test_the_rotated_copy_tells_values_apart_in_its_narrowest_direction(narrowest: float) -> None:
    X = torch.as_tensor(np.random.default_rng(2).standard_normal((400, 12)))
    X[:, 5] *= narrowest
    found = rotate(X)
    exact = (X - found.mean) @ found.basis
    torch.testing.assert_close(found.rows[:, :-1].double() / exact.std(0), exact / exact.std(0), rtol=0, atol=1e-4)


def test_a_direction_costs_no_more_products_than_its_gain_is_worth_and_counts_what_it_left() -> None:
    X, y = scored(2000, 200, 5, noise=1.0)
    heads, each = problem(rotate(torch.as_tensor(X), torch.float64), y, 1e-7), torch.arange(1)
    theta = torch.as_tensor(np.random.default_rng(0).standard_normal((1, 5, 201)))
    point = heads.evaluate(theta - theta.mean(1, keepdim=True))
    systems = [Preconditioner(ROOM), Preconditioner(ROOM)]
    for inverse in systems:
        inverse.begin(heads)
    _, gain = newton_direction(heads, point, systems[0], each)
    _, told = newton_direction(heads, point, systems[1], each, negligible=0.3 * gain)
    assert systems[1].products < systems[0].products and 0.3 * gain < told < 1.3 * gain


def test_the_few_rows_of_a_fold_are_solved_as_closely_as_all() -> None:
    X, y = scored(900, 40, 3, noise=1.0)
    weights = (np.arange(900) % 5 != np.arange(5)[:, None]).astype(float)
    together = prepare(X, y).fit([1e-3, 1.0, 1e3], weights)
    tight = prepare(X, y, dtype="float64").fit([1e-3, 1.0, 1e3], weights, tolerance=1e-9)
    assert together.converged.all() and (together.objective <= tight.objective * (1 + 1e-5)).all()


def above(X: np.ndarray, y: np.ndarray, grid: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Return how far heads are above tight ones in float64, and whether they converged."""
    path = logistic_path(X, y, grid)
    tight = logistic_path(X, y, grid, tolerance=1e-10, dtype="float64")
    return path.objective / tight.objective - 1, path.converged


def test_a_constant_column_far_from_zero_changes_nothing_but_the_precision() -> None:
    X, y = scored(1500, 40, 4, noise=1.0)
    wide = np.column_stack((X, np.full(len(X), 1e8))).astype(np.float64)
    assert rotate(torch.as_tensor(wide)).reduced.exact == torch.float64
    path = prepare(wide, y).begin()
    path.solve([1e-2, 1.0, 1e2], ROUGH)
    tight = logistic_path(wide, y, [1e-2, 1.0, 1e2], tolerance=1e-9, dtype="float64")
    assert (path.known([1e-2, 1.0, 1e2], 1e-3).objective[0] <= tight.objective * (1 + 3e-3)).all()


def test_rows_of_low_rank_and_large_scale_are_as_near_as_they_say() -> None:
    X, y = scored(1500, 40, 4, noise=1.0)
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((60, 60)))[0][:40]
    distance, converged = above((X @ turn * 1e5).astype(np.float32), y, [1.0, 1e4])
    assert converged.all() and (distance <= 1e-5).all()


@pytest.mark.parametrize(("tolerance", "some"), [(1e-2, True), (1e-5, False)])
def test_nothing_is_negligible_where_the_gap_is_to_be_known_closely(tolerance: float, some: bool) -> None:
    X, y = scored(600, 30, 4, noise=1.0)
    heads = problem(rotate(torch.as_tensor(X)), y, 1e-4)
    limits = torch.tensor([tolerance]), 500, Preconditioner(ROOM), [heads.features]
    descent, point = _Descent(heads, at_zero(heads), *limits), heads.evaluate(at_zero(heads).theta)
    assert bool(descent._negligible(descent.heads, point) > 0) == some


def test_a_head_on_its_way_back_when_another_needs_more_precision_takes_a_new_direction() -> None:
    X, y = scored(600, 30, 4, noise=1.0)
    one = problem(rotate(torch.as_tensor(X)), y, 1e-4)
    heads = one.with_heads(torch.tensor([1e-4, 1e-2], dtype=torch.float64), torch.zeros(2, dtype=torch.int64))
    start = Start(*(torch.cat((part, part)) for part in vars(at_zero(one)).values()))
    levels = [heads.features.reduced, heads.features]
    descent = _Descent(heads, start, torch.full((2,), 1e-7, dtype=torch.float64), 500, Preconditioner(ROOM), levels)
    descent.inverse.begin(heads)
    while float(descent.gap[1]) > 0.1:
        descent.advance()
    descent.direction[0] *= -1  # leads up
    descent.advance()
    assert not descent.precisions and descent.iterations.tolist() == [4, 5]
    descent.advance()
    assert descent.iterations.tolist() == [5, 6]
    while len(descent.heads):
        descent.advance()
    assert (descent.gap <= 1e-7).all()


def test_precisions_that_are_the_same_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    X = torch.as_tensor(np.random.default_rng(0).standard_normal((300, 20)))
    for fast, offset, many in ((True, 0.0, 3), (False, 0.0, 2), (True, 1e5, 2), (False, 1e5, 1)):
        monkeypatch.setattr(rotated_rows, "has_bf16", lambda _, fast=fast: fast)
        rising = rotate(X + offset).rising
        assert len(rising) == many
        assert (rising[-1].exact, rising[-1].products) == (torch.float64, torch.float32)
