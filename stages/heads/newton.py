"""Many softmax heads minimised together by truncated Newton.

Dembo, Eisenstat & Steihaug, "Inexact Newton methods" (SIAM J. Numer. Anal. 19, 1982); for
logistic regression Lin, Weng & Keerthi, "Trust region Newton method for large-scale logistic
regression" (JMLR 9, 2008).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from stages.heads.preconditioner import Path, Preconditioner
from stages.heads.softmax import Evaluation, SoftmaxProblem

_PRODUCTS = 500  # Hessian products one direction may cost
_LATE = 5  # products at the end of a system, at least, by which it is judged
_ENOUGH = 0.15  # of a system's decrement: what these may still add to it
_ROUNDING = 1e-13  # relative change of an objective that is noise
_PATIENCE = 5  # steps in a row that neither lower the objective nor halve the gap
_SHORTEST = 1e-6  # step below which a head has stalled


@dataclass(frozen=True)
class Solution:
    """h minimised heads: theta (h, classes, d + 1) float64, bias last, and, per head (h,), how it went.

    ``gap`` is what (objective - optimum) / objective is at most: by :func:`optimality_gap`, or, after a whole Newton
    step, by twice the Newton decrement.
    """

    theta: Tensor
    objective: Tensor
    gap: Tensor
    iterations: Tensor


def optimality_gap(problem: SoftmaxProblem, theta: Tensor, point: Evaluation) -> Tensor:
    """Upper bound (h,) of (objective - optimum) / objective.

    The objective is strongly convex in W with constant ``penalty``, so W adds at most
    |gradient|^2 / (2 penalty); Boyd & Vandenberghe, "Convex Optimization" (2004), equation 9.9.
    The bias is not penalised: it adds at most its gradient times its distance from the optimum,
    for which 1 + the largest bias of the centred features stands in.
    """
    weight, bias = point.gradient[..., :-1], point.gradient[..., -1]
    centred = theta[..., -1] + theta[..., :-1] @ problem.features.mean
    distance = 1 + centred.abs().amax(1)
    above = weight.square().sum((1, 2)) / (2 * problem.penalty) + bias.abs().sum(1) * distance
    return above / point.objective


class _Descent:
    """Newton steps with backtracking for h heads in step; heads leave when they converge or stall."""

    def __init__(self, problem: SoftmaxProblem, theta: Tensor, tolerance: Tensor, inverse: Preconditioner) -> None:
        self.problem, self.theta, self.tolerance, self.inverse = problem, theta.clone(), tolerance, inverse
        self.objective = theta.new_full((len(theta),), torch.inf)
        self.gap = torch.full_like(self.objective, torch.inf)
        self.iterations = torch.zeros(len(theta), dtype=torch.int64, device=theta.device)
        self.direction = torch.zeros_like(theta)
        self.slope = torch.zeros_like(self.objective)
        self.decrement = torch.full_like(self.objective, torch.inf)
        self.step = torch.ones_like(self.objective)
        self.idle = torch.zeros_like(self.iterations)
        self.heads = torch.arange(len(theta), device=theta.device)

    def advance(self) -> None:
        """Try each head's step; give the heads that took theirs a new direction."""
        heads = self.heads
        trial = self.theta[heads] + self.step[heads, None, None] * self.direction[heads]
        point = self.problem.only(heads).evaluate(trial)
        target = self.objective[heads] + 1e-4 * self.step[heads] * self.slope[heads]
        taken = point.objective <= target + _ROUNDING * point.objective
        self._take(heads, trial, point, taken)
        self.step[heads[~taken]] *= 0.25
        going = self.gap[heads] > self.tolerance[heads]
        going &= (self.step[heads] > _SHORTEST) & (self.idle[heads] < _PATIENCE)
        self._aim(heads, point, (taken & going).nonzero().flatten())
        self.heads = heads[going]

    def _take(self, heads: Tensor, trial: Tensor, point: Evaluation, taken: Tensor) -> None:
        gap = self._gap(heads, trial, point)[taken]
        heads, objective = heads[taken], point.objective[taken]
        better = (self.objective[heads] - objective > _ROUNDING * objective) | (gap < 0.5 * self.gap[heads])
        self.idle[heads] = torch.where(better, 0, self.idle[heads] + 1)
        self.theta[heads] = trial[taken]
        self.objective[heads] = objective
        self.gap[heads] = gap
        self.iterations[heads] += 1

    def _gap(self, heads: Tensor, trial: Tensor, point: Evaluation) -> Tensor:
        """The bound of :func:`optimality_gap`; or, after a whole step, an estimate if that is less.

        It is twice the Newton decrement (Boyd & Vandenberghe, equation 9.30), of which two are at hand, and the
        larger counts: that of the last step, and what the approximate inverse makes of the gradient now.
        """
        problem = self.problem.only(heads)
        bound = optimality_gap(problem, trial, point)
        promised = self.inverse.at(problem, point, heads)(point.gradient) * point.gradient
        estimate = torch.maximum(2 * self.decrement[heads], promised.sum((1, 2)) / point.objective)
        return torch.where(self.step[heads] == 1, torch.minimum(bound, estimate), bound)

    def _aim(self, heads: Tensor, point: Evaluation, chosen: Tensor) -> None:
        if len(chosen) == 0:
            return
        heads, point = heads[chosen], point.only(chosen) if len(chosen) < len(heads) else point
        problem = self.problem.only(heads)
        self.inverse.refresh(problem, point)
        direction, decrement = newton_direction(problem, point, self.inverse, heads)
        self.direction[heads] = problem.features.to_original(direction)
        self.slope[heads] = (direction * point.gradient).sum((1, 2))
        self.decrement[heads] = decrement / point.objective
        self.step[heads] = 1


