"""The objective of many linear heads on the same rows, and its derivatives.

Coordinates are those of :mod:`.rotated_rows`, in which the Hessian is close to
diagonal: that keeps the conjugate gradients of :mod:`.minimise` short. Gradients are float64 on the
features as given, or float32 far from the optimum; Hessian products only choose directions and run in the
features' ``dtype``, or in bf16.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor
from torch.nn.functional import threshold

from frostline.stages.heads.newton.losses import Loss, LossBlock
from frostline.stages.heads.newton.rotated_rows import BLOCK, RotatedRows, StreamedRows

_NEVER = -1e30  # the bias of a class without weight: its probability is 0, and nothing is NaN
_TINY = 1e-25  # smaller probabilities are 0: denormal numbers are several times slower to multiply


@dataclass(frozen=True)
class Derivatives:
    """Value and derivatives of h heads at one point.

    Attributes:
        parts: (h, classes) float64, of the objective, where classes are ``classwise``; otherwise (h, 1), all of it.
        gradient: (h, classes, r + 1) float64.
        diagonal: (h, classes, r + 1) float64, of the Hessian; positive.
        loss_cache: (h, classes, n), what the loss needs for its second derivatives, in the dtype of the rotated copy.
    """

    parts: Tensor
    gradient: Tensor
    diagonal: Tensor
    loss_cache: Tensor

    @property
    def objective(self) -> Tensor:
        """(h,) float64."""
        return self.parts.sum(1)

    def only(self, heads: Tensor) -> Derivatives:
        """The evaluation of some heads (indices)."""
        return Derivatives(*(getattr(self, field.name)[heads] for field in fields(Derivatives)))


@dataclass(frozen=True)
class Problem:
    """h heads of t tasks, each minimising  sum_i w_i loss_i + penalty / 2 ||W||^2.

    Attributes:
        loss: of the logits.
        features: the n rows shared by all heads.
        labels: (n,) int64.
        row_weights: (t, n) float64, each summing to 1.
        present: (t, classes) bool, the classes with weight.
        penalty: (h,) float64.
        task: (h,) int64, the row weights of each head.
    """

    loss: Loss
    features: RotatedRows | StreamedRows
    labels: Tensor
    row_weights: Tensor
    present: Tensor
    penalty: Tensor
    task: Tensor

    @property
    def n(self) -> int:
        """How many rows there are."""
        return self.row_weights.shape[1]

    @property
    def bytes_per_head(self) -> int:
        """What minimising one head keeps: what its loss saves and a dozen arrays like theta."""
        return self.present.shape[1] * (self.n * self.features.dtype.itemsize + 12 * self.features.width * 8)

    def only(self, heads: Tensor) -> Problem:
        """The problem of some heads (indices)."""
        return self.with_heads(self.penalty[heads], self.task[heads])

    def with_heads(self, penalty: Tensor, task: Tensor) -> Problem:
        """The same rows and tasks with other heads (h,)."""
        return replace(self, penalty=penalty, task=task)

    @property
    def presence(self) -> Tensor:
        """(h, classes) bool, the classes with weight of each head."""
        return self.present[self.task]

    def labels_of(self, heads: Tensor, rows: slice) -> Tensor:
        """(b,), the labels of some rows; or (l, b), those of each of some heads (indices)."""
        return self.labels[rows] if self.labels.ndim == 1 else self.labels[:, rows][self.task[heads]]

    def weights(self, heads: Tensor, rows: slice) -> Tensor:
        """(l, b) float64, the weights of some rows for some heads (indices)."""
        return self.row_weights[:, rows][self.task[heads]]

    def ridge(self) -> Tensor:
        """(h, 1, r + 1): the penalty of each coordinate, 0 on the bias."""
        ridge = self.penalty[:, None, None].repeat(1, 1, self.features.width)
        ridge[..., -1] = 0
        return ridge

    def evaluate(self, theta: Tensor) -> Derivatives:
        """Value, gradient and curvature at theta (h, classes, d + 1) float64, bias last.

        theta acts on the features as given: were it rotated, rounding would mix the weights of
        large and small features.
        """
        weight = theta[..., :-1].contiguous()
        bias = theta[..., -1].masked_fill(~self.presence, _NEVER)
        every = torch.arange(len(theta), device=theta.device)
        sums = _Sums(weight, self.features, self.n)
        for rows in self._blocks(BLOCK // (8 * max(weight.shape[2], bias.numel()))):
            given = self.features.given(rows)
            w = self.weights(every, rows).to(given.dtype)
            logits = (weight.flatten(0, 1).to(given.dtype) @ given.T).view(*bias.shape, -1)
            logits += bias.to(given.dtype)[..., None]
            sums.add(rows, self.loss.block(logits, self.labels_of(every, rows), w), given)
        penalty = self.penalty[:, None, None]
        gradient = self.features.to_rotated(sums.weight.addcmul_(penalty, weight), sums.bias)
        parts = sums.loss + 0.5 * self.penalty[:, None] * self.by_part(weight.square())
        diagonal = (sums.diagonal.double() + self.ridge()).clamp_(min=_TINY)
        return Derivatives(parts, gradient, diagonal, sums.loss_cache)

    def hvp(self, point: Derivatives, direction: Tensor, live: Tensor) -> Tensor:
        """Hessian-vector product at ``point`` with direction (l, classes, r + 1), for l ``live`` heads (indices)."""
        flat = self.features.outward(direction.flatten(0, 1))
        product = torch.zeros_like(flat)
        for rows in self._blocks(self.features.together(len(flat))):
            part, loss_cache = self.features.block(rows), point.loss_cache[..., rows]
            loss_cache = loss_cache[live] if len(live) < len(loss_cache) else loss_cache
            v = (flat.to(part.dtype) @ part.T).to(flat.dtype).view(loss_cache.shape)
            v = self.loss.hessian_logits(v, loss_cache, self.labels_of(live, rows), self.weights(live, rows))
            _add_product(product, v.flatten(0, 1), part)
        product = self.features.inward(product)
        return product.view(direction.shape).addcmul_(self.only(live).ridge(), direction)

    def variance(self, point: Derivatives, head: int) -> Tensor:
        """The weight of each row in each class's Hessian, of one head: (classes, n)."""
        return self.loss.variance(point.loss_cache[head], self.labels, self.row_weights[self.task[head]])

    def by_part(self, values: Tensor) -> Tensor:
        """Sums (h, classes) of values (h, classes, m), where the loss of each class is its own; otherwise (h, 1)."""
        return values.sum(2) if self.loss.classwise else values.sum((1, 2))[:, None]

    def project(self, direction: Tensor) -> Tensor:
        """The part of directions (h, classes, r + 1) that changes the objective."""
        return self.loss.project(direction, self.presence)

    def _blocks(self, length: int) -> Iterator[slice]:
        """Slices of so many rows, at least one."""
        length = max(1, length)
        return (slice(start, start + length) for start in range(0, self.n, length))


