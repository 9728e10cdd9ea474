"""Many softmax heads minimised together by truncated Newton.

Dembo, Eisenstat & Steihaug, "Inexact Newton methods" (SIAM J. Numer. Anal. 19, 1982); for
logistic regression Lin, Weng & Keerthi, "Trust region Newton method for large-scale logistic
regression" (JMLR 9, 2008).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from stages.heads.rotated import StreamedFeatures
from stages.heads.softmax import Evaluation, SoftmaxProblem

_PRODUCTS = 500  # Hessian products one direction may cost
_FAR, _NEAR, _TIGHT = 0.2, 0.05, 0.02  # residuals a Newton system may leave, as fractions
_RIDGE = 1e-7  # keeps correlations of duplicate columns definite
_ROUNDING = 1e-13  # relative change of an objective that is noise
_PATIENCE = 5  # steps in a row that neither lower the objective nor halve the gap
_SHORTEST = 1e-6  # step below which a head has stalled


@dataclass(frozen=True)
class Solution:
    """h minimised heads: theta (h, classes, d + 1) float64, bias last, and, per head (h,), how it went.

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
    The bias is not penalised: it adds at most its gradient times its distance from the optimum,
    for which 1 + the largest bias of the centred features stands in.
    """
    weight, bias = point.gradient[..., :-1], point.gradient[..., -1]
    centred = theta[..., -1] + theta[..., :-1] @ problem.features.mean
    distance = 1 + centred.abs().amax(1)
    above = weight.square().sum((1, 2)) / (2 * problem.penalty) + bias.abs().sum(1) * distance
    return above / point.objective


class Preconditioner:
    """An approximate inverse of the Hessian, for heads whose probabilities are alike.

    It is block diagonal over classes: each head's own diagonal, and correlations shared by all
    heads. Before the first :meth:`refresh` the correlations are zero. Rows that are far from a
    class's boundary hardly enter its block, so 2 (r + 1) rows nearest to it are enough.
    """

    def __init__(self, limit: int) -> None:
        """``limit``: bytes the correlations may take; beyond it they stay zero."""
        self.limit = limit
        self.factor: Tensor | None = None
        self.products = 0

    def __call__(self, residual: Tensor, diagonal: Tensor) -> Tensor:
        """Approximate inverse times residual (h, classes, r + 1), given the Hessians' diagonals."""
        scale = diagonal.rsqrt()
        scaled = residual * scale
        if self.factor is not None:
            across = scaled.transpose(0, 1).to(self.factor.dtype)
            across = (across @ self.factor.mT) @ self.factor
            scaled = across.transpose(0, 1).to(residual.dtype)
        return scaled * scale

    def refresh(self, problem: SoftmaxProblem, point: Evaluation) -> None:
        """Take the correlations of the middle head, where the last system cost more than they do."""
        heads, classes, width = point.gradient.shape
        if isinstance(problem.features, StreamedFeatures):  # whose nearest rows are anywhere in a file
            return
        rows = problem.features.rows
        nearest = min(2 * width, len(rows))
        worth = 10 + width * (nearest + width) / (4 * len(rows) * heads)
        if self.products < worth or classes * width**2 * rows.element_size() > self.limit:
            return
        variance, diagonal = problem.variance(point, heads // 2), point.diagonal[heads // 2]
        self.factor = rows.new_empty((classes, width, width))
        for label in range(classes):
            weights, chosen = variance[label].topk(nearest)
            self.factor[label] = _inverse_factor(rows[chosen], weights, diagonal[label])


def _inverse_factor(rows: Tensor, weights: Tensor, diagonal: Tensor) -> Tensor:
    """L^-1 where L L^T is the correlation matrix of sum_i weights_i x_i x_i^T with this diagonal."""
    matrix = (rows.T @ (rows * weights[:, None])).double()
    scale = torch.maximum(diagonal, matrix.diagonal()).rsqrt()
    matrix *= scale[:, None] * scale
    matrix.diagonal().fill_(1 + _RIDGE)
    lower = torch.linalg.cholesky(matrix)
    factor: Tensor = torch.linalg.solve_triangular(lower, torch.eye(len(lower), out=matrix), upper=False)
    return factor


class _Descent:
    """Newton steps with backtracking for h heads in step; heads leave when they converge or stall."""

    def __init__(self, problem: SoftmaxProblem, theta: Tensor, tolerance: Tensor, inverse: Preconditioner) -> None:
        self.problem, self.theta, self.tolerance, self.inverse = problem, theta.clone(), tolerance, inverse
        self.objective = theta.new_full((len(theta),), torch.inf)
        self.gap = torch.full_like(self.objective, torch.inf)
        self.iterations = torch.zeros(len(theta), dtype=torch.int64, device=theta.device)
        self.direction = torch.zeros_like(theta)
        self.slope = torch.zeros_like(self.objective)
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
        gap = optimality_gap(self.problem.only(heads), trial, point)[taken]
        heads, objective = heads[taken], point.objective[taken]
        better = (self.objective[heads] - objective > _ROUNDING * objective) | (gap < 0.5 * self.gap[heads])
        self.idle[heads] = torch.where(better, 0, self.idle[heads] + 1)
        self.theta[heads] = trial[taken]
        self.objective[heads] = objective
        self.gap[heads] = gap
        self.iterations[heads] += 1

    def _aim(self, heads: Tensor, point: Evaluation, chosen: Tensor) -> None:
        if len(chosen) == 0:
            return
        heads, point = heads[chosen], point.only(chosen) if len(chosen) < len(heads) else point
        forcing = _forcing(self.gap[heads], self.tolerance[heads])
        problem = self.problem.only(heads)
        self.inverse.refresh(problem, point)
        direction = newton_direction(problem, point, forcing, self.inverse)
        self.direction[heads] = problem.features.to_original(direction)
        self.slope[heads] = (direction * point.gradient).sum((1, 2))
        self.step[heads] = 1


def _forcing(gap: Tensor, tolerance: Tensor) -> Tensor:
    """How far to solve each Newton system: loosely far away, and no further than convergence needs.

    The gap falls with the square of the gradient, and the gradient to what the system leaves of it.
    """
    needed = (0.5 * (tolerance / gap).sqrt()).clamp(_TIGHT, _NEAR)
    return torch.where(gap > 1, _FAR, needed)


def minimise(
    problem: SoftmaxProblem, theta: Tensor, tolerance: Tensor, max_iterations: int, inverse: Preconditioner
) -> Solution:
    """Newton steps from theta (h, classes, d + 1) until each ``gap`` is at most ``tolerance`` (h,).

    A head stops early, its gap above the tolerance, after ``max_iterations`` evaluations or when
    no step along its direction lowers its objective any more.
    """
    descent = _Descent(problem, theta, tolerance, inverse)
    for _ in range(max_iterations):
        if len(descent.heads) == 0:
            break
        descent.advance()
    return Solution(descent.theta, descent.objective, descent.gap, descent.iterations)


def newton_direction(problem: SoftmaxProblem, point: Evaluation, forcing: Tensor, inverse: Preconditioner) -> Tensor:
    """Preconditioned conjugate gradients on  Hessian d = -gradient, one system per head.

    A system stops when the preconditioned norm of its residual has shrunk by ``forcing`` (h,).
    Directions are kept summing to zero over classes: the loss does not change along the others.
    """
    residual = -point.gradient
    solution = torch.zeros_like(residual)
    present = problem.presence
    search = _centre(inverse(residual, point.diagonal), present)
    size = (residual * search).sum((1, 2))
    enough = forcing.square() * size
    live = torch.arange(len(size), device=size.device)
    inverse.products = 0
    while len(live) and inverse.products < _PRODUCTS:
        inverse.products += 1
        ahead = search[live]
        bent = problem.curve(point, ahead, live)
        length = (size[live] / (ahead * bent).sum((1, 2)))[:, None, None]
        solution[live] += length * ahead
        residual[live] -= length * bent
        scaled = _centre(inverse(residual[live], point.diagonal[live]), present[live])
        shrunk = (residual[live] * scaled).sum((1, 2))
        search[live] = scaled + (shrunk / size[live])[:, None, None] * ahead
        size[live] = shrunk
        live = live[shrunk > enough[live]]
    return solution


def _centre(direction: Tensor, present: Tensor) -> Tensor:
    """Remove the mean over the ``present`` (h, classes) classes and zero the others."""
    kept = present[..., None].to(direction.dtype)
    direction = direction * kept
    return (direction - direction.sum(1, keepdim=True) / kept.sum(1, keepdim=True)) * kept
