"""The loss of many softmax heads on the same rows.

Coordinates are those of :mod:`stages.heads.rotated`, in which the Hessian is close to diagonal: that
keeps the conjugate gradients of :mod:`stages.heads.newton` short. Gradients are float64 on the
features as given; Hessian products only choose directions and run in the features' ``dtype``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import threshold

from stages.heads.rotated import BLOCK, RotatedFeatures, StreamedFeatures

_NEVER = -1e30  # the bias of a class without weight: its probability is 0, and nothing is NaN
_LEAST = 1e-25  # smaller probabilities are 0: denormal numbers are several times slower to multiply


@dataclass(frozen=True)
class Evaluation:
    """Value and derivatives of h heads at one point.

    Attributes:
        objective: (h,) float64.
        gradient: (h, classes, r + 1) float64.
        diagonal: (h, classes, r + 1) float64, of the Hessian; positive.
        probability: (h, classes, n) times the row weights, in the dtype of the rotated copy.
    """

    objective: Tensor
    gradient: Tensor
    diagonal: Tensor
    probability: Tensor

    def only(self, heads: Tensor) -> Evaluation:
        """The evaluation of some heads (indices)."""
        return Evaluation(*(getattr(self, field.name)[heads] for field in fields(Evaluation)))


@dataclass(frozen=True)
class SoftmaxProblem:
    """h heads of t tasks, each minimising  sum_i w_i CE_i + penalty / 2 ||W||^2.

    Attributes:
        features: the n rows shared by all heads.
        labels: (n,) int64.
        row_weights: (t, n) float64, each summing to 1.
        present: (t, classes) bool, the classes with weight.
        penalty: (h,) float64.
        task: (h,) int64, the row weights of each head.
    """

    features: RotatedFeatures | StreamedFeatures
    labels: Tensor
    row_weights: Tensor
    present: Tensor
    penalty: Tensor
    task: Tensor

    @property
    def bytes_per_head(self) -> int:
        """What minimising one head keeps: its probabilities and a dozen arrays like theta."""
        n, width = len(self.labels), self.features.width
        return self.present.shape[1] * (n * self.features.dtype.itemsize + 12 * width * 8)

    def only(self, heads: Tensor) -> SoftmaxProblem:
        """The problem of some heads (indices)."""
        return self.with_heads(self.penalty[heads], self.task[heads])

    def with_heads(self, penalty: Tensor, task: Tensor) -> SoftmaxProblem:
        """The same rows and tasks with other heads (h,)."""
        return replace(self, penalty=penalty, task=task)

    @property
    def presence(self) -> Tensor:
        """(h, classes) bool, the classes with weight of each head."""
        return self.present[self.task]

    def weights(self, heads: Tensor, rows: slice) -> Tensor:
        """(l, b) float64, the weights of some rows for some heads (indices)."""
        return self.row_weights[:, rows][self.task[heads]]

    def ridge(self) -> Tensor:
        """(h, 1, r + 1): the penalty of each coordinate, 0 on the bias."""
        ridge = self.penalty[:, None, None].repeat(1, 1, self.features.width)
        ridge[..., -1] = 0
        return ridge

    def evaluate(self, theta: Tensor) -> Evaluation:
        """Value, gradient and curvature at theta (h, classes, d + 1) float64, bias last.

        theta acts on the features as given: were it rotated, rounding would mix the weights of
        large and small features.
        """
        weight = theta[..., :-1].contiguous()
        bias = theta[..., -1].masked_fill(~self.presence, _NEVER)
        every = torch.arange(len(theta), device=theta.device)
        sums = _Sums(weight, self.features, len(self.labels))
        for rows in self._blocks(BLOCK // (8 * max(weight.shape[2], bias.numel()))):
            given, w = self.features.given(rows), self.weights(every, rows)
            logits = (weight.flatten(0, 1) @ given.T).view(*bias.shape, -1).add_(bias[..., None])
            sums.add(rows, _softmax(logits, self.labels[rows], w), given)
        penalty = self.penalty[:, None, None]
        gradient = self.features.to_rotated(sums.weight.addcmul_(penalty, weight), sums.bias)
        objective = sums.loss + 0.5 * self.penalty * weight.square().sum((1, 2))
        diagonal = (sums.diagonal.double() + self.ridge()).clamp_(min=_LEAST)
        return Evaluation(objective, gradient, diagonal, sums.probability)

    def curve(self, point: Evaluation, direction: Tensor, live: Tensor) -> Tensor:
        """Hessian at ``point`` times direction (l, classes, r + 1), for l ``live`` heads (indices)."""
        flat = self.features.outward(direction.flatten(0, 1))
        product = torch.zeros_like(flat)
        for rows in self._blocks(self.features.together(len(flat))):
            part, w = self.features.block(rows), self.weights(live, rows)[:, None]
            p = point.probability[..., rows]
            p = p[live] if len(live) < len(p) else p
            v = (flat @ part.T).view(p.shape)
            v -= v.gather(1, _index(self.labels[rows], p))
            v -= (p * v).sum(1, keepdim=True).div_(torch.where(w > 0, w, 1).to(p.dtype))
            product.addmm_(v.mul_(p).flatten(0, 1), part)
        product = self.features.inward(product)
        return product.view(direction.shape).addcmul_(self.only(live).ridge(), direction)

    def variance(self, point: Evaluation, head: int) -> Tensor:
        """w p (1 - p) of one head: (classes, n), the weight of each row in each class's Hessian."""
        p = point.probability[head]
        label = self.labels[None]
        others = p.scatter(0, label, 0).sum(0, keepdim=True)
        w = self.row_weights[self.task[head]].to(p.dtype)
        share = p / torch.where(w > 0, w, 1)
        return (p * (1 - share)).scatter_(0, label, others * share.gather(0, label)).clamp_(min=0)

    def _blocks(self, length: int) -> Iterator[slice]:
        """Slices of so many rows, at least one."""
        length = max(1, length)
        return (slice(start, start + length) for start in range(0, len(self.labels), length))


