"""Many softmax heads minimised together by truncated Newton.

Dembo, Eisenstat & Steihaug, "Inexact Newton methods" (SIAM J. Numer. Anal. 19, 1982); for
logistic regression Lin, Weng & Keerthi, "Trust region Newton method for large-scale logistic
regression" (JMLR 9, 2008).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from stages.heads.softmax import Evaluation, SoftmaxProblem

_PRODUCTS = 500  # Hessian products one direction may cost
_FAR, _NEAR, _TIGHT = 0.5, 0.1, 1e-3  # residuals a Newton system may leave, as fractions
_SHORTEST = 1e-6  # step below which a head has stalled


@dataclass(frozen=True)
class Solution:
    """h minimised heads: theta (h, classes, r + 1) float64 and, per head (h,), how it went.

    ``gap`` bounds (objective - optimum) / objective, see :func:`optimality_gap`.
    """

    theta: Tensor
    objective: Tensor
    gap: Tensor
    iterations: Tensor


def optimality_gap(problem: SoftmaxProblem, theta: Tensor, point: Evaluation) -> Tensor:
    """Upper bound (h,) of (objective - optimum) / objective.

    The objective is strongly convex in W with constant ``penalty``, so W adds at most
    |gradient|^2 / (2 penalty); Boyd & Vandenberghe, "Convex Optimization" (2004), equation 9.9.
    The bias is not penalised: it adds its gradient times its distance, taken as 1 + max |bias|.
    """
    weight, bias = point.gradient[..., :-1], point.gradient[..., -1]
    distance = 1 + theta[..., -1].abs().amax(1)
    above = weight.square().sum((1, 2)) / (2 * problem.penalty) + bias.abs().sum(1) * distance
    return above / point.objective


class _Descent:
    """Newton steps with backtracking for h heads in step; heads leave when they converge or stall."""

    def __init__(self, problem: SoftmaxProblem, theta: Tensor, tolerance: float) -> None:
        self.problem, self.theta, self.tolerance = problem, theta.clone(), tolerance
        self.objective = theta.new_full((len(theta),), torch.inf)
        self.gap = torch.full_like(self.objective, torch.inf)
        self.iterations = torch.zeros_like(problem.task)
        self.direction = torch.zeros_like(theta)
        self.slope = torch.zeros_like(self.objective)
        self.step = torch.ones_like(self.objective)
        self.heads = torch.arange(len(theta), device=theta.device)

    def advance(self) -> None:
        """Try each head's step; give the heads that took theirs a new direction."""
        heads = self.heads
        trial = self.theta[heads] + self.step[heads, None, None] * self.direction[heads]
        point = self.problem.only(heads).evaluate(trial)
        target = self.objective[heads] + 1e-4 * self.step[heads] * self.slope[heads]
        taken = point.objective <= target
        self._take(heads, trial, point, taken)
        self.step[heads[~taken]] *= 0.25
        unfinished = self.gap[heads] > self.tolerance
        self._aim(heads, point, (taken & unfinished).nonzero().flatten())
        self.heads = heads[unfinished & (self.step[heads] > _SHORTEST)]

    def _take(self, heads: Tensor, trial: Tensor, point: Evaluation, taken: Tensor) -> None:
        gap = optimality_gap(self.problem.only(heads), trial, point)
        heads = heads[taken]
        self.theta[heads] = trial[taken]
        self.objective[heads] = point.objective[taken]
        self.gap[heads] = gap[taken]
        self.iterations[heads] += 1

    def _aim(self, heads: Tensor, point: Evaluation, chosen: Tensor) -> None:
        if len(chosen) == 0:
            return
        heads, point = heads[chosen], point.only(chosen) if len(chosen) < len(heads) else point
        forcing = _forcing(self.gap[heads], self.tolerance)
        self.direction[heads] = newton_direction(self.problem.only(heads), point, forcing)
        self.slope[heads] = (self.direction[heads] * point.gradient).sum((1, 2))
        self.step[heads] = 1


def _forcing(gap: Tensor, tolerance: float) -> Tensor:
    """How far to solve each Newton system: loosely far away, and no further than convergence needs.

    The gap falls with the square of the gradient, and the gradient to what the system leaves of it.
    """
    needed = (0.5 * (tolerance / gap).sqrt()).clamp(_TIGHT, _NEAR)
    return torch.where(gap > 1, _FAR, needed)


def minimise(problem: SoftmaxProblem, theta: Tensor, tolerance: float, max_iterations: int) -> Solution:
    """Newton steps from theta (h, classes, r + 1) until each ``gap`` is at most ``tolerance``.

    A head stops early, its gap above the tolerance, after ``max_iterations`` evaluations or when
    no step along its direction lowers its objective any more.
    """
    descent = _Descent(problem, theta, tolerance)
    for _ in range(max_iterations):
        if len(descent.heads) == 0:
            break
        descent.advance()
    return Solution(descent.theta, descent.objective, descent.gap, descent.iterations)


def newton_direction(problem: SoftmaxProblem, point: Evaluation, forcing: Tensor) -> Tensor:
    """Preconditioned conjugate gradients on  Hessian d = -gradient, one system per head.

    A system stops when the preconditioned norm of its residual has shrunk by ``forcing`` (h,).
    The preconditioner is the Hessian's diagonal, restricted to directions that sum to zero over
    classes: the loss does not change along the others.
    """
    present = problem.present[problem.task]
    residual = -point.gradient
    solution = torch.zeros_like(residual)
    search = _centre(residual / point.diagonal, present)
    size = (residual * search).sum((1, 2))
    enough = forcing.square() * size
    live = torch.arange(len(size), device=size.device)
    for _ in range(_PRODUCTS):
        ahead = search[live]
        bent = problem.curve(point, ahead, live)
        length = (size[live] / (ahead * bent).sum((1, 2)))[:, None, None]
        solution[live] += length * ahead
        residual[live] -= length * bent
        scaled = _centre(residual[live] / point.diagonal[live], present[live])
        shrunk = (residual[live] * scaled).sum((1, 2))
        search[live] = scaled + (shrunk / size[live])[:, None, None] * ahead
        size[live] = shrunk
        live = live[shrunk > enough[live]]
        if len(live) == 0:
            break
    return solution


def _centre(direction: Tensor, present: Tensor) -> Tensor:
    """Remove the mean over the ``present`` (h, classes) classes and zero the others."""
    kept = present[..., None].to(direction.dtype)
    direction = direction * kept
    return (direction - direction.sum(1, keepdim=True) / kept.sum(1, keepdim=True)) * kept
