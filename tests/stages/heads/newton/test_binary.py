"""Losses of one output: their derivatives, with labels and weights of each task's own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn.functional import softplus

from frostline.stages.heads.newton.losses import BinaryHinge, Sigmoid
from frostline.stages.heads.newton.problem import Problem
from frostline.stages.heads.newton.rotated_rows import rotate


@pytest.mark.parametrize(
    ("loss", "plain"),
    [(Sigmoid(), lambda margins: softplus(-margins)), (BinaryHinge(), lambda margins: (1 - margins).clamp(min=0) ** 2)],
)
def test_gradient_and_curvature_are_those_of_automatic_differentiation(loss: Any, plain: Any) -> None:
    generator = torch.Generator().manual_seed(0)
    features = rotate(torch.randn(50, 5, generator=generator), torch.float64)
    sides = torch.where(torch.rand(2, 50, generator=generator) > 0.4, 1, -1).to(torch.int8)
    weights = torch.rand(2, 50, dtype=torch.float64, generator=generator)
    penalty, task = torch.tensor([0.3, 0.1, 2.0], dtype=torch.float64), torch.tensor([1, 0, 1])
    problem = Problem(loss, features, sides, weights, torch.ones(2, 1, dtype=torch.bool), penalty, task)
    rotated, direction = torch.randn(2, 3, 1, 6, dtype=torch.float64, generator=generator)
    point = problem.evaluate(features.to_original(rotated))
    product = problem.hvp(point, direction, torch.arange(3))
    for head in range(3):

        def value(theta: torch.Tensor, head: int = head) -> torch.Tensor:
            margins = sides[task[head]] * (features.rows @ theta[0])
            return weights[task[head]] @ plain(margins) + penalty[head] / 2 * theta[:, :-1].square().sum()

        expected, hessian = torch.autograd.functional.hvp(value, rotated[head], direction[head])
        torch.testing.assert_close(point.objective[head], expected)
        torch.testing.assert_close(point.gradient[head], torch.autograd.functional.jacobian(value, rotated[head]))
        torch.testing.assert_close(product[head], hessian)


def test_saturated_rows_keep_their_digits() -> None:
    logits = torch.tensor([[[60.0, -60.0, 800.0]]], dtype=torch.float64)
    block = Sigmoid().block(logits, torch.tensor([[1, 1, -1]]), torch.ones(1, 3, dtype=torch.float64))
    small = torch.exp(torch.tensor(-60.0, dtype=torch.float64))
    torch.testing.assert_close(block.residual[0, 0], torch.stack([-small, -1 + small, torch.ones(()).double()]))
    torch.testing.assert_close(block.variance[0, 0, :2], torch.stack([small, small]))
    assert float(block.loss) == pytest.approx(860)
