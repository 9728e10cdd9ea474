"""What conjugate gradients learn from one system helps in the next."""

import numpy as np
import pytest
import torch

from frostline.stages.heads.newton.losses import Softmax
from frostline.stages.heads.newton.minimise import newton_direction
from frostline.stages.heads.newton.preconditioner import DirectionTrace, Preconditioner
from frostline.stages.heads.newton.problem import Problem
from frostline.stages.heads.newton.rotated_rows import rotate
from support.rows import scored

ROOM = 2**26  # bytes, more than enough


def problem(heads: int = 2) -> Problem:
    X, y = scored(6000, 30, 3, noise=1.0)
    weights = torch.full((1, len(y)), 1 / len(y), dtype=torch.float64)
    present = torch.ones((1, 3), dtype=torch.bool)
    penalty = torch.logspace(-3, -5, heads, dtype=torch.float64)
    return Problem(
        Softmax(),
        rotate(torch.as_tensor(X), torch.float64),
        torch.as_tensor(y),
        weights,
        present,
        penalty,
        torch.zeros_like(penalty).long(),
    )


def start(of: Problem) -> torch.Tensor:
    theta = torch.as_tensor(np.random.default_rng(0).standard_normal((len(of.penalty), 3, 31)))
    return theta - theta.mean(1, keepdim=True)


def test_the_inverse_is_exact_on_the_last_direction_that_it_has_seen() -> None:
    many = problem()
    point, heads, inverse = many.evaluate(start(many)), torch.arange(2), Preconditioner(ROOM)
    inverse.begin(many)
    trace = DirectionTrace(2, inverse.max_pairs)
    for seed in range(3):
        direction = torch.as_tensor(np.random.default_rng(seed).standard_normal((2, 3, 31)))
        direction -= direction.mean(1, keepdim=True)
        product = many.hvp(point, direction, heads)
        trace.add(direction, product, heads)
    inverse.learn(trace, heads)
    torch.testing.assert_close(inverse.at(many, point, heads)(product), direction)


def test_the_second_system_with_the_same_hessian_costs_fewer_products() -> None:
    many = problem()
    point, heads, inverse = many.evaluate(start(many)), torch.arange(2), Preconditioner(ROOM)
    inverse.begin(many)
    first, _ = newton_direction(many, point, inverse, heads)
    cost = inverse.products
    second, _ = newton_direction(many, point, inverse, heads)
    assert inverse.products < cost
    left = many.hvp(point, second, heads) + point.gradient
    assert left.norm() < (many.hvp(point, first, heads) + point.gradient).norm()


@pytest.mark.parametrize(("room", "max_pairs"), [(0, 0), (6 * 2 * 2 * 3 * 31 * 8 * 7, 7), (ROOM, 20)])
def test_no_more_pairs_are_remembered_than_there_is_room_for(room: int, max_pairs: int) -> None:
    many = problem()
    point, inverse = many.evaluate(start(many)), Preconditioner(room)
    inverse.begin(many)
    assert inverse.max_pairs == max_pairs
    direction, decrement = newton_direction(many, point, inverse, torch.arange(2))
    assert ((direction * point.gradient).sum((1, 2)) < 0).all() and (decrement > 0).all()


@pytest.mark.parametrize("length", [3, 7, 8, 40, 1000])
def test_a_long_trace_is_thinned_out_evenly(length: int) -> None:
    trace, live = DirectionTrace(1, 7), torch.tensor([0])
    for i in range(length):
        trace.add(torch.full((1, 1, 1), float(i + 1)), torch.full((1, 1, 1), float(i + 1)), live)
    s, y = trace.scaled()
    assert s.shape[1] <= 7 and s.shape[1] >= min(length, 3)
    assert torch.allclose((s * y).sum(2), torch.ones(s.shape[:2]))


def test_heads_that_follow_begin_with_what_the_last_ones_learned() -> None:
    many, more = problem(2), problem(3)
    point, inverse = many.evaluate(start(many)), Preconditioner(ROOM)
    inverse.begin(many)
    newton_direction(many, point, inverse, torch.arange(2))
    learned = inverse.at(many, point, torch.arange(2)).pairs.only(torch.tensor([1]))
    inverse.begin(more)
    assert torch.equal(inverse.at(more, more.evaluate(start(more)), torch.arange(3)).pairs.s[2:, -1], learned.s[:, -1])


def test_no_logit_changes_by_more_than_the_radius() -> None:
    many = problem()
    point, heads, inverse = many.evaluate(start(many)), torch.arange(2), Preconditioner(ROOM)
    inverse.begin(many)
    free, decrement = newton_direction(many, point, inverse, heads)
    inverse.begin(many)
    change = (free.square() @ many.features.variances).amax(1).sqrt()
    radius = torch.stack((0.1 * change[0], 2 * change[1]))
    bound, cut = newton_direction(many, point, inverse, heads, radius)
    logits = (many.features.rows @ bound[0].T).square().mean(0).sqrt()
    torch.testing.assert_close(logits.amax(), radius[0])
    assert (bound[0] * point.gradient[0]).sum() < 0  # still downhill
    assert cut[0].isinf() and cut[1].isfinite() and decrement.isfinite().all()
