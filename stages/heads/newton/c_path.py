"""Heads for an ascending grid of C: each stretch of the grid starts where the ones before it point to."""

from __future__ import annotations

import math
from dataclasses import fields

import torch
from torch import Tensor

from frostline.stages.heads.newton.minimise import Solution, minimise
from frostline.stages.heads.newton.preconditioner import Preconditioner
from frostline.stages.heads.newton.problem import Problem

_STRETCH = 6.0  # a factor of C: heads this close are solved together, where that is easy
_EASILY, _HARDLY = 4, 6  # Newton steps: with fewer the next stretch is longer, with more it is shorter
_CLOSE = 1.5  # the shortest stretch
_EASY = 1e-5  # penalty, as a fraction of the largest variance, that needs no head start
_PASSING = 1e-2  # gap of heads nobody asked for


def solve_path(problem: Problem, grid: Tensor, tolerance: float, max_iterations: int, working_set: int) -> Solution:
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
    numbers = stations.new_zeros((3, *shape[:2]))
    path = Solution(stations.new_zeros(shape), numbers[0], numbers[1], numbers[2], numbers[0].long())
    reach, first = _STRETCH, 0
    while first < len(stations):
        near = _near(stations, first, reach, most)
        known = 3 if problem.loss.smooth else 1
        start = _extrapolated(path.theta, stations.log(), near, known).flatten(0, 1)
        penalty = (problem.penalty / stations[near, None]).flatten()
        heads = problem.with_heads(penalty, problem.task.repeat(len(near)))
        found = minimise(heads, start, tolerances[near].repeat_interleave(tasks), max_iterations, inverse)
        for field in fields(Solution):
            part = getattr(found, field.name)
            getattr(path, field.name)[near] = part.view(len(near), tasks, *part.shape[1:])
        reach = _adapted(reach, int(found.iterations.max()))
        first += len(near)
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


def _near(stations: Tensor, first: int, reach: float, most: int) -> Tensor:
    """Indices of the stations from ``first`` on within a factor ``reach``, at most ``most`` of them."""
    near = int((stations[first:] <= reach * stations[first]).sum())
    return torch.arange(first, first + min(near, most), device=stations.device)


def _adapted(reach: float, steps: int) -> float:
    """How far the next stretch reaches: close heads are solved one after the other where that is hard."""
    if steps > _HARDLY:
        return max(math.sqrt(reach), _CLOSE)
    return min(reach**2, _STRETCH) if steps <= _EASILY else reach


def _extrapolated(theta: Tensor, logs: Tensor, heads: Tensor, known: int) -> Tensor:
    """Where heads (m, t, classes, d + 1) start: on the polynomial in log C through the ``known`` heads before them.

    That is a parabola through three, a line through two, or the only one itself; the first heads start at zero.
    """
    first = int(heads[0])
    nodes = range(max(0, first - known), max(1, first))
    start = torch.zeros_like(theta[heads])
    for node in nodes:
        others = torch.tensor([other for other in nodes if other != node], dtype=torch.int64, device=logs.device)
        share = ((logs[heads, None] - logs[others]) / (logs[node] - logs[others])).prod(1)
        start += share[:, None, None, None] * theta[node]
    return start
