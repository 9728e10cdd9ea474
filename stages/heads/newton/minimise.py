"""Many linear heads minimised together by truncated Newton.

Dembo, Eisenstat & Steihaug, "Inexact Newton methods" (SIAM J. Numer. Anal. 19, 1982); for
logistic regression Lin, Weng & Keerthi, "Trust region Newton method for large-scale logistic
regression" (JMLR 9, 2008).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import threshold

from frostline.stages.heads.newton.direct import best_steps, direct_direction
from frostline.stages.heads.newton.preconditioner import DirectionTrace, Inverse, Preconditioner
from frostline.stages.heads.newton.problem import Derivatives, Problem
from frostline.stages.heads.newton.rotated_rows import RotatedRows, StreamedRows

PRODUCTS = 500  # Hessian products one direction may cost
# By whether the loss is smooth. Where it is not, the quadratic model is exact once the rows within their margins are
# the right ones, and it pays to solve it well.
_LATE = {True: 5, False: 15}  # products at the end of a system, at least, by which it is judged
_ENOUGH = {True: 0.15, False: 0.02}  # of a system's decrement: what these may still add to it
_ROUNDING = 1e-13  # relative change of an objective that is noise
_PATIENCE = 5  # steps in a row that neither lower the objective nor halve the gap
_SHORTEST = 1e-6  # step below which a head has stalled
_RADIUS = 10.0  # how far the logits of rows may go in a first step, root mean square
_WIDER = 4.0  # factor of that after a whole step that went so far and was good
_TOWARDS = 0.1  # share of the way to the first point, below which a head starts from where it is
_FINE = 1e-3  # gap below which float32 sums are not enough, and decrement that they may not show
_NEGLIGIBLE = 0.05  # of a tolerance that is not fine: a decrement that is worth no more products
_NEAR = 0.1  # gap below which steps should be quick: products may be too rough
_SLOW = 0.3  # where a step leaves more of the gap than this,
_COSTLY = 30  # though its direction took more products than this
_LONG = 20  # evaluations in a precision that is not the last one
_SLACK = 1e-4  # relative: how far a sum in float32 may lie below the same one in float64


@dataclass(frozen=True)
class Solution:
    """h minimised heads: theta (h, classes, d + 1) float64, bias last, and, per head (h,), how it went.

    ``gap`` is (objective - optimum) / objective as it is known: bounded by :func:`optimality_gap`, or, after a whole
    Newton step for a smooth loss, estimated as twice the Newton decrement, if that is less. ``gradient`` is its norm,
    for centred rows.
    """

    theta: Tensor
    objective: Tensor
    gap: Tensor
    gradient: Tensor
    iterations: Tensor


def optimality_gap(problem: Problem, theta: Tensor, point: Derivatives) -> Tensor:
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


@dataclass(frozen=True)
class Start:
    """Where h heads start.

    Attributes:
        theta: (h, classes, d + 1) float64, where they hope to start.
        known: the same, where they can fall back to.
        objective: (h,) float64, of ``known``; infinite where that is not known, and ``theta`` is taken as it is.
    """

    theta: Tensor
    known: Tensor
    objective: Tensor


class _Descent:
    """Newton steps with backtracking for h heads in step; heads leave when they converge or stall.

    All heads have one precision, and the next one where one head needs it: the last bits of a head depend on those
    solved with it. Classes that share nothing (``parts``, see :class:`Derivatives`) have steps of their own lengths.
    """

    def __init__(
        self,
        problem: Problem,
        start: Start,
        tolerance: Tensor,
        products: int,
        inverse: Preconditioner,
        precisions: Sequence[RotatedRows | StreamedRows],
    ) -> None:
        self.problem, self.precisions = replace(problem, features=precisions[0]), list(precisions[1:])
        self.theta, self.tolerance, self.inverse = start.known.clone(), tolerance, inverse
        self.products, theta = products, self.theta
        self.parts = theta.new_full((len(theta), theta.shape[1] if problem.loss.classwise else 1), torch.inf)
        if not problem.loss.classwise:
            self.parts[:, 0] = start.objective
        self.objective = torch.full_like(start.objective, torch.inf)
        self.gap = torch.full_like(self.objective, torch.inf)
        self.bound, self.gradient = self.gap.clone(), self.gap.clone()
        self.iterations = torch.zeros(len(theta), dtype=torch.int64, device=theta.device)
        self.direction = start.theta - start.known
        self.slope = torch.zeros_like(self.parts)
        self.decrement = torch.full_like(self.objective, torch.inf)
        self.step = torch.ones_like(self.parts)
        self.radius = torch.full_like(self.objective, _RADIUS if problem.loss.smooth else torch.inf)
        self.idle = torch.zeros_like(self.iterations)
        self.rough_sums = torch.zeros_like(self.iterations, dtype=torch.bool)  # whether the last ones were
        self.heads = torch.arange(len(theta), device=theta.device)
        self.evaluations = 0  # in this precision

    def advance(self) -> None:
        """Try each head's step; give the heads that took theirs a new direction."""
        heads = self.heads
        trial = self.theta[heads] + self.step[heads][..., None] * self.direction[heads]
        point = self.problem.only(heads).evaluate(trial)
        target = self.parts[heads] + 1e-4 * self.step[heads] * self.slope[heads]
        lower = point.parts <= target + _ROUNDING * point.objective[:, None]
        taken, before = lower.all(1), self.gap[heads]
        self._take(heads, trial, point, taken)
        self._shorten(heads, lower)
        going = (self.gap[heads] > self.tolerance[heads]) | (self.rough_sums[heads] & (self.tolerance[heads] < _FINE))
        stalled = ~self.step[heads].any(1) | (self.idle[heads] >= _PATIENCE)
        if self._sharpen(heads, before, going & stalled):
            self._fall_back(heads[going & ~taken & (stalled | (self.iterations[heads] > 0))])
            self.idle[heads[stalled]] = 0
        else:
            going &= ~stalled
        self._aim(heads, point, (taken & going).nonzero().flatten())
        self.heads = heads[going]

    def settle(self) -> None:
        """Let heads be where they are that took no step yet, or whose sums are not as exact as they might be."""
        if self._sums_are_rough:
            self.problem = replace(self.problem, features=self.precisions[-1])
        heads = ((self.iterations == 0) | self.rough_sums).nonzero().flatten()
        if len(heads):
            theta, steps = self.theta[heads], self.iterations[heads]
            self._take(heads, theta, self.problem.only(heads).evaluate(theta), torch.ones_like(heads, dtype=torch.bool))
            self.iterations[heads] = steps.clamp(min=1)

    @property
    def _sums_are_rough(self) -> bool:
        """Whether sums over rows are less exact than those of the last precision."""
        return bool(self.precisions) and self.precisions[-1].exact != self.problem.features.exact

    def _sharpen(self, heads: Tensor, before: Tensor, stalled: Tensor) -> bool:
        """Take the next precision where this one is not enough for one of the heads; return whether it was taken.

        That is where a head has ``stalled``, is too near to its optimum, or comes nearer too slowly: ``before`` are the
        gaps before the last step.
        """
        self.evaluations += 1
        gap = self.gap[heads]
        slow = (gap > _SLOW * before) & (before < _NEAR) & (self.inverse.products > _COSTLY)
        unclear = (gap <= _FINE) | ((self.step[heads] < 1).any(1) & (self.decrement[heads] < _FINE))
        wanted = stalled | slow | (self._sums_are_rough & unclear)
        if not self.precisions or not (self.evaluations >= _LONG or bool(wanted.any())):
            return False
        if self._sums_are_rough:
            self.parts[heads] += _SLACK * self.parts[heads].abs()
        self.problem, self.evaluations = replace(self.problem, features=self.precisions.pop(0)), 0
        return True

    def _shorten(self, heads: Tensor, lower: Tensor) -> None:
        """Shorten the steps of classes that did not come lower; to 0 where nothing lower is found."""
        step = self.step[heads]
        if self.problem.loss.classwise:
            for place in (~lower).any(1).nonzero().flatten().tolist():
                step[place] = self._best(heads[place], ~lower[place])
        else:
            step = threshold(torch.where(lower, step, 0.25 * step), _SHORTEST, 0.0)
        self.step[heads] = step
        self._fall_back(heads[(self.iterations[heads] == 0) & (step < _TOWARDS).any(1)])

    def _fall_back(self, heads: Tensor) -> None:
        """Let heads start from where they are."""
        self.direction[heads], self.step[heads], self.parts[heads] = 0.0, 1.0, torch.inf

    def _best(self, head: Tensor, failed: Tensor) -> Tensor:
        """The steps of one head: the best of classes that ``failed`` (classes,) once, 0 for those that did again."""
        labels = (failed & (self.slope[head] < 0)).nonzero().flatten()
        step = self.step[head].masked_fill(failed, 0.0)
        if len(labels):
            theta, direction = self.theta[head][labels], self.direction[head][labels]
            step[labels] = best_steps(self.problem.only(head[None]), theta, direction, labels)
            self.slope[head, labels] = 0  # whatever is lower will do
        return step

    def _take(self, heads: Tensor, trial: Tensor, point: Derivatives, taken: Tensor) -> None:
        bound = optimality_gap(self.problem.only(heads), trial, point)[taken]
        gap = torch.minimum(bound, self._estimate(heads, point)[taken]) if self.problem.loss.smooth else bound
        heads, objective = heads[taken], point.objective[taken]
        better = (self.objective[heads] - objective > _ROUNDING * objective) | (bound < 0.5 * self.bound[heads])
        self.idle[heads] = torch.where(better, 0, self.idle[heads] + 1)
        self.theta[heads] = trial[taken]
        self.objective[heads], self.parts[heads] = objective, point.parts[taken]
        self.bound[heads], self.gap[heads] = bound, gap
        self.gradient[heads] = point.gradient[taken].square().sum((1, 2)).sqrt()
        self.iterations[heads] += 1
        self.rough_sums[heads] = self._sums_are_rough
        whole = (self.step[heads] == 1).all(1)
        far = whole & self.decrement[heads].isinf() & (self.iterations[heads] > 1)
        self.radius[heads] = torch.where(far, _WIDER * self.radius[heads], self.radius[heads])

    def _estimate(self, heads: Tensor, point: Derivatives) -> Tensor:
        """(objective - optimum) / objective after a whole step, as twice the Newton decrement makes it; else infinite.

        Boyd & Vandenberghe, equation 9.30. Two decrements are at hand, and the larger counts: that of the last
        step, and what the approximate inverse makes of the gradient now.
        """
        inverse = self.inverse.at(self.problem.only(heads), point, heads)
        promised = _dot(inverse(point.gradient), point.gradient) / point.objective
        return torch.maximum(2 * self.decrement[heads], promised).masked_fill((self.step[heads] < 1).any(1), torch.inf)

    def _negligible(self, heads: Tensor, point: Derivatives) -> Tensor:
        """Decrements that are worth no more products: none where the gap is to be known closely."""
        rough = self.problem.loss.smooth & (self.tolerance[heads] >= _FINE)
        return _NEGLIGIBLE * rough * self.tolerance[heads] * point.objective

    def _aim(self, heads: Tensor, point: Derivatives, chosen: Tensor) -> None:
        if len(chosen) == 0:
            return
        heads, point = heads[chosen], point.only(chosen) if len(chosen) < len(heads) else point
        problem = self.problem.only(heads)
        direction = direct_direction(problem, point, self.inverse.products)
        if direction is None:
            self.inverse.refresh(problem, point)
            limits = self.radius[heads], self.products, self._negligible(heads, point)
            direction, decrement = newton_direction(problem, point, self.inverse, heads, *limits)
        else:
            decrement = -0.5 * _dot(direction, point.gradient)
        self.decrement[heads] = decrement / point.objective
        self.direction[heads] = problem.features.to_original(direction)
        self.slope[heads] = problem.by_part(direction * point.gradient).clamp(max=0)
        self.step[heads] = 1


