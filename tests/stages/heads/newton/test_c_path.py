"""Values of C that are equal but for rounding are one value, and have one head."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from frostline.stages.heads.kinds import DINOV2_GRID
from frostline.stages.heads.newton import rotated_rows
from frostline.stages.heads.newton.c_path import ROUGH, CPath, Effort, distinct
from frostline.stages.heads.newton.losses import Softmax
from frostline.stages.heads.newton.minimise import Solution, Start, _Descent
from frostline.stages.heads.newton.penalised import prepare
from frostline.stages.heads.newton.preconditioner import Preconditioner
from frostline.stages.heads.newton.problem import Problem
from frostline.stages.heads.newton.rotated_rows import rotate
from frostline.stages.heads.solvers.logistic import logistic_path


def test_values_that_rounding_parts_are_one() -> None:
    ascending, place = distinct(np.array([1.0, 0.01, 0.010000000000000002, 1.0, 3.0]))
    assert ascending.tolist() == [0.01, 1.0, 3.0] and place.tolist() == [1, 0, 0, 1, 2]


def test_heads_of_values_that_rounding_parts_are_alike_and_good() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 120)
    X = np.eye(3)[y] @ rng.standard_normal((3, 5)) + rng.standard_normal((120, 5))
    grid = [1e-4, 0.01, 0.010000000000000002, 1.0, 1.0000000000000002, 100.0]
    path, plain = logistic_path(X, y, grid), logistic_path(X, y, [1e-4, 0.01, 1.0, 100.0])
    assert path.converged.all() and (path.weight[1] == path.weight[2]).all()
    np.testing.assert_allclose(path.objective[[0, 1, 3, 5]], plain.objective, rtol=1e-5)


def opened(n: int = 900) -> CPath:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, n)
    X = (np.eye(4)[y] @ rng.standard_normal((4, 20)) + rng.standard_normal((n, 20))).astype(np.float32)
    one = torch.ones(1, dtype=torch.float64)
    return CPath(
        Problem(
            loss=Softmax(),
            features=rotate(torch.as_tensor(X)),
            labels=torch.as_tensor(y),
            row_weights=torch.full((1, n), 1 / n, dtype=torch.float64),
            present=torch.ones((1, 4), dtype=torch.bool),
            penalty=one / n,
            task=torch.zeros(1, dtype=torch.int64),
        ),
        2**30,
    )


def solved(path: CPath, grid: torch.Tensor, effort: Effort) -> Solution:
    path.solve(grid, effort)
    return path.known(grid)


def values(*C: float) -> torch.Tensor:
    return torch.tensor(C, dtype=torch.float64)


def test_values_may_be_solved_in_any_order() -> None:
    close, path = Effort(1e-7, 200), opened()
    for C in (1.0, 0.01, 100.0, 0.1):
        path.solve(values(C), close)
    alone = solved(opened(), values(0.01, 0.1, 1.0, 100.0), close)
    torch.testing.assert_close(path.known(values(0.01, 0.1, 1.0, 100.0)).objective, alone.objective, rtol=1e-7, atol=0)


def test_a_rough_answer_in_reduced_precision_is_as_near_as_it_says() -> None:
    grid = values(0.01, 1.0, 100.0)
    rough, close = solved(opened(), grid, ROUGH), solved(opened(), grid, Effort(1e-9, 200))
    above = rough.objective / close.objective - 1
    assert (above > -1e-5).all() and (above < 3e-3).all() and (rough.gap <= ROUGH.tolerance).all()


def test_a_rough_head_is_solved_on_in_full_precision() -> None:
    path, grid = opened(), values(0.1, 10.0)
    path.solve(grid, ROUGH)
    found, close = solved(path, grid, Effort(1e-8, 200)), solved(opened(), grid, Effort(1e-8, 200))
    torch.testing.assert_close(found.objective, close.objective, rtol=2e-8, atol=0)


def test_a_start_that_is_worse_than_the_nearest_known_head_is_left() -> None:
    path, close = opened(), Effort(1e-7, 200)
    first = solved(path, values(0.1, 1.0), close)
    numbers = (part[0] for part in (first.objective, first.gap, first.gradient, first.iterations))
    far = Solution(1e4 * first.theta[0], *numbers)
    path._known[0.01] = far  # a parabola through this leads astray
    found = solved(path, values(1.5), close)
    assert found.gap.max() <= 1e-7 and found.iterations.max() < 12
    torch.testing.assert_close(found.objective, solved(opened(), values(1.5), close).objective, rtol=2e-7, atol=0)


def test_a_value_that_was_not_solved_is_not_known() -> None:
    path = opened()
    path.solve(values(1.0, 10.0), ROUGH)
    assert len(path.known(values(1.0 + 1e-12, 10.0)).theta) == 2
    with pytest.raises(KeyError, match=r"3\.0"):
        path.known(values(3.0))


def test_values_of_two_calls_that_rounding_parts_are_one() -> None:
    path, close = opened(), Effort(1e-7, 200)
    path.solve(values(1.0), close)
    path.solve(values(1.0000000001), close)
    found = solved(path, values(3.0), close)
    assert len(path._known) == 2
    torch.testing.assert_close(found.objective, solved(opened(), values(3.0), close).objective, rtol=2e-7, atol=0)


def test_heads_that_nobody_asked_for_are_forgotten_and_those_that_were_asked_for_stay() -> None:
    path = opened()
    path.solve(values(1e5), ROUGH)
    assert list(path._known) == [1e5]
    path.solve(values(path.easy * 6), ROUGH)  # a head on the way to what comes next
    path.solve(values(path.easy, 1e4), ROUGH)
    assert sorted(path._known) == [path.easy, path.easy * 6, 1e4, 1e5]


def test_a_rough_head_is_solved_on_from_where_it_is_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    path = opened()
    path.solve(values(0.1, 1.0), Effort(1e-7, 200))
    path._known[1.0].objective.mul_(1 - 1e-6)  # as float32 may find it
    evaluated, evaluate = [], Problem.evaluate
    monkeypatch.setattr(Problem, "evaluate", lambda *args: evaluated.append(1) or evaluate(*args))
    path.solve(values(1.0), Effort(1e-3, 200))
    assert len(evaluated) == 1


@pytest.mark.parametrize("most", [1, 2, 3])
def test_a_head_that_took_no_step_knows_how_good_it_is(most: int) -> None:
    rng = np.random.default_rng(4)
    y = rng.integers(0, 3, 200)
    X = rng.standard_normal((200, 40)) + np.eye(3)[y] @ rng.standard_normal((3, 40))
    X = (X * np.exp(2 * rng.standard_normal(40))).astype(np.float32)
    path = logistic_path(X, y, DINOV2_GRID, max_iterations=most)
    assert np.isfinite(path.objective).all() and np.isfinite(path.gap).all() and (path.iterations > 0).all()
    logits = np.einsum("nd,kcd->knc", X.astype(np.float64), path.weight) + path.bias[:, None]
    losses = np.log(np.exp(logits - logits.max(2, keepdims=True)).sum(2)) + logits.max(2)
    sums = (losses - logits[:, np.arange(200), y]).sum(1)
    np.testing.assert_allclose(path.objective, path.C * sums + 0.5 * (path.weight**2).sum((1, 2)), rtol=1e-9)


@pytest.mark.parametrize(("step", "wider"), [(1.0, True), (0.25, False)])
def test_logits_may_go_further_after_a_whole_step_only(step: float, wider: bool) -> None:
    problem = opened().problem
    theta = torch.zeros((1, 4, 21), dtype=torch.float64)
    start = Start(theta, theta, torch.full((1,), torch.inf, dtype=torch.float64))
    descent = _Descent(problem, start, torch.tensor([1e-9]), 500, Preconditioner(2**20), [problem.features])
    descent.inverse.begin(problem)
    descent.iterations[:], descent.step[:], before = 1, step, float(descent.radius)
    descent._take(descent.heads, theta, problem.evaluate(theta), torch.ones(1, dtype=torch.bool))
    assert (float(descent.radius) > before) == wider


@pytest.mark.parametrize(("offset", "exact"), [(0.0, torch.float32), (10.0, torch.float32), (1e5, torch.float64)])
def test_rows_far_from_zero_are_not_reduced_to_float32(offset: float, exact: torch.dtype) -> None:
    X = torch.as_tensor(np.random.default_rng(0).standard_normal((300, 20))) + offset
    assert rotate(X).reduced.exact == exact


def test_rough_heads_of_rows_far_from_zero_are_as_near_as_those_of_others() -> None:
    rng = np.random.default_rng(5)
    y = rng.integers(0, 3, 600)
    X = rng.standard_normal((600, 30)) + 0.6 * rng.standard_normal((3, 30))[y] + 1e6
    path, weights = prepare(X, y, dtype="float64").begin(), np.ones(600)
    path.solve([0.1, 1.0], ROUGH)
    close = prepare(X, y, dtype="float64").fit([0.1, 1.0], weights, tolerance=1e-8)
    above = path.known([0.1, 1.0], 1e-3).objective[0] / close.objective - 1
    assert (above > -1e-6).all() and (above < 3e-3).all()


@pytest.mark.parametrize("fast", [True, False])
def test_the_copy_for_products_is_in_bf16_if_the_device_has_that(fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotated_rows, "has_bf16", lambda device: fast and device == "cpu")
    X = torch.as_tensor(np.random.default_rng(0).standard_normal((300, 20)))
    assert rotate(X).reduced.rows.dtype == (torch.bfloat16 if fast else torch.float32)
    assert rotate(X, torch.float64).reduced.rows.dtype == torch.float64


def test_nothing_is_solved_on_the_way_where_heads_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    path, calls = opened(), []
    path.solve(values(0.01, 0.1, 1.0, 10.0, 100.0, 1000.0), ROUGH)
    together = path._solve_together
    monkeypatch.setattr(path, "_solve_together", lambda grid, *how: calls.extend(grid.tolist()) or together(grid, *how))
    path.solve(values(0.01, 1000.0), Effort(1e-5, 200))
    assert calls == [0.01, 1000.0]
