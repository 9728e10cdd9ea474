"""The losses of linear heads: what each makes of the logits of a block of rows.

``Softmax`` is the cross-entropy of a multinomial model. ``SquaredHinge`` sets each class against the rest:
sum over classes of max(0, 1 - t z)^2, t = 1 for the class of the row and -1 for the others (Fan et al. 2008,
"LIBLINEAR"; its Newton steps: Keerthi & DeCoste 2005, "A modified finite Newton method for fast solution of
large scale linear SVMs", JMLR 6). ``Sigmoid`` and ``BinaryHinge`` are for heads of one output, a label that a row has
(1) or hasn't (-1): log(1 + exp(-t z)), and the squared hinge loss of that output.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import torch
from torch import Tensor


class LossBlock(NamedTuple):
    """What h heads make of b rows, all times the row weights.

    Attributes:
        loss: (h, classes) float64, summed over the rows; or (h, 1), of losses that are not ``classwise``.
        residual: (h, classes, b), its first derivatives by the logits.
        variance: (h, classes, b), its second derivatives, each by one logit twice.
        loss_cache: (h, classes, b), what :meth:`Loss.hessian_logits` needs of this point.
    """

    loss: Tensor
    residual: Tensor
    variance: Tensor
    loss_cache: Tensor


class Loss(Protocol):
    """A convex loss of logits, one for each class.

    ``classwise``: each class has a loss of its own logits alone. ``smooth``: its second derivatives are continuous, so
    that what they say of a point holds around it.
    """

    probabilistic: bool
    classwise: bool
    smooth: bool

    def penalty(self, classes: int, /) -> float:
        """How often 1/2 ||W||^2 counts, W having a row for each class."""

    def block(self, logits: Tensor, labels: Tensor, w: Tensor, /) -> LossBlock:
        """From logits (h, classes, b), which are overwritten, labels (b,) or (h, b) and row weights (h, b)."""

    def hessian_logits(self, v: Tensor, loss_cache: Tensor, labels: Tensor, w: Tensor, /) -> Tensor:
        """Hessian in the logits times changes v (h, classes, b) of them, which are overwritten."""

    def variance(self, loss_cache: Tensor, labels: Tensor, w: Tensor, /) -> Tensor:
        """The ``variance`` (classes, n) of one head again, from its ``loss_cache`` and row weights (n,)."""

    def project(self, direction: Tensor, present: Tensor, /) -> Tensor:
        """The part of directions (h, classes, m) that changes the loss of the ``present`` (h, classes) classes."""


class Softmax:
    """Cross-entropy. Derivatives are exact where rows saturate; ``loss_cache`` are the probabilities."""

    probabilistic = True
    classwise = False
    smooth = True

    def penalty(self, classes: int) -> float:
        """Twice with two classes: there scikit-learn has one vector u, and W = (-u/2, u/2)."""
        return 2.0 if classes == 2 else 1.0

    def block(self, logits: Tensor, labels: Tensor, w: Tensor) -> LossBlock:
        """1 - p of the label is summed from the other classes, so it keeps its digits when p is near 1."""
        index = _index(labels, logits)
        logits -= logits.gather(1, index)
        top = logits.amax(1, keepdim=True)
        p = logits.sub_(top).exp_().scatter_(1, index, 0)
        others, label = p.sum(1, keepdim=True), torch.exp(-top)
        total = others + label
        loss = (top + torch.log1p(others + torch.expm1(-top))).squeeze(1)
        p /= total
        others, label = others / total, label / total
        loss = (loss * w).sum(1, keepdim=True)
        w = w[:, None]
        variance = torch.addcmul(p, p, p, value=-1).scatter_(1, index, label * others).mul_(w)
        p *= w
        residual = p.scatter(1, index, -others * w)
        return LossBlock(loss, residual, variance, p.scatter_(1, index, label * w))

    def hessian_logits(self, v: Tensor, loss_cache: Tensor, labels: Tensor, w: Tensor) -> Tensor:
        """diag(p) v - p p.v, with v less that of the label, for the digits."""
        v -= v.gather(1, _index(labels, v))
        v -= (loss_cache * v).sum(1, keepdim=True).div_(torch.where(w > 0, w, 1).to(v.dtype)[:, None])
        return v.mul_(loss_cache)

    def variance(self, loss_cache: Tensor, labels: Tensor, w: Tensor) -> Tensor:
        """p (1 - p)."""
        label = labels[None]
        others = loss_cache.scatter(0, label, 0).sum(0, keepdim=True)
        share = loss_cache / torch.where(w > 0, w, 1).to(loss_cache.dtype)
        return (loss_cache * (1 - share)).scatter_(0, label, others * share.gather(0, label)).clamp_(min=0)

    def project(self, direction: Tensor, present: Tensor) -> Tensor:
        """Less the mean over the classes, along which the loss does not change."""
        kept = present[..., None].to(direction.dtype)
        direction = direction * kept
        return (direction - direction.sum(1, keepdim=True) / kept.sum(1, keepdim=True)) * kept


class SquaredHinge:
    """One class against the rest. ``loss_cache`` is 2 where a row is short of its margin, and 0 elsewhere."""

    probabilistic = False
    classwise = True
    smooth = False

    def penalty(self, *_: int) -> float:
        """Once, for any number of classes."""
        return 1.0

    def block(self, logits: Tensor, labels: Tensor, w: Tensor) -> LossBlock:
        """The second derivative at the margin itself, where there is none, is 0."""
        sides = self.sides(labels, logits)
        short = logits.mul_(-sides).add_(1).clamp_(min=0)
        w = w[:, None]
        curvature = 2 * w * (short > 0)
        loss = (short.square() * w).sum(2)
        return LossBlock(loss, short.mul_(-2 * w * sides), curvature, curvature)

    def sides(self, labels: Tensor, like: Tensor) -> Tensor:
        """(classes, b): 1 for the class of the row, -1 for the others."""
        return torch.full_like(like[0], -1).scatter_(0, labels[None], 1)

    def hessian_logits(self, v: Tensor, loss_cache: Tensor, *_: Tensor) -> Tensor:
        """Each class by itself."""
        return v.mul_(loss_cache)

    def variance(self, loss_cache: Tensor, *_: Tensor) -> Tensor:
        """What was loss_cache."""
        return loss_cache

    def project(self, direction: Tensor, present: Tensor) -> Tensor:
        """All of it."""
        return direction * present[..., None]


class BinaryHinge(SquaredHinge):
    """The squared hinge loss of one output."""

    def sides(self, labels: Tensor, like: Tensor) -> Tensor:
        """(h, 1, b), as they are given."""
        return labels[:, None].to(like.dtype)

    def constant(self, share: float) -> float:
        """The output where a share of 0 or 1 of the rows have the label; NaN, without rows, makes it 0."""
        return 0.0 if math.isnan(share) else 2 * share - 1


class Sigmoid:
    """Cross-entropy of one output. ``loss_cache`` are the second derivatives."""

    probabilistic = True
    classwise = False
    smooth = True

    def penalty(self, *_: int) -> float:
        """Once."""
        return 1.0

    def constant(self, share: float) -> float:
        """The output where a share of 0 or 1 of the rows have the label; NaN, without rows, makes it 0."""
        return 0.0 if math.isnan(share) else math.copysign(math.inf, share - 0.5)

    def block(self, logits: Tensor, labels: Tensor, w: Tensor) -> LossBlock:
        """sigmoid(-t z) is formed by itself, so it keeps its digits where it is small."""
        sides, w = labels[:, None].to(logits.dtype), w[:, None]
        short = logits.mul_(-sides)
        loss = (torch.nn.functional.softplus(short, threshold=40) * w).sum(2)
        wrong = torch.sigmoid(short)
        residual = -sides * w * wrong
        variance = wrong.mul_(torch.sigmoid(-short)).mul_(w)
        return LossBlock(loss, residual, variance, variance)

    def hessian_logits(self, v: Tensor, loss_cache: Tensor, *_: Tensor) -> Tensor:
        """Each row by itself."""
        return v.mul_(loss_cache)

    def variance(self, loss_cache: Tensor, *_: Tensor) -> Tensor:
        """What was loss_cache."""
        return loss_cache

    def project(self, direction: Tensor, *_: Tensor) -> Tensor:
        """All of it."""
        return direction


def _index(labels: Tensor, like: Tensor) -> Tensor:
    """Labels (b,) as an index of the classes of ``like`` (h, classes, b)."""
    return labels.expand(len(like), 1, -1)