class _Sums:
    """What :meth:`Problem.evaluate` adds up over blocks of rows."""

    def __init__(self, weight: Tensor, features: RotatedRows | StreamedRows, n: int) -> None:
        self.features = features
        self.weight = torch.zeros_like(weight)
        self.bias = weight.new_zeros(weight.shape[:2])
        self.loss = weight.new_zeros((len(weight), 1))
        self.diagonal = weight.new_zeros((*weight.shape[:2], features.width), dtype=features.dtype)
        self.loss_cache = weight.new_empty((*weight.shape[:2], n), dtype=features.dtype)

    def add(self, rows: slice, block: LossBlock, given: Tensor) -> None:
        self.loss = self.loss + block.loss
        self.bias += block.residual.sum(2)
        _add_product(self.weight.flatten(0, 1), block.residual.flatten(0, 1), given)
        variance = threshold(block.variance.to(self.features.dtype), _TINY, 0.0).flatten(0, 1)
        self.diagonal.flatten(0, 1).add_(self.features.squares(variance, rows))
        self.loss_cache[..., rows] = threshold(block.loss_cache.to(self.features.dtype), _TINY, 0.0)


def _add_product(total: Tensor, left: Tensor, right: Tensor) -> None:
    """Add ``left @ right``, multiplied in the precision of ``right``, to a total of its own precision."""
    if total.dtype == left.dtype == right.dtype:
        total.addmm_(left, right)
    else:
        total += left.to(right.dtype) @ right
