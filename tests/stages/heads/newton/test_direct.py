"""Newton directions by factorisation are those that conjugate gradients approach."""

from __future__ import annotations

import pytest
import torch

from frostline.stages.heads.newton.direct import best_steps, direct_direction
from frostline.stages.heads.newton.losses import Loss, Softmax, SquaredHinge
from frostline.stages.heads.newton.problem import Problem
from frostline.stages.heads.newton.rotated_rows import rotate
from support.rows import scored


def problem(loss: Loss, n: int, d: int, absent: bool = False) -> Problem:
    X, y = scored(n, d, 3, noise=1.0)
    present = torch.tensor([[True, True, not absent]])
    weights, penalty = torch.full((1, n), 1 / n, dtype=torch.float64), torch.tensor([1e-2, 1e-4], dtype=torch.float64)
    rows = rotate(torch.as_tensor(X), torch.float64)
    return Problem(loss, rows, torch.as_tensor(y), weights, present, penalty, torch.zeros(2).long())


def theta(many: Problem) -> torch.Tensor:
    shape = (2, 3, many.features.basis.shape[0] + 1)
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("n", "d"), [(60, 8), (20, 40)])
@pytest.mark.parametrize("block", [2**25, 600])
def test_the_hessian_times_the_direction_is_the_gradient(
    monkeypatch: pytest.MonkeyPatch, n: int, d: int, block: int
) -> None:
    monkeypatch.setattr("frostline.stages.heads.newton.direct.BLOCK", block)
    many = problem(SquaredHinge(), n, d)
    point = many.evaluate(theta(many))
    direction = direct_direction(many, point, 0)
    assert direction is not None
    product = many.hvp(point, direction, torch.arange(2))
    torch.testing.assert_close(product, -point.gradient, rtol=1e-6, atol=1e-9)


def test_a_class_without_rows_stays_where_it_is_and_one_without_errors_loses_its_weights() -> None:
    many = problem(SquaredHinge(), 60, 8, absent=True)
    start = torch.zeros_like(theta(many))
    start[:, 0, -1] = 1e6  # every row of the others is far on the wrong side of class 0
    start[:, 1, -1], start[:, 1, :-1] = -1e6, 1e-3
    direction = direct_direction(many, many.evaluate(start), 0)
    assert direction is not None and direction.isfinite().all() and not direction[:, 2].any()


def test_it_is_left_to_conjugate_gradients_where_they_cost_less_or_classes_share_a_loss() -> None:
    soft, wide = problem(Softmax(), 60, 8), problem(SquaredHinge(), 2000, 500)
    assert direct_direction(soft, soft.evaluate(theta(soft)), 0) is None
    point = wide.evaluate(0 * theta(wide))  # where every row is short of its margin
    assert direct_direction(wide, point, 0) is None
    assert direct_direction(wide, point, 10_000) is not None


def test_the_best_step_is_where_the_loss_along_the_direction_is_least() -> None:
    many = problem(SquaredHinge(), 60, 8).only(torch.tensor([0]))
    start = theta(problem(SquaredHinge(), 60, 8))[:1]
    direction = direct_direction(many, many.evaluate(start), 0)
    assert direction is not None
    along = many.features.to_original(5 * direction)
    steps = best_steps(many, start[0], along[0], torch.arange(3))
    assert ((steps > 0) & (steps < 1)).all()
    tried = torch.linspace(0, 1, 1001, dtype=torch.float64)
    lost = torch.stack([many.evaluate(start + step * along).parts[0] for step in tried])
    torch.testing.assert_close(steps, tried[lost.argmin(0)], rtol=0, atol=1e-3)
