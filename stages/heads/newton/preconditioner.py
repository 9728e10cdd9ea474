"""Approximate inverses of the Hessians of linear heads, which learn from every system that they help to solve.

Morales & Nocedal, "Automatic preconditioning by limited memory quasi-Newton updating" (SIAM J. Optim. 10,
2000): what a Hessian made of the directions of the last systems is built into the inverse for the next one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from frostline.stages.heads.newton.problem import Derivatives, Problem
from frostline.stages.heads.newton.rotated_rows import StreamedRows

_PAIRS = 60  # directions remembered of each head, at most
_ROWS = 300  # for each of these: with fewer rows a product costs less than what it would save
_COPIES = 6  # of the pairs, at once: while a system is solved, and while it is learned from
_RIDGES = (1e-7, 1e-5, 1e-3, 0.1)  # added to correlations until they are definite: rounding, duplicate columns


@dataclass(frozen=True)
class Pairs:
    """Directions of h heads and their products with a Hessian, the oldest first.

    Attributes:
        s, y: (h, m, classes * (r + 1)), scaled so that s . y = 1; or zero, where a head has fewer than m.
        cross: (h, m, m), upper triangular: s_i . y_j, and 1 on the diagonal.
    """

    s: Tensor
    y: Tensor
    cross: Tensor

    @classmethod
    def of(cls, s: Tensor, y: Tensor) -> Pairs:
        """Return the pairs of scaled s and y."""
        cross = (s @ y.mT).triu(1)
        cross.diagonal(dim1=1, dim2=2).fill_(1)
        return cls(s, y, cross)

    def only(self, heads: Tensor) -> Pairs:
        """The pairs of some heads (indices, or which)."""
        return Pairs(self.s[heads], self.y[heads], self.cross[heads])


class DirectionTrace:
    """The directions of one system of conjugate gradients for l heads, thinned out evenly to at most ``max_pairs``."""

    def __init__(self, heads: int, max_pairs: int) -> None:
        self.heads, self.max_pairs = heads, max_pairs
        self._every, self._seen = 1, 0
        self._kept: list[tuple[Tensor, Tensor, Tensor]] = []

    def add(self, direction: Tensor, product: Tensor, live: Tensor) -> None:
        """Add a direction and its product (k, classes, r + 1) of the heads that are ``live`` (k indices)."""
        if self._seen % self._every == 0:
            self._kept.append((direction, product, live))
        self._seen += 1
        if len(self._kept) > self.max_pairs:
            del self._kept[1::2]
            self._every *= 2

    def scaled(self) -> tuple[Tensor, Tensor]:
        """Return s and y (l, kept, classes * (r + 1)), s . y = 1, zero where a head was not live any more."""
        first = self._kept[0][0]
        s, y = first.new_zeros((2, self.heads, len(self._kept), first.shape[1:].numel()))
        for place, (direction, product, live) in enumerate(self._kept):
            scale = (direction * product).sum((1, 2)).rsqrt()[:, None]
            s[live, place] = direction.flatten(1) * scale
            y[live, place] = product.flatten(1) * scale
        return s, y


@dataclass(frozen=True)
class Inverse:
    """The approximate inverses of l heads at a point; see :class:`Preconditioner`."""

    problem: Problem
    scale: Tensor
    factor: Tensor | None
    pairs: Pairs

    def only(self, heads: Tensor) -> Inverse:
        """Those of some heads (indices, or which)."""
        return Inverse(self.problem.only(heads), self.scale[heads], self.factor, self.pairs.only(heads))

    def __call__(self, residual: Tensor) -> Tensor:
        """The inverses times residuals (l, classes, r + 1), both such that :meth:`Problem.project` changes nothing.

        The compact form of the two loops of L-BFGS: Nocedal & Wright, "Numerical Optimization" (2006),
        algorithm 7.4, each loop solved as a triangular system.
        """
        pairs = self.pairs
        flat = residual.flatten(1)[..., None]
        back = torch.linalg.solve_triangular(pairs.cross, pairs.s @ flat, upper=True)
        first = self._first((flat - pairs.y.mT @ back).view_as(residual)).flatten(1)[..., None]
        ahead: Tensor = torch.linalg.solve_triangular(pairs.cross.mT, back - pairs.y @ first, upper=False)
        return (first + pairs.s.mT @ ahead).view_as(residual)

    def _first(self, residual: Tensor) -> Tensor:
        scaled = residual * self.scale
        if self.factor is not None:
            across = scaled.transpose(0, 1).to(self.factor.dtype)
            across = (across @ self.factor.mT) @ self.factor
            scaled = across.transpose(0, 1).to(residual.dtype)
        return self.problem.project(scaled * self.scale)


class Preconditioner:
    """Approximate inverses of the Hessians of heads that are alike.

    They start block diagonal over classes: each head's own diagonal, and correlations shared by all heads, which
    are zero before the first :meth:`refresh`. Rows that are far from a class's boundary hardly enter its block, so
    2 (r + 1) rows nearest to it are enough. The pairs remembered of each head then correct that: on the last
    of them the inverse is exact as long as the Hessian stays as it was.
    """

    def __init__(self, limit: int) -> None:
        """``limit``: bytes that the correlations may take, beyond which they stay zero, and that the pairs may."""
        self.limit = limit
        self.products = 0  # of the last system
        self._factor: Tensor | None = None
        self._pairs = Pairs.of(*torch.zeros((2, 0, 0, 0), dtype=torch.float64))

    def begin(self, problem: Problem) -> None:
        """Make room for the pairs of a problem's heads: each takes over those of the last head of its task."""
        heads, size = len(problem.task), problem.present.shape[1] * problem.features.width
        max_pairs = min(_PAIRS, problem.n // _ROWS, self.limit // (_COPIES * 2 * heads * size * 8))
        old = self._pairs
        self._pairs = Pairs.of(*problem.penalty.new_zeros((2, heads, max_pairs, size)))
        if len(old.s):
            last, newest = problem.task + len(old.s) - len(problem.present), max(0, old.s.shape[1] - max_pairs)
            self._add(old.s[:, newest:][last], old.y[:, newest:][last], torch.arange(heads, device=last.device))

    @property
    def max_pairs(self) -> int:
        """How many pairs of a head are remembered."""
        return self._pairs.s.shape[1]

    def at(self, problem: Problem, point: Derivatives, heads: Tensor) -> Inverse:
        """Return the inverses for some heads (l indices), whose problem and point these are."""
        return Inverse(problem, point.diagonal.rsqrt(), self._factor, self._pairs.only(heads))

    def learn(self, trace: DirectionTrace, heads: Tensor) -> None:
        """Remember the directions of a system for some heads (l indices)."""
        self._add(*trace.scaled(), heads)

    def _add(self, s: Tensor, y: Tensor, heads: Tensor) -> None:
        """Put pairs (l, k, classes * (r + 1)) behind those of some heads (l indices), whose oldest are forgotten."""
        old = self._pairs
        real = torch.cat((old.s[heads].any(2), s.any(2)), 1)
        kept = real.int().argsort(dim=1, stable=True)[:, s.shape[1] :]  # what is zero is forgotten first
        each = torch.arange(len(heads), device=kept.device)[:, None]
        new = Pairs.of(*(torch.cat((a[heads], b), 1)[each, kept] for a, b in ((old.s, s), (old.y, y))))
        old.s[heads], old.y[heads], old.cross[heads] = new.s, new.y, new.cross

    def refresh(self, problem: Problem, point: Derivatives) -> None:
        """Take the correlations of the middle head, where the last system cost more than they do."""
        heads, classes, width = point.gradient.shape
        if isinstance(problem.features, StreamedRows):  # whose nearest rows are anywhere in a file
            return
        rows = problem.features.rows
        nearest = min(2 * width, len(rows))
        worth = 10 + width * (nearest + width) / (4 * len(rows) * heads)
        if self.products < worth or classes * width**2 * problem.features.dtype.itemsize > self.limit:
            return
        variance, diagonal = problem.variance(point, heads // 2), point.diagonal[heads // 2]
        self._factor = rows.new_empty((classes, width, width), dtype=problem.features.dtype)
        for label in range(classes):
            weights, chosen = variance[label].topk(nearest)
            self._factor[label] = _inverse_factor(rows[chosen].to(weights.dtype), weights, diagonal[label])


def _inverse_factor(rows: Tensor, weights: Tensor, diagonal: Tensor) -> Tensor:
    """L^-1 where L L^T is the correlation matrix of sum_i weights_i x_i x_i^T with this diagonal."""
    matrix = (rows.T @ (rows * weights[:, None])).double()
    scale = torch.maximum(diagonal, matrix.diagonal()).rsqrt()
    matrix *= scale[:, None] * scale
    for ridge in _RIDGES:
        matrix.diagonal().fill_(1 + ridge)
        lower, failed = torch.linalg.cholesky_ex(matrix)
        if not failed:
            break
    factor: Tensor = torch.linalg.solve_triangular(lower, torch.eye(len(lower), out=matrix), upper=False)
    return factor
