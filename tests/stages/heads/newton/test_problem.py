from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from frostline.stages.heads.newton.losses import Loss, Softmax, SquaredHinge
from frostline.stages.heads.newton.problem import Problem
from frostline.stages.heads.newton.rotated_rows import rotate
from support.rows import scored

Plain = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def test_blocks_of_rows_give_the_same_derivatives(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = scored(130, 16, 4, noise=3.0)
    theta = torch.randn(2, 4, 17, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    problem = Problem(
        Softmax(),
        rotate(torch.as_tensor(X)), torch.as_tensor(y), torch.full((1, 130), 1 / 130, dtype=torch.float64),
        torch.ones(1, 4, dtype=torch.bool), torch.tensor([0.1, 1.0], dtype=torch.float64), torch.zeros(2).long(),
    )  # fmt: skip
    direction, heads = torch.ones_like(theta), torch.arange(2)
    whole = problem.evaluate(theta)
    product = problem.hvp(whole, direction, heads)
    monkeypatch.setattr("frostline.stages.heads.newton.problem.BLOCK", 300)
    monkeypatch.setattr("frostline.stages.heads.newton.rotated_rows._CACHE", 300)
    parts = problem.evaluate(theta)
    torch.testing.assert_close(problem.hvp(parts, direction, heads), product)
    torch.testing.assert_close(parts.objective, whole.objective)
    torch.testing.assert_close(parts.gradient, whole.gradient)
    torch.testing.assert_close(parts.loss_cache, whole.loss_cache)


def hinge(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    sides = 2 * torch.nn.functional.one_hot(labels, 3) - 1
    return (1 - sides * logits).clamp(min=0).square().sum(1).mean()


@pytest.mark.parametrize(("loss", "plain"), [(Softmax(), torch.nn.functional.cross_entropy), (SquaredHinge(), hinge)])
def test_gradient_and_curvature_are_those_of_automatic_differentiation(loss: Loss, plain: Plain) -> None:
    X, y = scored(50, 5, 3, noise=3.0)
    features = rotate(torch.as_tensor(X), torch.float64)
    labels, w = torch.as_tensor(y), torch.full((50,), 1 / 50, dtype=torch.float64)
    penalty, task = torch.tensor([0.3], dtype=torch.float64), torch.zeros(1).long()
    problem = Problem(loss, features, labels, w[None], torch.ones(1, 3, dtype=torch.bool), penalty, task)

    def value(rotated: torch.Tensor) -> torch.Tensor:
        return plain(features.rows @ rotated.T, labels) + 0.15 * rotated[:, :-1].square().sum()

    generator = torch.Generator().manual_seed(0)
    rotated, direction = torch.randn(2, 3, 6, dtype=torch.float64, generator=generator)
    point = problem.evaluate(features.to_original(rotated)[None])
    expected, hessian = torch.autograd.functional.hvp(value, rotated, direction)
    gradient = torch.autograd.functional.jacobian(value, rotated)
    torch.testing.assert_close(point.objective[0], expected)
    torch.testing.assert_close(point.gradient[0], gradient)
    torch.testing.assert_close(problem.hvp(point, direction[None], torch.arange(1))[0], hessian)
    block = loss.block((features.rows @ rotated.T).T[None].clone(), labels, w[None])
    torch.testing.assert_close(problem.variance(point, 0), block.variance[0])