def minimise(
    problem: SoftmaxProblem, theta: Tensor, tolerance: Tensor, max_iterations: int, inverse: Preconditioner
) -> Solution:
    """Newton steps from theta (h, classes, d + 1) until each ``gap`` is at most ``tolerance`` (h,).

    A head stops early, its gap above the tolerance, after ``max_iterations`` evaluations or when
    no step along its direction lowers its objective any more.
    """
    inverse.begin(problem)
    descent = _Descent(problem, theta, tolerance, inverse)
    for _ in range(max_iterations):
        if len(descent.heads) == 0:
            break
        descent.advance()
    return Solution(descent.theta, descent.objective, descent.gap, descent.iterations)


def newton_direction(
    problem: SoftmaxProblem, point: Evaluation, inverse: Preconditioner, heads: Tensor
) -> tuple[Tensor, Tensor]:
    """Preconditioned conjugate gradients on  Hessian d = -gradient, one system for each of some heads (l indices).

    Returns the directions (l, classes, r + 1) and their decrements (l,): how much the quadratic model falls along
    each. What the last products added to that tells what is left to gain: Strakos & Tichy, "On error estimation in
    the conjugate gradient method and why it works in finite precision computations" (ETNA 13, 2002). Here the
    last half of them must have added little. Directions are kept summing to zero over classes: the loss does not
    change along the others.
    """
    approximate = inverse.at(problem, point, heads)
    path = Path(len(heads), inverse.most)
    residual = -point.gradient
    solution = torch.zeros_like(residual)
    search = approximate(residual)
    size = (residual * search).sum((1, 2))
    decrement = [torch.zeros_like(size)]  # after each product
    noise = _ROUNDING * size
    live = torch.arange(len(size), device=size.device)
    inverse.products = 0
    while len(live) and inverse.products < _PRODUCTS:
        inverse.products += 1
        ahead = search[live]
        bent = problem.curve(point, ahead, live)
        path.add(ahead, bent, live)
        length = size[live] / (ahead * bent).sum((1, 2))
        solution[live] += length[:, None, None] * ahead
        residual[live] -= length[:, None, None] * bent
        scaled = approximate.only(live)(residual[live]) if len(live) < len(heads) else approximate(residual)
        shrunk = (residual[live] * scaled).sum((1, 2))
        search[live] = scaled + (shrunk / size[live])[:, None, None] * ahead
        decrement.append(decrement[-1].index_add(0, live, 0.5 * length * size[live]))
        size[live] = shrunk
        before = decrement[max(0, inverse.products - max(_LATE, inverse.products // 2))]
        going = decrement[-1] - before > _ENOUGH * decrement[-1]
        live = live[going[live] & (shrunk > noise[live])]
    inverse.learn(path, heads)
    return solution, decrement[-1]