def minimise(
    problem: Problem,
    start: Start,
    tolerance: Tensor,
    max_iterations: int,
    products: int,
    inverse: Preconditioner,
    precisions: Sequence[RotatedRows | StreamedRows] = (),
) -> Solution:
    """Newton steps until each ``gap`` is at most ``tolerance`` (h,).

    ``precisions``: the problem's features in rising precision, each used until it is not enough; by default as they
    are.

    A head stops early, its gap above the tolerance, after ``max_iterations`` evaluations or when
    no step along its direction lowers its objective any more. If it took no step at all, it is where it fell back to,
    which is one evaluation more. A direction costs ``products`` Hessian products at most.
    """
    inverse.begin(problem)
    descent = _Descent(problem, start, tolerance, products, inverse, precisions or (problem.features,))
    for _ in range(max_iterations):
        if len(descent.heads) == 0:
            break
        descent.advance()
    descent.settle()
    return Solution(descent.theta, descent.objective, descent.gap, descent.gradient, descent.iterations)


def newton_direction(
    problem: Problem,
    point: Derivatives,
    inverse: Preconditioner,
    heads: Tensor,
    radius: Tensor | float = torch.inf,
    products: int = PRODUCTS,
    negligible: Tensor | float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Solve  Hessian d = -gradient  roughly for some heads (l indices), whose problem and point these are.

    Returns the directions (l, classes, r + 1), which :meth:`Problem.project` leaves as they are, and their decrements
    (l,): how much the quadratic model falls along each; infinite where the direction ends at the ``radius`` (l,), the
    root mean square by which the logits of a class may change. Beyond it the model says nothing: rows that are far on
    the wrong side have a gradient and no curvature (Steihaug, "The conjugate gradient method and trust regions in large
    scale optimization", SIAM J. Numer. Anal. 20, 1983). Where the last products added less than ``negligible`` (l,) to
    the decrement of a smooth loss, that is enough; so much more may be left to gain, and is part of the decrement.
    """
    trace = DirectionTrace(len(heads), inverse.max_pairs)
    systems = _ConjugateGradients(problem, point, inverse.at(problem, point, heads), trace, radius, negligible)
    inverse.products = 0
    while len(systems.live) and inverse.products < products:
        inverse.products += 1
        systems.advance()
    inverse.learn(systems.trace, heads)
    return systems.solution, systems.decrement[-1] + negligible


class _ConjugateGradients:
    """Preconditioned conjugate gradients for l heads in step; heads leave when theirs is solved well enough.

    What the last products added to the decrement tells what is left to gain: Strakos & Tichy, "On error estimation
    in the conjugate gradient method and why it works in finite precision computations" (ETNA 13, 2002). Here the
    last half of them must have added little.
    """

    def __init__(
        self,
        problem: Problem,
        point: Derivatives,
        inverse: Inverse,
        trace: DirectionTrace,
        radius: Tensor | float,
        negligible: Tensor | float,
    ) -> None:
        self.problem, self.point, self.trace = problem, point, trace
        self._radius, self._negligible = (
            torch.as_tensor(limit, dtype=torch.float64).to(point.objective.device).expand(len(point.objective))
            for limit in (radius, negligible)
        )
        self.solution = torch.zeros_like(point.gradient)
        self.live = torch.arange(len(self.solution), device=self.solution.device)
        self._inverse, self._residual = inverse, -point.gradient
        self._search = inverse(self._residual)
        self._size = _dot(self._residual, self._search)
        self._noise = _ROUNDING * self._size
        self.decrement = [torch.zeros_like(self._size)]  # after each product

    def advance(self) -> None:
        """One product for every head that is live."""
        product = self.problem.hvp(self.point, self._search, self.live)
        curvature = _dot(self._search, product)
        sound = (curvature > 0) & curvature.isfinite()  # rounding may hide how little it is
        product, curvature = product[sound], curvature[sound]
        self._keep(sound)
        self.trace.add(self._search, product, self.live)
        length = (self._size / curvature)[:, None, None]
        self.solution[self.live] += length * self._search
        self.decrement.append(self.decrement[-1].index_add(0, self.live, 0.5 * self._size.square() / curvature))
        inside = self._within_radius()
        self._residual = self._residual - length * product
        scaled = self._inverse(self._residual)
        shrunk = _dot(self._residual, scaled)
        self._search = scaled + (shrunk / self._size)[:, None, None] * self._search
        self._size = shrunk
        self._keep(self._gaining() & (shrunk > self._noise) & inside)

    def _within_radius(self) -> Tensor:
        """Return which live heads (k,) are within their radius; bring the others back to it."""
        variances, radius = self.problem.features.variances, self._radius[self.live]
        change = (self.solution[self.live].square() @ variances).amax(1).sqrt()
        inside = change <= radius
        self.solution[self.live] *= torch.where(inside, 1.0, radius / change)[:, None, None]
        self.decrement[-1][self.live] = self.decrement[-1][self.live].masked_fill(~inside, torch.inf)
        return inside

    def _gaining(self) -> Tensor:
        products, smooth = len(self.decrement) - 1, self.problem.loss.smooth
        now, before = self.decrement[-1], self.decrement[max(0, products - max(_LATE[smooth], products // 2))]
        enough = _ENOUGH[smooth] * now
        enough = torch.maximum(enough, self._negligible) if products >= _LATE[smooth] else enough
        return (now - before > enough)[self.live]

    def _keep(self, heads: Tensor) -> None:
        """Go on with the live heads where ``heads`` is true."""
        if heads.all():
            return
        self.live, self._size, self._noise = self.live[heads], self._size[heads], self._noise[heads]
        self._residual, self._search = self._residual[heads], self._search[heads]
        self._inverse = self._inverse.only(heads)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum((1, 2))
