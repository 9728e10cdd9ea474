"""Values of C that are equal but for rounding are one value, and have one head."""

from __future__ import annotations

import numpy as np
import torch

from frostline.stages.heads.newton.c_path import ROUGH, CPath, Effort, distinct
from frostline.stages.heads.newton.losses import Softmax
from frostline.stages.heads.newton.minimise import Solution
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
