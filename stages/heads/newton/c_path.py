"""Heads for an ascending grid of C: each stretch of the grid starts where the ones before it point to."""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from frostline.stages.heads.newton.minimise import Solution, minimise
from frostline.stages.heads.newton.preconditioner import Preconditioner
from frostline.stages.heads.newton.problem import Problem
from frostline.stages.progress import tell

_STEP_FACTOR = 6.0  # a factor of C: heads this close are solved together, where that is easy
_EASILY, _HARDLY = 4, 6  # Newton steps: with fewer the next stretch is longer, with more it is shorter
_CLOSE = 1.5  # the shortest stretch
_EASY = 1e-5  # penalty, as a fraction of the largest variance, that needs no head start
_ROUNDING = 1e-9  # of a value: no curve goes through two points at one place
_PASSING = 1e-2  # gap of heads nobody asked for


def distinct(grid: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return ascending values, and which of them stands for each of the grid.

    Values that are equal but for rounding count as one.
    """
    ordered = np.unique(grid)
    first = np.append(True, np.diff(ordered) > _ROUNDING * ordered[1:])
    place = np.cumsum(first) - 1
    return ordered[first], place[np.searchsorted(ordered, grid)]


def solve_path(problem: Problem, grid: Tensor, tolerance: float, max_iterations: int, working_set: int) -> Solution:
    """Heads of every task for the ascending ``grid`` (k,) of C; k, then t, come first in what is returned.

    ``problem`` has one head per task, its penalty being that of C = 1. Where the grid leaves large gaps, or
    starts beyond what Newton's method reaches easily from zero, heads are solved roughly on the way.
    ``working_set`` is in bytes; half of it bounds the heads solved at once, a quarter the preconditioner.
    """
    tasks = len(problem.penalty)
    knots, asked = _knots(grid, float(problem.penalty.min()) / (_EASY * problem.features.variance))
    tolerances = torch.where(asked, tolerance, max(tolerance, _PASSING))
    inverse = Preconditioner(working_set // 4)
    max_heads = max(1, working_set // (2 * problem.bytes_per_head * tasks))
    shape = (len(knots), tasks, problem.present.shape[1], problem.features.basis.shape[0] + 1)
    numbers = knots.new_zeros((3, *shape[:2]))
    path = Solution(knots.new_zeros(shape), numbers[0], numbers[1], numbers[2], numbers[0].long())
    step_factor, first = _STEP_FACTOR, 0
    while first < len(knots):
        near = _near(knots, first, step_factor, max_heads)
        known = 3 if problem.loss.smooth else 1
        start = _extrapolated(path.theta, knots.log(), near, known).flatten(0, 1)
        penalty = (problem.penalty / knots[near, None]).flatten()
        heads = problem.with_heads(penalty, problem.task.repeat(len(near)))
        found = minimise(heads, start, tolerances[near].repeat_interleave(tasks), max_iterations, inverse)
        for field in fields(Solution):
            part = getattr(found, field.name)
            getattr(path, field.name)[near] = part.view(len(near), tasks, *part.shape[1:])
        step_factor = _adapted(step_factor, int(found.iterations.max()))
        first += len(near)
        tell("solving", "values", first, len(knots))
    return Solution(*(getattr(path, field.name)[asked] for field in fields(Solution)))


def _knots(grid: Tensor, easy: float) -> tuple[Tensor, Tensor]:
    """The grid with steps put into its gaps, and which of them are the grid's."""
    knots, asked, last = [], [], easy
    for C in grid.tolist():
        while last * _STEP_FACTOR**1.5 < C:
            last *= _STEP_FACTOR
            knots.append(last)
            asked.append(False)
        knots.append(C)
        asked.append(True)
        last = max(C, last)
    return grid.new_tensor(knots), torch.tensor(asked, device=grid.device)


def _near(knots: Tensor, first: int, step_factor: float, max_heads: int) -> Tensor:
    """Indices of the knots from ``first`` on within a factor ``step_factor``, at most ``max_heads`` of them."""
    near = int((knots[first:] <= step_factor * knots[first]).sum())
    return torch.arange(first, first + min(near, max_heads), device=knots.device)


def _adapted(step_factor: float, steps: int) -> float:
    """How far the next stretch reaches: close heads are solved one after the other where that is hard."""
    if steps > _HARDLY:
        return max(math.sqrt(step_factor), _CLOSE)
    return min(step_factor**2, _STEP_FACTOR) if steps <= _EASILY else step_factor


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
