"""Heads for an ascending grid of C: each stretch of the grid starts where the ones before it point to."""

from __future__ import annotations

from dataclasses import fields

import torch
from torch import Tensor

from stages.heads.newton import Preconditioner, Solution, minimise
from stages.heads.softmax import SoftmaxProblem

_STRETCH = 6.0  # a factor of C: heads this close are solved together
_BACK = 2  # heads between the two that an extrapolation goes through
_EASY = 1e-5  # penalty, as a fraction of the largest variance, that needs no head start
_PASSING = 1e-2  # gap of heads nobody asked for


def solve_path(
    problem: SoftmaxProblem, grid: Tensor, tolerance: float, max_iterations: int, working_set: int
) -> Solution:
    """Heads of every task for the ascending ``grid`` (k,) of C; k, then t, come first in what is returned.

    ``problem`` has one head per task, its penalty being that of C = 1. Where the grid leaves large gaps, or
    starts beyond what Newton's method reaches easily from zero, heads are solved roughly on the way.
    ``working_set`` is in bytes; half of it bounds the heads solved at once, a quarter the preconditioner.
    """
    tasks = len(problem.penalty)
    stations, asked = _stations(grid, float(problem.penalty.min()) / (_EASY * problem.features.variance))
    tolerances = torch.where(asked, tolerance, max(tolerance, _PASSING))
    inverse = Preconditioner(working_set // 4)
    most = max(1, working_set // (2 * problem.bytes_per_head * tasks))
    shape = (len(stations), tasks, problem.present.shape[1], problem.features.basis.shape[0] + 1)
    objective = stations.new_zeros(shape[:2])
    path = Solution(stations.new_zeros(shape), objective, torch.zeros_like(objective), objective.long())
    for near in _stretches(stations, most):
        start = _extrapolated(path.theta, stations.log(), near).flatten(0, 1)
        penalty = (problem.penalty / stations[near, None]).flatten()
        heads = problem.with_heads(penalty, problem.task.repeat(len(near)))
        found = minimise(heads, start, tolerances[near].repeat_interleave(tasks), max_iterations, inverse)
        for field in fields(Solution):
            part = getattr(found, field.name)
            getattr(path, field.name)[near] = part.view(len(near), tasks, *part.shape[1:])
    return Solution(*(getattr(path, field.name)[asked] for field in fields(Solution)))


def _stations(grid: Tensor, easy: float) -> tuple[Tensor, Tensor]:
    """The grid with steps put into its gaps, and which of them are the grid's."""
    stations, asked, last = [], [], easy
    for C in grid.tolist():
        while last * _STRETCH**1.5 < C:
            last *= _STRETCH
            stations.append(last)
            asked.append(False)
        stations.append(C)
        asked.append(True)
        last = max(C, last)
    return grid.new_tensor(stations), torch.tensor(asked, device=grid.device)


def _stretches(stations: Tensor, most: int) -> list[Tensor]:
    """Indices of neighbours within a stretch, at most ``most`` of them."""
    stretches: list[Tensor] = []
    start = 0
    while start < len(stations):
        near = int((stations[start:] <= _STRETCH * stations[start]).sum())
        stretches.append(torch.arange(start, start + min(near, most), device=stations.device))
        start += min(near, most)
    return stretches


def _extrapolated(theta: Tensor, logs: Tensor, heads: Tensor) -> Tensor:
    """Where heads (m, t, classes, d + 1) start: on the line in log C through two of the heads before them."""
    last = int(heads[0]) - 1
    if last < 1:
        return theta[max(last, 0)].expand(len(heads), *theta.shape[1:])
    back = max(0, last - _BACK)
    slope = (theta[last] - theta[back]) / (logs[last] - logs[back])
    return theta[last] + (logs[heads] - logs[last])[:, None, None, None] * slope
