"""Heads for many values of C: each stretch of values starts where those that are known point to."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from frostline.stages.heads.newton.minimise import PRODUCTS, Solution, Start, minimise
from frostline.stages.heads.newton.preconditioner import Preconditioner
from frostline.stages.heads.newton.problem import Problem
from frostline.stages.heads.newton.rotated_rows import RotatedRows, StreamedRows
from frostline.stages.progress import tell

_STEP_FACTOR = 6.0  # a factor of C: heads this close are solved together, where that is easy
_EASILY, _HARDLY = 4, 6  # Newton steps: with fewer the next stretch is longer, with more it is shorter
_CLOSE = 1.5  # the shortest stretch
_EASY = 1e-4  # penalty, as a fraction of the largest variance, that needs no head start
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


@dataclass(frozen=True)
class Effort:
    """How closely heads are solved, and how much that may cost.

    ``tolerance``: the gap that is enough. ``max_iterations``: steps and shortened steps of a head; ``products``:
    Hessian products of one direction; ``reduced``: whether float32 and bf16 are precise enough to the end.
    """

    tolerance: float
    max_iterations: int
    products: int = PRODUCTS
    reduced: bool = False


# Enough to tell values apart by rows that were not fitted.
ROUGH = Effort(1e-3, max_iterations=10, products=40, reduced=True)


class CPath:
    """Heads of t tasks for values of C, solved in any order: each starts where the ones nearest to it point to.

    Where values leave large gaps, or start beyond what Newton's method reaches easily from zero, heads are solved
    roughly on the way.
    """

    def __init__(self, problem: Problem, working_set: int) -> None:
        """``problem`` has one head per task, its penalty being that of C = 1.

        ``working_set`` is in bytes; half of it bounds the heads solved at once, a quarter the preconditioner.
        """
        self.problem = problem
        self._limit = working_set // 4
        self._max_heads = max(1, working_set // (2 * problem.bytes_per_head * len(problem.penalty)))
        self._known: dict[float, Solution] = {}

    @property
    def easy(self) -> float:
        """The largest C that needs no head start."""
        return float(self.problem.penalty.min()) / (_EASY * self.problem.features.variance)

    def known(self, grid: Tensor) -> Solution:
        """Return the heads of values that were solved (k,); k, then t, come first. Raises KeyError for others."""
        found = [self._known[self._key(C)] for C in grid.tolist()]
        every = Solution(*(torch.stack([getattr(one, field.name) for one in found]) for field in fields(Solution)))
        return replace(every, theta=self.problem.features.as_given(every.theta))

    def solve(self, grid: Tensor, effort: Effort) -> None:
        """Solve an ascending ``grid`` (k,) of C; what is known of it already, on from there.

        Heads that are solved on the way are forgotten in the end.
        """
        grid = grid.new_tensor([self._key(C) for C in grid.tolist()])
        first, passing, step_factor, inverse = 0, [], _STEP_FACTOR, Preconditioner(self._limit)
        while first < len(grid):
            near = grid[first : first + self._max_heads]
            near = near[near <= step_factor * near[0]]
            step = self._step_towards(float(near[0]), step_factor if self.problem.loss.smooth else _STEP_FACTOR)
            if step is None:
                steps = self._solve_together(near, effort, inverse)
                first += len(near)
            else:
                steps = self._solve_together(grid.new_tensor([step]), self._passing(effort), inverse)
                passing.append(step)
            step_factor = _adapted(step_factor, steps)
            tell("solving", "values", first, len(grid))
        for C in passing:
            self._known.pop(C)

    def _passing(self, effort: Effort) -> Effort:
        """How closely heads are solved that nobody asked for."""
        return replace(ROUGH if self.problem.loss.smooth else effort, tolerance=max(effort.tolerance, _PASSING))

    def _step_towards(self, C: float, factor: float) -> float | None:
        """Return a value on the way to C from those that are known below it, or from the easy ones; None if near."""
        last = max([self.easy, *(known for known in self._known if known <= C)])
        return last * factor if last * factor**1.5 < C else None

    def _key(self, C: float) -> float:
        """Return the known value that C is but for rounding, or C itself."""
        return next((known for known in self._known if abs(known - C) <= _ROUNDING * C), C)

    def _solve_together(self, values: Tensor, effort: Effort, inverse: Preconditioner) -> int:
        """Solve heads (m,) from where those that are known point to; return the most steps that one took."""
        problem, tasks = self.problem, len(self.problem.penalty)
        starts = [self._start(C) for C in values.tolist()]
        start = Start(*(torch.cat([getattr(one, field.name) for one in starts]) for field in fields(Start)))
        heads = problem.with_heads((problem.penalty / values[:, None]).flatten(), problem.task.repeat(len(values)))
        tolerance = torch.full_like(heads.penalty, effort.tolerance)
        limits = effort.max_iterations, effort.products, inverse, self._precisions(values, effort)
        found = minimise(heads, start, tolerance, *limits)
        for place, C in enumerate(values.tolist()):
            own = slice(place * tasks, (place + 1) * tasks)
            self._known[C] = Solution(*(getattr(found, field.name)[own].clone() for field in fields(Solution)))
        return int(found.iterations.max())

    def _precisions(self, values: Tensor, effort: Effort) -> list[RotatedRows | StreamedRows]:
        """The features in rising precision, as the effort needs them for values of which some may be known."""
        features = self.problem.features
        if effort.reduced:
            return [features.reduced]
        if not self.problem.loss.smooth or features.dtype == torch.float64:
            return [features]
        gaps = [self._known[C].gap.max() if C in self._known else torch.inf for C in values.tolist()]
        return [one for one in features.rising if max(gaps) >= _PASSING or one.exact == features.exact]

    def _start(self, C: float) -> Start:
        """Where the heads of C start: where they are, if they are known, and the first of all at zero.

        Otherwise on the polynomial in log C through the known ones next to it, or at the nearest: that is a parabola
        through three, a line through two, far from which a parabola leads astray, or the only one itself.
        """
        penalty = self.problem.penalty
        theta = self._known[C].theta if C in self._known else self._pointed(C)
        if C in self._known or not self._known:
            return Start(theta, theta, penalty.new_full(penalty.shape, torch.inf))
        nearest = min(self._known, key=partial(_apart, C))
        known = self._known[nearest]
        less = 0.5 * penalty * (1 / nearest - 1 / C) * known.theta[..., :-1].square().sum((1, 2))
        return Start(theta, known.theta, known.objective - less)

    def _pointed(self, C: float) -> Tensor:
        """Return the point of the polynomial, (t, classes, d + 1)."""
        problem = self.problem
        start = problem.penalty.new_zeros((*problem.present.shape, problem.features.basis.shape[0] + 1))
        logs = {node: math.log(node) for node in self._nearest(C)}
        for node, own in logs.items():
            others = [other for other in logs.values() if other != own]
            share = math.prod((math.log(C) - other) / (own - other) for other in others)
            start += share * self._known[node].theta
        return start

    def _nearest(self, C: float) -> list[float]:
        known = sorted(self._known, key=partial(_apart, C))
        far = bool(known) and _apart(C, known[0]) > math.log(_STEP_FACTOR)
        most = (2 if far else 3) if self.problem.loss.smooth else 1
        return sorted(known[:most])


def _adapted(step_factor: float, steps: int) -> float:
    """How far the next stretch reaches: close heads are solved one after the other where that is hard."""
    if steps > _HARDLY:
        return max(math.sqrt(step_factor), _CLOSE)
    return min(step_factor**2, _STEP_FACTOR) if steps <= _EASILY else step_factor


def _apart(C: float, other: float) -> float:
    return abs(math.log(other / C))