class _Sums:
    """What :meth:`SoftmaxProblem.evaluate` adds up over blocks of rows."""

    def __init__(self, weight: Tensor, features: RotatedFeatures | StreamedFeatures, n: int) -> None:
        self.features = features
        self.weight = torch.zeros_like(weight)
        self.bias = weight.new_zeros(weight.shape[:2])
        self.loss = weight.new_zeros(len(weight))
        self.diagonal = weight.new_zeros((*weight.shape[:2], features.width), dtype=features.dtype)
        self.probability = weight.new_empty((*weight.shape[:2], n), dtype=features.dtype)

    def add(self, rows: slice, block: _Block, given: Tensor) -> None:
        self.loss += block.loss
        self.bias += block.residual.sum(2)
        self.weight.flatten(0, 1).addmm_(block.residual.flatten(0, 1), given)
        variance = threshold(block.variance.to(self.features.dtype), _LEAST, 0.0).flatten(0, 1)
        self.diagonal.flatten(0, 1).add_(self.features.squares(variance, rows))
        self.probability[..., rows] = threshold(block.probability.to(self.features.dtype), _LEAST, 0.0)


class _Block(NamedTuple):
    """Loss (h,), probability, residual and variance (h, classes, b), all times the row weights."""

    loss: Tensor
    probability: Tensor
    residual: Tensor
    variance: Tensor


def _softmax(logits: Tensor, labels: Tensor, w: Tensor) -> _Block:
    """From logits (h, classes, b), overwritten, and row weights (h, b); exact where rows saturate.

    1 - p of the label is summed from the other classes, so it keeps its digits when p is near 1.
    """
    index = _index(labels, logits)
    logits -= logits.gather(1, index)
    top = logits.amax(1, keepdim=True)
    p = logits.sub_(top).exp_().scatter_(1, index, 0)
    others, label = p.sum(1, keepdim=True), torch.exp(-top)
    total = others + label
    loss = (top + torch.log1p(others + torch.expm1(-top))).squeeze(1)
    p /= total
    others, label = others / total, label / total
    loss = (loss * w).sum(1)
    w = w[:, None]
    variance = torch.addcmul(p, p, p, value=-1).scatter_(1, index, label * others).mul_(w)
    p *= w
    residual = p.scatter(1, index, -others * w)
    return _Block(loss, p.scatter_(1, index, label * w), residual, variance)


def _index(labels: Tensor, like: Tensor) -> Tensor:
    """Labels (b,) as an index of the classes of ``like`` (h, classes, b)."""
    return labels.expand(len(like), 1, -1)
